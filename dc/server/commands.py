"""What operators ask of the server: the commands that come over HTTP.

A command goes to the reactor as Asked, and is answered once all that it changes is on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

Then: TypeAlias = Callable[[object], None]
"""Takes the answer to a command: what it says itself, or the DcError for which nothing was done."""


class CancelJob(Struct, frozen=True):
    """Cancel a job; the answer is None. A job that has finished stays as it is."""

    job: int


Command: TypeAlias = CancelJob
