"""The attempts of an executor that are to stop, and what is to be called once one of them is."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TypeAlias

Attempt: TypeAlias = tuple[int, int, int]
"""A job, a number and an attempt."""


class Stops(set[Attempt]):
    """Attempts that are to stop; contexts look here. One attempt runs at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._call: tuple[Attempt, Callable[[], object]] | None = None

    def on_stop(self, attempt: Attempt, function: Callable[[], object]) -> None:
        """Have a function called once the attempt, which runs now, is to stop; at once if it is.

        The last one that was given counts. It may be called twice.
        """
        self._call = attempt, function
        if attempt in self:
            function()

    def tell(self) -> None:
        """Call what is to be called, in whatever thread. What it raises is printed, and no more."""
        call = self._call
        if call is None or call[0] not in self:
            return
        try:
            call[1]()
        except Exception:
            traceback.print_exc()
