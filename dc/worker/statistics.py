"""How much a worker holds, and what it has done."""

from __future__ import annotations

from msgspec import Struct

from dc.worker.board import Board
from dc.worker.executors import Executors


class Running(Struct, frozen=True):
    """A task that runs: of which job, its number, and for how many seconds."""

    slot: int
    type_: str
    job: int
    number: int
    seconds: float


class Statistics(Struct, frozen=True):
    """Attempts by place, what the worker has done so far, and what runs."""

    fetching: int
    queued: int
    given: int
    putting: int
    unrecorded: int
    executors: int
    connected: bool
    done: int
    failed: int
    slots: int
    running: list[Running]


def statistics_of(board: Board, executors: Executors, *, connected: bool) -> Statistics:
    """Return how much there is of what.

    Args:
        board: what the parts of the reactor share.
        executors: what runs.
        connected: whether the server has taken the worker in.
    """
    return Statistics(
        fetching=len(board.fetching),
        queued=board.queue.count + board.plugins.count,
        given=executors.given,
        putting=len(board.puts),
        unrecorded=len(board.reports),
        executors=executors.alive,
        connected=connected,
        done=board.done,
        failed=board.failed,
        slots=board.slots,
        running=[
            Running(slot, one.job.type, one.job.number, one.number, board.now - one.since)
            for slot, one in executors.running()
        ],
    )
