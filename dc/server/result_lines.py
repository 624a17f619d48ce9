"""Outcomes of a job as lines of JSON: those that are there, or all as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Final

import msgspec
import trio

from dc import limits, limits_shown
from dc.errors import DcError, by_code
from dc.messages import Refused
from dc.messages_client import Consumed, Finished, Subscribe
from dc.messages_parts import Failure, Message, Outcome
from dc.records import Outcomes, TaskRow
from dc.server.app import ServerApp
from dc.server.inner_peer import InnerPeer
from dc.server.json_values import result_fields
from dc.store import Store

REQUEST: Final = 1

BEAT: Final = b" "
"""What is sent when there is nothing to say for long, so that it is found out if nobody reads any
more: a space before the next line, which is JSON as before."""

PIECE_BYTES: Final = 128 * limits.KIB
"""Of results that become JSON before others have their turn: below a millisecond."""

_encode: Final = msgspec.json.Encoder().encode_lines


class ResultLines:
    """The body of an answer: outcomes that are on disk, one a line.

    Each line has a `cursor`: who has read up to it goes on by `after`. A line that is not the last
    of its record has the cursor of the record before: then some lines come twice, and none is
    missing.

    Args:
        store: where they are read.
        job: whose they are.
        codec: of its results.
        after: the cursor of the last line that was read, 0 for none.
        ordered: by number of task, up to the first that has none, and not as they were recorded.
    """

    def __init__(
        self, store: Store, job: int, codec: str, after: int, *, ordered: bool = False
    ) -> None:
        self._store = store
        self._job = job
        self._codec = codec
        self._after = after
        self._ordered = ordered

    async def pieces(self) -> AsyncIterator[bytes]:
        """Give the lines, many in each piece."""
        while records := await self._read():
            for record in records:
                for piece in self._pieces_of(record):
                    yield piece
                    await trio.lowlevel.checkpoint()

    async def _read(self) -> list[Outcomes]:
        size = limits.BATCH_BYTES
        if self._ordered:
            tasks = limits.BATCH_TASKS
            return await self._store.outcomes_from(self._job, self._after, size, tasks)
        return await self._store.outcomes_after(self._job, self._after, size)

    def _pieces_of(self, record: Outcomes | Finished) -> Iterator[bytes]:
        """Give the lines of a record."""
        before = self._after
        self._after = record.numbers[-1] + 1 if self._ordered else _sequence(record)
        columns = zip(record.numbers, record.attempts, record.times, record.outcomes, strict=True)
        rows: list[dict[str, Any]] = []
        size = 0
        for number, attempt, seconds, outcome in columns:
            where = number + 1 if self._ordered else before
            rows.append(self._row(record, where, number, attempt, seconds, outcome))
            size += len(outcome) if isinstance(outcome, bytes) else 0
            many = len(rows) >= limits_shown.READ_AT_ONCE or size >= PIECE_BYTES
            if many and number != record.numbers[-1]:
                yield _encode(rows)
                rows, size = [], 0
        rows[-1]["cursor"] = self._after
        yield _encode(rows)

    def _row(
        self,
        record: Outcomes | Finished,
        cursor: int,
        number: int,
        attempt: int,
        seconds: float,
        outcome: Outcome,
    ) -> dict[str, Any]:
        return {
            "cursor": cursor,
            "number": number,
            "state": "failed" if isinstance(outcome, Failure) else "done",
            "attempt": attempt,
            "worker": record.worker,
            "at": record.at,
            "time": seconds,
            **outcome_fields(outcome, self._codec),
        }


class Silence:
    """Nothing was said for a while."""


async def _heard(peer: InnerPeer) -> Message | Silence:
    with trio.move_on_after(limits_shown.WATCH_BEAT_SECONDS):
        return await peer.hear()
    return Silence()


class FollowedLines(ResultLines):
    """The same until the job has finished: it goes on with what comes.

    Of a job that is cancelled, the last line has an `error` instead of an outcome.

    Args:
        app: the server, inside which it is a client.
        job, codec, after, ordered: as of ResultLines.
    """

    def __init__(
        self, app: ServerApp, job: int, codec: str, after: int, *, ordered: bool = False
    ) -> None:
        super().__init__(app.store, job, codec, after, ordered=ordered)
        self._app = app

    async def pieces(self) -> AsyncIterator[bytes]:
        """Give the lines, many in each piece."""
        peer: InnerPeer | None = None
        try:
            peer = InnerPeer(self._app)
            await peer.say([Subscribe(REQUEST, self._job, self._ordered, self._after)])
            while isinstance(message := await _heard(peer), (Finished, Silence)):
                if isinstance(message, Silence):
                    yield BEAT
                    continue
                for piece in self._pieces_of(message):
                    yield piece
                    await trio.lowlevel.checkpoint()
                await peer.say([Consumed(REQUEST, min(message.size, 2**31 - 1))])
            if isinstance(message, Refused):
                yield error_line(by_code(message.code, message.text))
        except DcError as error:
            yield error_line(error)
        finally:
            if peer is not None:
                peer.leave()


class FailureLines:
    """The body of an answer: the failed tasks of a job by number; the cursor is a number, plus 1.

    Args:
        store, job, after: as of ResultLines.
    """

    def __init__(self, store: Store, job: int, after: int) -> None:
        self._store = store
        self._job = job
        self._after = after

    async def pieces(self) -> AsyncIterator[bytes]:
        """Give the lines, many in each piece."""
        rows: Sequence[TaskRow] | None = None
        while rows is None or len(rows) == limits_shown.READ_AT_ONCE:
            rows = await self._store.tasks(
                self._job, self._after, limits_shown.READ_AT_ONCE, failed=True
            )
            if rows:
                self._after = rows[-1].number + 1
                yield _encode([self._row(row) for row in rows])

    def _row(self, row: TaskRow) -> dict[str, Any]:
        assert isinstance(row.outcome, Failure)
        return {
            "cursor": row.number + 1,
            "number": row.number,
            "state": "failed",
            "attempt": row.attempt,
            "worker": row.worker,
            "at": row.at,
            "time": row.time,
            **outcome_fields(row.outcome, ""),
        }


def outcome_fields(outcome: Outcome, codec: str) -> dict[str, Any]:
    """Return an outcome as fields of a JSON object: `failure`, or those of a result."""
    if isinstance(outcome, Failure):
        said = {"kind": outcome.kind, "error": outcome.error, "traceback": outcome.traceback}
        return {"failure": said}
    return result_fields(outcome, codec)


def error_line(error: DcError) -> bytes:
    """Return the last line of lines that do not come to their end."""
    return _encode([{"error": {"code": error.code, "text": str(error)}}])


def _sequence(record: Outcomes | Finished) -> int:
    return record.cursor if isinstance(record, Finished) else record.sequence
