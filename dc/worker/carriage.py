"""The part of the worker's reactor that has large payloads fetched and large results put."""

from __future__ import annotations

from dc import limits
from dc.messages import Failure
from dc.worker.board import Board
from dc.worker.events import (
    BlobPut,
    BlobPutFailed,
    Fetch,
    Fetched,
    FetchFailed,
    PutBlob,
    RemoveFile,
)
from dc.worker.tasks import Chunk
from dc.worker.transfers import Transfer


class Carriage:
    """Begins transfers and takes their ends. `board` is what the parts of the reactor share."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def begin(self) -> None:
        """Begin what may be begun."""
        board = self._board
        for one in board.fetches.begin(board.now):
            digest = one.checkpoint.digest if one.checkpoint is not None else b""
            board.out.append(Fetch(*one.key, one.size, digest))
        for one in board.puts.begin(board.now):
            assert one.file is not None
            board.out.append(PutBlob(*one.key, one.file))

    def ended(
        self, event: Fetched | FetchFailed | BlobPut | BlobPutFailed, *, counts: bool
    ) -> None:
        """Take the end of a transfer.

        Args:
            event: how it ended.
            counts: whether a refused fetch counts; while the server is away, it does not.
        """
        match event:
            case Fetched():
                self._fetched(event)
            case BlobPut():
                self._put(event)
            case FetchFailed():
                self._fetch_failed(event, counts=counts and event.refused)
            case BlobPutFailed():
                self._put_failed(event)

    def _fetched(self, event: Fetched) -> None:
        board = self._board
        fetched = board.fetches.end((event.job, event.number, event.attempt))
        if fetched is None:
            board.out.append(RemoveFile(event.file.path))
            return
        if fetched.checkpoint is not None:
            fetched.job.checkpoints[event.number] = event.file
            self._after_checkpoint(fetched)
            return
        chunk = Chunk(
            fetched.job, fetched.order, [event.number], [event.attempt], [event.file], size=0
        )
        chunk.resources = fetched.resources
        board.enqueue(chunk)

    def _after_checkpoint(self, transfer: Transfer) -> None:
        """Go on with the payload of a task whose checkpoint is here, or will not come."""
        board, payload = self._board, transfer.payload
        row = transfer.job, transfer.order, [transfer.number], [transfer.attempt]
        if isinstance(payload, bytes):
            board.enqueue(Chunk(*row, [payload], size=len(payload)))
        else:
            one = transfer.job, transfer.number, transfer.attempt, payload.size, transfer.order
            board.fetches.add(Transfer(*one))

    def _put(self, event: BlobPut) -> None:
        board = self._board
        put = board.puts.end((event.job, event.number, event.attempt))
        if put is not None and put.file is not None:
            board.take_put(put)

    def _fetch_failed(self, event: FetchFailed, *, counts: bool) -> None:
        fetches = self._board.fetches
        key = event.job, event.number, event.attempt
        failed = fetches.fail(key, self._board.now, counts=counts)
        if failed is not None and failed.failures >= limits.TRANSFER_TRIES:
            fetches.drop(failed)
            if failed.checkpoint is not None:
                text = f"task {key[0]}/{key[1]} begins without its checkpoint: {event.text}"
                self._board.say(text)
                self._after_checkpoint(failed)
            else:
                self._fail(failed, f"could not fetch payload: {event.text}")

    def _put_failed(self, event: BlobPutFailed) -> None:
        board = self._board
        key = event.job, event.number, event.attempt
        failed = board.puts.fail(key, board.now, counts=event.refused)
        if failed is None or failed.failures < limits.TRANSFER_TRIES:
            return
        board.drop_put(failed)
        if failed.restored:  # the task has done its part; the computer has lost it
            board.reports.add_returned(failed.job, [failed.number], [failed.attempt])
        else:
            self._fail(failed, f"could not put result: {event.text}")

    def _fail(self, transfer: Transfer, text: str) -> None:
        failure = Failure("error", text[: limits.ERROR_CHARS])
        row = transfer.number, transfer.attempt, transfer.time
        self._board.add_failure(transfer.job, *row, failure)
