"""Looks at the computer again and again, and says when it is in use by somebody else."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, NoReturn, Protocol

import trio

from dc import limits_neighbour as limits
from dc.worker.neighbour import Neighbour, Policy, Senses, unknown

log: Final = logging.getLogger("dc.worker")


class Sensing(Protocol):
    """What looks at the computer, `seconds` apart."""

    seconds: float

    def look(self, policy: Policy) -> Senses:
        """Return what there is to be sensed; may block for a little."""


class Minder:
    """Of one worker.

    Args:
        neighbour: decides.
        senses: looks at the computer.
    """

    def __init__(self, neighbour: Neighbour, senses: Sensing) -> None:
        self._neighbour = neighbour
        self._senses = senses

    async def keep(self, tell: Callable[[str], object]) -> NoReturn:
        """Look from time to time, for good.

        Args:
            tell: is told why the worker is to rest, with an empty text that it is not, whenever
                that has changed.
        """
        policy, said, looks = self._neighbour.policy, "", 0
        while True:
            senses = await trio.to_thread.run_sync(self._senses.look, policy)
            reason = self._neighbour.look(senses, trio.current_time())
            if reason != said:
                said = reason
                tell(reason)
            looks += 1
            if looks == limits.UNKNOWN_LOOKS and (names := unknown(policy, senses)):
                log.warning("this computer does not tell what is needed for %s", ", ".join(names))
            await trio.sleep(self._senses.seconds)
