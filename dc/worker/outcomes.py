"""What executors bring of their tasks: results and failures, put where they belong."""

from __future__ import annotations

from dc.messages_parts import Blob, Failure
from dc.pipe import MISSING, InFile
from dc.worker.board import Board
from dc.worker.events import RemoveFile
from dc.worker.missing import have_again
from dc.worker.tasks import Chunk, Job


def take_outcomes(
    board: Board,
    chunk: Chunk,
    times: list[float],
    outcomes: list[bytes | InFile | Failure],
    *,
    all_live: bool,
) -> None:
    """Take the outcomes of tasks that an executor has run; those of stopped ones are dropped.

    Args:
        board: what the parts of the reactor share.
        chunk: the tasks.
        times: for how many seconds each has run.
        outcomes: what came of each.
        all_live: none of them is known to have been stopped.
    """
    if all_live and set(map(type, outcomes)) == {bytes}:
        board.remove_payloads(chunk)
        results: list[bytes | Blob] = outcomes  # type: ignore[assignment]  # all are bytes
        board.add_results(chunk.job, chunk.numbers, chunk.attempts, times, results)
        return
    rows = zip(chunk.numbers, chunk.attempts, times, outcomes, strict=True)
    for at, (number, attempt, time, outcome) in enumerate(rows):
        if isinstance(outcome, Failure) and outcome.kind == MISSING:
            have_again(board, chunk.pick([at]), outcome.error)
        else:
            board.release(chunk.job, [chunk.payloads[at]])
            _take_outcome(board, chunk.job, number, attempt, time, outcome)


def _take_outcome(
    board: Board,
    job: Job,
    number: int,
    attempt: int,
    time: float,
    outcome: bytes | InFile | Failure,
) -> None:
    if job.held.get(number) != attempt:
        if isinstance(outcome, InFile):
            board.out.append(RemoveFile(outcome.path))
    elif isinstance(outcome, Failure):
        board.add_failure(job, number, attempt, time, outcome)
    elif isinstance(outcome, InFile):
        board.add_large_result(job, number, attempt, time, outcome)
    else:
        board.add_results(job, [number], [attempt], [time], [outcome])
