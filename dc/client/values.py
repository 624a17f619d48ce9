"""Between the user's values and the wire's columns, without IO.

The loops here are the client's only work per task. A payload costs one call of its encoder and one
look at the clock; a result costs one call of its decoder, inside `map`, and nothing where the type
says `bytes`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any, Literal, Protocol, TypeAlias

import msgspec
from msgspec import Struct

from dc import limits, limits_client
from dc.client.records import Finished
from dc.client.sources import (
    BLOB_COST,
    FileSource,
    Given,
    Source,
    Stream,
    complaint,
    held,
    source_of,
)
from dc.errors import DcError, KeyConflict, PayloadError, TaskFailed
from dc.messages_client import Finished as Batch
from dc.messages_parts import Blob, Failure, Outcome
from dc.tasktypes import TaskType

Encode: TypeAlias = Callable[[Any], Given]
Decode: TypeAlias = Callable[[bytes], Any] | None
"""None where bytes are handed over as they are."""

Failures: TypeAlias = Literal["raise", "yield"]
"""What to do with a failed task: raise its TaskFailed, or yield it."""

Large: TypeAlias = Literal["handle", "value"]
"""What to give of large results that are bytes: handles, to read when they are wanted, or bytes."""

Wrap: TypeAlias = Callable[[int, Blob], Any]
"""Makes a handle of the large result of the task of a number."""


class Cut(Struct):
    """Encoded payloads for one message; `last` if the iterable has ended.

    `size` is what they take on the socket in bytes; `large` says which are to become blobs. A
    stream is always the last one of its cut: it is read before the next payload is asked for.
    """

    payloads: list[Given]
    size: int
    large: list[int]
    last: bool

    @property
    def stream(self) -> Stream | None:
        """The stream that is to be read before the cut is sent, if there is one."""
        last = self.payloads[-1] if self.large else None
        return last if isinstance(last, Stream) else None

    def settle(self, source: Source) -> None:
        """Put what was read of the stream in its place."""
        self.payloads[-1] = source
        if isinstance(source, bytes):
            self.size += len(source) - BLOB_COST
            self.large.pop()


def is_full(cuts: list[Cut]) -> bool:
    """Whether batches, joined, make up a full one."""
    count, size = sum(len(cut.payloads) for cut in cuts), sum(cut.size for cut in cuts)
    return count >= limits.BATCH_TASKS or size >= limits.BATCH_BYTES


def join(cuts: list[Cut], *, last: bool) -> Cut:
    """Return batches of one payload each as one batch."""
    payloads = [cut.payloads[0] for cut in cuts]
    large = [index for index, cut in enumerate(cuts) if cut.large]
    return Cut(payloads, sum(cut.size for cut in cuts), large, last)


class Cutter:
    """Cuts encoded payloads into batches.

    A batch is cut off that is not full once it has been gathered for several times as long as it
    took to send the last one: a slow iterable's tasks leave soon, and sending never takes more than
    a small part of the time.

    Args:
        task_type: of the payloads.
        clock: gives the time in seconds.
        first: the number of the first payload.
    """

    def __init__(self, task_type: TaskType, clock: Callable[[], float], first: int = 0) -> None:
        self._task_type = task_type
        self._encode = encoder(task_type)
        self._clock = clock
        self._number = first
        self._gave = math.inf  # when the last batch was given out

    def cut(self, payloads: Iterable[Any]) -> Cut:
        """Return the next payloads of an iterator, until a batch is full or has taken long.

        Raises:
            PayloadError: one does not fit the type; it names its number.
        """
        out: list[Given] = []
        size = bulk = 0
        encode, clock, inline = self._encode, self._clock, limits.INLINE_BYTES
        large: list[int] = []
        until = self._until()
        for payload in payloads:
            try:
                data = encode(payload)
            except Exception as error:
                raise self._misfit(self._number + len(out), payload, error) from error
            out.append(data)
            if type(data) is bytes and len(data) <= inline:
                size += len(data)
            else:
                size += BLOB_COST
                bulk += self._entitled(data, len(out) - 1, large)
            if (
                size + bulk >= limits.BATCH_BYTES
                or len(out) >= limits.BATCH_TASKS
                or clock() >= until
            ):
                return self._done(out, size, large, last=False)
        return self._done(out, size, large, last=True)

    def _until(self) -> float:
        """Return until when the next batch may be gathered."""
        now = self._clock()
        sending = max(0.0, now - self._gave) * limits_client.PAYLOAD_SHARE
        return now + min(
            max(sending, limits_client.PAYLOAD_SECONDS), limits_client.PAYLOAD_SECONDS_MOST
        )

    def _entitled(self, data: Given, index: int, large: list[int]) -> int:
        """Note something that does not ride inline; return what it counts against the batch."""
        if not isinstance(data, Blob):
            large.append(index)
        if isinstance(data, FileSource | Stream):
            data.title = f"payload {self._number + index}: {data.title}"
        return held(data)

    def _done(self, out: list[Given], size: int, large: list[int], *, last: bool) -> Cut:
        self._number += len(out)
        self._gave = self._clock()
        return Cut(out, size, large, last)

    def _misfit(self, number: int, payload: Any, error: Exception) -> PayloadError:
        if self._task_type.payload_codec == "bytes":
            return PayloadError(f"payload {number}: {complaint(error)}")
        try:
            self._task_type.encode_payload(payload)
        except PayloadError as misfits:
            return PayloadError(f"payload {number}: {misfits}")
        return PayloadError(f"payload {number}: {error}")


def skip(payloads: Iterator[Any], count: int) -> None:
    """Pass over the first payloads, which an earlier submission of the same key has sent.

    Raises:
        KeyConflict: there are not so many.
    """
    found = sum(1 for _ in islice(payloads, count))
    if found < count:
        raise too_few(found, count)


def too_few(found: int, count: int) -> KeyConflict:
    """Return the error for a resumed submission that has fewer payloads than the first one."""
    text = f"the submission of this key has {count} tasks already, and here are {found} payloads"
    return KeyConflict(f"{text}: give the same ones, or another key")


def encoder(task_type: TaskType) -> Encode:
    """Return what turns a payload into bytes, or a source of them; it raises if it does not fit.

    Encoding checks nothing, so what was encoded is decoded as the declared type.
    """
    if task_type.payload_codec == "bytes":
        return source_of
    encode = msgspec.msgpack.Encoder().encode
    if task_type.payload_type is Any:
        return encode
    check = msgspec.msgpack.Decoder(task_type.payload_type).decode

    def checked(value: Any) -> bytes:
        data = encode(value)
        check(data)
        return data

    return checked


def decoder(task_type: TaskType) -> Decode:
    """Return what turns a result's bytes into its value."""
    if task_type.result_codec == "bytes":
        return None
    return msgspec.msgpack.Decoder(task_type.result_type).decode


# --- results --------------------------------------------------------------------------------------


class View(Protocol):
    """What the user's loop gets of each finished task."""

    def each(self, batch: Batch) -> Iterator[Any] | None:
        """Return what the loop gets of a batch; None if some results have to be fetched first."""

    def one(self, batch: Batch, index: int, outcome: Outcome) -> Any:
        """Return what the loop gets of one task."""


class Values:
    """A view of results alone; failures are raised, or yielded as TaskFailed.

    Args:
        job: its number.
        decode: of its type.
        failures: `raise` or `yield`.
        wrap: what is made of large results; None if they have to be fetched.
    """

    def __init__(
        self, job: int, decode: Decode, failures: Failures, wrap: Wrap | None = None
    ) -> None:
        if failures not in ("raise", "yield"):
            raise ValueError(f'failures is "raise" or "yield", not {failures!r}')
        self._job = job
        self._decode = decode
        self._raises = failures == "raise"
        self._wrap = wrap

    def each(self, batch: Batch) -> Iterator[Any] | None:
        """Return the values of a batch."""
        kinds = set(map(type, batch.outcomes))
        if Blob in kinds and self._wrap is None:
            return None
        if Blob in kinds or Failure in kinds:
            return map(partial(self.one, batch), range(len(batch.outcomes)), _inline(batch))
        return _decoded(batch, self._decode)

    def one(self, batch: Batch, index: int, outcome: Outcome) -> Any:
        """Return a result, or return or raise its failure."""
        if isinstance(outcome, Blob):
            assert self._wrap is not None, "what is not wrapped was fetched"
            return self._wrap(batch.numbers[index], outcome)
        if not isinstance(outcome, Failure):
            return self._decode(outcome) if self._decode is not None else outcome
        error = task_failed(self._job, batch, index, outcome)
        if self._raises:
            raise error
        return error


class Records:
    """A view of results and failures with what is known about them, as Finished.

    Args:
        job: its number.
        decode: of its type.
        wrap: what is made of large results; None if they have to be fetched.
    """

    def __init__(self, job: int, decode: Decode, wrap: Wrap | None = None) -> None:
        self._job = job
        self._decode = decode
        self._wrap = wrap

    def each(self, batch: Batch) -> Iterator[Any] | None:
        """Return the records of a batch."""
        if self._wrap is None and Blob in set(map(type, batch.outcomes)):
            return None
        return map(partial(self.one, batch), range(len(batch.outcomes)), _inline(batch))

    def one(self, batch: Batch, index: int, outcome: Outcome) -> Finished:
        """Return one record."""
        result = error = None
        if isinstance(outcome, Failure):
            error = task_failed(self._job, batch, index, outcome)
        elif isinstance(outcome, Blob):
            assert self._wrap is not None, "what is not wrapped was fetched"
            result = self._wrap(batch.numbers[index], outcome)
        else:
            result = self._decode(outcome) if self._decode is not None else outcome
        return Finished(
            number=batch.numbers[index],
            result=result,
            error=error,
            attempt=batch.attempts[index],
            worker=batch.worker,
            finished_at=datetime.fromtimestamp(batch.at, UTC),
            time=batch.times[index],
        )


def task_failed(job: int, batch: Batch, index: int, failure: Failure) -> TaskFailed:
    """Return a failure as the error that the user sees."""
    return TaskFailed(
        failure.error,
        job=job,
        number=batch.numbers[index],
        kind=failure.kind,
        traceback=failure.traceback,
        attempt=batch.attempts[index],
        worker=batch.worker,
    )


def misfit(job: int, error: Exception) -> DcError:
    """Return the error for a result that is not of its type."""
    text = f"a result of job {job} does not fit its task type here: {error}; is the plugin here"
    return DcError(f"{text} the same version as on the workers?")


def _decoded(batch: Batch, decode: Decode) -> Iterator[Any]:
    outcomes: Iterable[Any] = batch.outcomes
    return iter(outcomes) if decode is None else map(decode, outcomes)


def _inline(batch: Batch) -> Iterable[Any]:
    outcomes: list[Outcome] = batch.outcomes
    return outcomes
