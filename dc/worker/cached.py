"""The part of the worker's reactor that tells the server which large blobs are in the cache."""

from __future__ import annotations

from dc import limits
from dc.messages_worker import Cached
from dc.worker.board import Board
from dc.worker.events import CacheChanged


class CacheTold:
    """Tells what comes and goes, and all of it to a server that takes the worker in.

    Args:
        board: what the parts of the reactor share.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._known: dict[bytes, None] = {}  # the newest are last

    def changed(self, event: CacheChanged) -> None:
        """Take what has changed, and tell it."""
        dropped = [one for one in event.dropped if self._known.pop(one, event) is None]
        added = [one for one in event.added if one not in self._known]
        self._known.update(dict.fromkeys(added))
        while len(self._known) > limits.CACHED_TOLD:
            oldest = next(iter(self._known))
            del self._known[oldest]
            dropped.append(oldest)
        added = [one for one in added if one in self._known]
        for start in range(0, max(len(added), len(dropped)), limits.CACHED_TOLD):
            part = slice(start, start + limits.CACHED_TOLD)
            self._board.send(Cached(added[part], dropped[part]))

    def begin(self) -> None:
        """Tell a server all that is there."""
        if self._known:
            self._board.send(Cached(list(self._known)))
