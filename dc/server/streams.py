"""Results on their way to clients: live as they are recorded, from the store for what is behind.

A *stream* is one subscription. While it is caught up, each record of outcomes goes out as soon as
it is on disk. When the client is slow (it has more than `limits.STREAM_BYTES` unconsumed), or has
just subscribed, the stream is behind: nothing is kept for it in memory, and it reads from the
store, one read at a time, until a read that began after the last commit gives nothing more.

An outcome that was set aside, because its task runs again, is not read from the store any more. Who
has had it as it came gets the new one as well; who reads in order does not come back to it.

An ordered stream wants the tasks by number. While they are recorded in that order, it is given the
records as they come; else it reads from the store, and only when the task that it waits for has
been recorded.

Where nothing has been recorded yet there is nothing to read: such a stream is caught up at once. So
the results of a short job that is followed from its start never take the way over the disk; nor do
those of a small one that has just finished, whose outcomes are at hand.
"""

from __future__ import annotations

from collections import defaultdict

from msgspec import Struct

from dc import limits
from dc.errors import NotPermitted
from dc.messages import Refused
from dc.messages_client import EndOfResults, Finished, Subscribe
from dc.records import Outcomes
from dc.server.board import OUTCOME_BYTES, Board, outcomes_size
from dc.server.events import LoadOutcomes
from dc.server.jobs import Job


class Stream(Struct):
    """A subscription. `seen` is the job's count of commits when the read under way began."""

    peer: int
    request: int
    job: int
    ordered: bool
    cursor: int
    unconsumed: int = 0
    reading: bool = False
    caught_up: bool = False
    seen: int = -1


class Streams:
    """All subscriptions of all clients."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._streams: dict[tuple[int, int], Stream] = {}
        self._of_peer: dict[int, dict[int, Stream]] = defaultdict(dict)
        self._of_job: dict[int, dict[tuple[int, int], Stream]] = defaultdict(dict)

    def __len__(self) -> int:
        return len(self._streams)

    def has(self, job: int) -> bool:
        """Whether anybody is subscribed to a job."""
        return job in self._of_job

    def open(self, peer: int, job: Job, message: Subscribe) -> None:
        """Begin a subscription."""
        key = (peer, message.request)
        replaced = self._board.jobs.get(self.close(*key) or 0)
        if len(self._of_peer.get(peer, ())) >= limits.STREAMS:
            text = f"{limits.STREAMS} subscriptions are open on this connection: end some first"
            raise NotPermitted(text)
        if replaced is not None and replaced is not job:
            self._board.on_unfollowed(replaced)
        stream = Stream(peer, message.request, job.number, message.ordered, message.after)
        stream.caught_up = job.recorded == 0
        self._streams[key] = self._of_job[job.number][key] = stream
        self._of_peer[peer][message.request] = stream
        if job.whole is not None and stream.cursor == 0:
            self._send(stream, job.whole)
            stream.caught_up = True
        self._pump(stream, job)

    def close(self, peer: int, request: int) -> int | None:
        """End a subscription; return its job, or None if there is no such subscription."""
        stream = self._streams.pop((peer, request), None)
        if stream is not None:
            del self._of_job[stream.job][peer, request]
            if not self._of_job[stream.job]:
                del self._of_job[stream.job]
            del self._of_peer[peer][request]
            if not self._of_peer[peer]:
                del self._of_peer[peer]
        return stream.job if stream is not None else None

    def close_all(self, peer: int) -> list[int]:
        """End all subscriptions of a client that has gone; return their jobs."""
        streams = list(self._of_peer.get(peer, {}).values())
        for stream in streams:
            self.close(peer, stream.request)
        return [stream.job for stream in streams]

    def consumed(self, peer: int, request: int, size: int) -> None:
        """Send more to a client that has consumed some."""
        stream = self._streams.get((peer, request))
        if stream is not None:
            stream.unconsumed = max(0, stream.unconsumed - size)
            self._pump(stream, self._board.jobs[stream.job])

    def recorded(self, job: Job, record: Outcomes) -> None:
        """Pass on outcomes that have just been written to disk."""
        if len(record.numbers) == job.total and _is_small_whole(job, record):
            job.whole = record
        for stream in list(self._of_job.get(job.number, {}).values()):
            if stream.ordered:
                if stream.caught_up and stream.cursor in record.numbers:
                    stream.caught_up = _is_all(stream, job, record)
                    if stream.caught_up:
                        self._send(stream, record)
            elif record.sequence <= stream.cursor:
                pass  # a read saw it on disk before its commit was told here
            elif stream.caught_up and stream.unconsumed < limits.STREAM_BYTES:
                self._send(stream, record)
            else:
                stream.caught_up = False
            self._pump(stream, job)

    def loaded(self, peer: int, request: int, records: list[Outcomes]) -> None:
        """Pass on what was read from the store."""
        stream = self._streams.get((peer, request))
        if stream is None or not stream.reading:
            return
        stream.reading = False
        job = self._board.jobs[stream.job]
        for record in records:
            self._send(stream, record)
        nothing_more = not records and stream.seen == job.commits
        newest = not stream.ordered and stream.cursor >= job.last_sequence > 0
        stream.caught_up = nothing_more or newest
        self._pump(stream, job)

    def job_finished(self, job: Job) -> None:
        """End the subscriptions of a finished job that have had everything."""
        for stream in list(self._of_job.get(job.number, {}).values()):
            self._pump(stream, job)

    def _pump(self, stream: Stream, job: Job) -> None:
        if stream.reading:
            return
        if stream.ordered and job.finished and not job.cancelled and stream.cursor >= job.total:
            stream.caught_up = True
        if stream.caught_up:
            if job.finished:
                self._end(stream, job)
        elif stream.unconsumed < limits.STREAM_BYTES:
            stream.reading = True
            stream.seen = job.commits
            size = max(limits.BATCH_BYTES, limits.STREAM_BYTES - stream.unconsumed)
            self._board.out.append(
                LoadOutcomes(
                    stream.peer, stream.request, job.number, stream.ordered, stream.cursor, size
                )
            )

    def _end(self, stream: Stream, job: Job) -> None:
        self.close(stream.peer, stream.request)
        if job.cancelled:
            text = f"job {job.number} was cancelled; {job.done + job.failed} of its tasks had ended"
            text += f": {job.why}" if job.why else ""
            self._board.send(stream.peer, Refused(stream.request, "cancelled", text))
        else:
            self._board.send(stream.peer, EndOfResults(stream.request))
        self._board.on_unfollowed(job)

    def _send(self, stream: Stream, record: Outcomes) -> None:
        if stream.ordered:
            stream.cursor = record.numbers[-1] + 1
        else:
            stream.cursor = record.sequence
        size = outcomes_size(record.outcomes)
        message = Finished(
            stream.request,
            stream.cursor,
            record.worker,
            record.at,
            size,
            record.numbers,
            record.attempts,
            record.times,
            record.outcomes,
        )
        self._board.send(stream.peer, message, size)
        stream.unconsumed += size


def _is_small_whole(job: Job, record: Outcomes) -> bool:
    """Tell whether a record of all tasks has finished its job, in order, and is worth keeping."""
    if not job.finished or job.cancelled or job.total > limits.RECENT_BYTES // OUTCOME_BYTES:
        return False
    size = outcomes_size(record.outcomes)
    return size <= limits.RECENT_BYTES and record.numbers == list(range(job.total))


def _is_all(stream: Stream, job: Job, record: Outcomes) -> bool:
    """Tell whether an ordered stream may have a record, and has then had all that is on disk.

    It has had all tasks below its cursor. If no more are recorded than those and the record's,
    the record is all there is from there on. Of a job with tasks that run again that cannot be told
    by counting.
    """
    end = stream.cursor + len(record.numbers)
    return (
        stream.unconsumed < limits.STREAM_BYTES
        and not job.retried
        and job.recorded == end
        and record.numbers == list(range(stream.cursor, end))
    )
