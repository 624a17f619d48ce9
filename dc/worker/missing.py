"""Attempts that were not begun, because a file that they were to have has gone from the cache."""

from __future__ import annotations

from dc import limits_worker as limits
from dc.messages_parts import Blob, Failure
from dc.pipe import InFile
from dc.worker.board import Board
from dc.worker.fetching import Waiting
from dc.worker.tasks import Chunk


def have_again(board: Board, chunk: Chunk, text: str) -> None:
    """Fetch once more what an attempt is to have, and run it then; fail it if that is of no use.

    Args:
        board: what the parts of the reactor share.
        chunk: the one attempt.
        text: what is missing.
    """
    job, number = chunk.job, chunk.numbers[0]
    if not chunk.live().numbers:
        board.release(job, chunk.payloads)
        return
    payload, saved = chunk.payloads[0], job.checkpoints.get(number)
    files = [one for one in (payload, saved) if isinstance(one, InFile)]
    digests = {*(one.digest for one in files), *job.input_digests()}
    gone = [board.fetching.gone(digest) for digest in digests]
    if max(gone, default=limits.TRANSFER_TRIES) >= limits.TRANSFER_TRIES:
        board.release(job, [payload])
        failure = Failure("error", f"the worker's cache does not keep what was fetched: {text}")
        board.add_failure(job, number, chunk.attempts[0], 0.0, failure)
        return
    waiting = Waiting(chunk)
    if isinstance(payload, InFile):
        waiting.payload = Blob(payload.digest, payload.size)
        chunk.payloads, chunk.size = [b""], 0
    if isinstance(saved, InFile):
        waiting.checkpoint = Blob(saved.digest, saved.size)
        del job.checkpoints[number]
    board.admit_again(waiting)
