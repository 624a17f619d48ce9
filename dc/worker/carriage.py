"""The part of the worker's reactor that has blobs fetched and large results put."""

from __future__ import annotations

from itertools import chain

from dc import limits, limits_worker
from dc.messages_parts import Failure
from dc.worker.board import Board
from dc.worker.cached import CacheTold
from dc.worker.events import (
    BlobPut,
    BlobPutFailed,
    CacheChanged,
    Fetch,
    Fetched,
    FetchFailed,
    PutBlob,
)
from dc.worker.fetching import Waiting, Want


class Carriage:
    """Begins transfers and takes their ends. `board` is what the parts of the reactor share.

    Attributes:
        told: what the server knows of the cache.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self.told = CacheTold(board)

    def begin_anew(self) -> None:
        """Take note that a server has taken the worker in: tell it, and wait for nothing more."""
        self.told.begin()
        self._board.try_now()

    def begin(self) -> None:
        """Begin what may be begun."""
        board = self._board
        wants = board.fetching.wants
        if wants.may_begin(board.now):
            for want in wants.begin(board.now, Ahead(board).takes):
                board.out.append(Fetch(want.blob))
        for put in board.puts.begin(board.now):
            board.out.append(PutBlob(*put.key, put.file))

    def take(
        self, event: Fetched | FetchFailed | CacheChanged | BlobPut | BlobPutFailed, *, counts: bool
    ) -> None:
        """Take the end of a transfer, or what is in the cache now.

        Args:
            event: what has happened.
            counts: whether a refused fetch counts; while the server is away, it does not.
        """
        match event:
            case Fetched():
                for waiting in self._board.fetching.arrived(event.file):
                    self._board.admit_again(waiting)
            case CacheChanged():
                self.told.changed(event)
            case BlobPut():
                self._put(event)
            case FetchFailed():
                self._fetch_failed(event, counts=counts and event.refused)
            case BlobPutFailed():
                self._put_failed(event)

    def _put(self, event: BlobPut) -> None:
        board = self._board
        put = board.puts.end((event.job, event.number, event.attempt))
        if put is not None:
            board.take_put(put)

    def _fetch_failed(self, event: FetchFailed, *, counts: bool) -> None:
        wants = self._board.fetching.wants
        want = wants.fail(event.digest, self._board.now, counts=counts)
        if want is not None and counts:
            tries = f"try {want.failures} of {limits_worker.TRANSFER_TRIES}"
            self._board.say(f"cannot fetch blob {want.blob.name[:12]}: {event.text} ({tries})")
        if want is not None and want.failures >= limits_worker.TRANSFER_TRIES:
            for waiting in list(want.waiters):
                self._give_up(waiting, want, event.text)

    def _give_up(self, waiting: Waiting, want: Want, text: str) -> None:
        """Let attempts go on without a checkpoint that does not come; without others they fail."""
        board, chunk = self._board, waiting.chunk
        blob, name = want.blob, _name_of(waiting, want)
        if name == "checkpoint":
            key = f"{chunk.job.number}/{chunk.numbers[0]}"
            board.say(f"task {key} begins without its checkpoint: {text}")
            board.fetching.withdraw(waiting)
            waiting.checkpoint = None
            board.fetching.release(blob.digest)
            board.admit_again(waiting)
            return
        board.fetching.drop(waiting)
        failure = Failure("error", f"could not fetch {name}: {text}"[: limits.ERROR_CHARS])
        for row in zip(chunk.numbers, chunk.attempts, strict=True):
            board.add_failure(chunk.job, *row, 0.0, failure)

    def _put_failed(self, event: BlobPutFailed) -> None:
        board = self._board
        key = event.job, event.number, event.attempt
        failed = board.puts.fail(key, board.now, counts=event.refused)
        if failed is None or failed.failures < limits_worker.TRANSFER_TRIES:
            return
        board.drop_put(failed)
        if failed.restored:  # the task has done its part; the computer has lost it
            board.reports.add_returned(failed.job, [failed.number], [failed.attempt])
        else:
            text = f"could not put result: {event.text}"[: limits.ERROR_CHARS]
            row = failed.number, failed.attempt, failed.time
            board.add_failure(failed.job, *row, Failure("error", text))


class Ahead:
    """How far payloads may be fetched ahead of their tasks, as things stand.

    A task for each slot may wait with its payload in a file, whatever its size. Beyond that,
    payloads of limits_worker.AHEAD_BYTES in all may.
    """

    def __init__(self, board: Board) -> None:
        chunks = chain(board.queue, board.plugins.chunks())
        sizes = [file.size for chunk in chunks for file in chunk.files()]
        sizes += [one.blob.size for one in board.fetching.wants.active() if one.is_ahead()]
        self._tasks = board.slots - len(sizes)
        self._bytes = limits_worker.AHEAD_BYTES - sum(sizes)

    def takes(self, want: Want) -> bool:
        """Whether a blob may be fetched now; if so, it counts."""
        if not want.is_ahead():
            return True
        self._tasks -= 1
        self._bytes -= want.blob.size
        return self._tasks >= 0 or self._bytes >= 0


def _name_of(waiting: Waiting, want: Want) -> str:
    """Return what a blob is to attempts that wait for it."""
    if waiting.payload == want.blob:
        return "payload"
    inputs = waiting.chunk.job.inputs.items()
    names = [name for name, blob in inputs if blob.digest == want.key]
    return f"input {names[0]!r}" if names else "checkpoint"
