"""The clients' side of the reactor: submitting, watching, cancelling."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import msgspec
from msgspec import Struct

from dc import limits
from dc.errors import DcError, OptionsError, PayloadError, ProtocolError, UnknownJob
from dc.messages import (
    Accepted,
    Cancel,
    Consumed,
    Counts,
    EndOfJob,
    Message,
    Options,
    Payloads,
    Refused,
    Status,
    Stored,
    Submit,
    Subscribe,
    Unsubscribe,
    Watch,
)
from dc.records import JobCancelled, JobEnded, JobRow, NewJob, NewTasks
from dc.server.board import Board, TypeInfo
from dc.server.events import Continue, LoadJob
from dc.server.jobs import Job
from dc.server.streams import Streams
from dc.server.workers import WorkerSide

CANCEL_STEP = 20_000
"""Tasks taken out of the scheduler in one turn of the loop: about a millisecond."""


class Submission(Struct):
    """A job that a client has not ended yet. `info` checks payloads, where they have a shape."""

    request: int
    info: TypeInfo | None
    refused: bool = False


class Client(Struct):
    """A connected client."""

    peer: int
    address: str
    submitting: dict[int, Submission]


class ClientSide:
    """Keeps the clients and does what they ask."""

    def __init__(self, board: Board, workers: WorkerSide, streams: Streams) -> None:
        self._board = board
        self._workers = workers
        self.streams = streams
        self.by_peer: dict[int, Client] = {}
        self._watchers: dict[int, set[tuple[int, int]]] = defaultdict(set)
        self._waiting: dict[int, list[Callable[[Job | None], None]]] = {}

    # --- coming and going -----------------------------------------------------------------------

    def join(self, peer: int, address: str) -> None:
        """Take a client in."""
        self.by_peer[peer] = Client(peer, address, {})

    def leave(self, peer: int) -> None:
        """Forget a client that has gone.

        Its jobs go on; but one that it has not submitted to the end is cancelled: nobody can end
        it, and of half a job nobody may think that it was the whole.
        """
        client = self.by_peer.pop(peer)
        for number in client.submitting:
            if (unended := self._board.jobs.get(number)) is not None:
                self.cancel(unended, lambda: None)
        touched = set(self.streams.close_all(peer))
        for number, watchers in list(self._watchers.items()):
            gone = {watcher for watcher in watchers if watcher[0] == peer}
            if gone:
                watchers -= gone
                touched.add(number)
        for number in touched:
            job = self._board.jobs.get(number)
            if job is not None:
                self.let_go(job)

    def recovered(self, job: Job) -> None:
        """Take up a job after a restart; one that was not submitted to its end is cancelled."""
        if not job.ended:
            self.cancel(job, lambda: None)

    # --- messages -------------------------------------------------------------------------------

    def received(self, client: Client, message: Message) -> None:
        """Take one message of a client.

        Raises:
            ProtocolError: the message is not one that a client sends, or not now.
        """
        match message:
            case Payloads():
                self._on_payloads(client, message)
            case Consumed():
                self.streams.consumed(client.peer, message.request, message.size)
            case Submit():
                self._answering(client, message.request, lambda: self._on_submit(client, message))
            case EndOfJob():
                self._on_end(client, message)
            case Subscribe():
                self._with_job(client, message, self._on_subscribe)
            case Watch():
                self._with_job(client, message, self._on_watch)
            case Cancel():
                self._with_job(client, message, self._on_cancel)
            case Unsubscribe():
                self._on_unsubscribe(client, message)
            case _:
                raise ProtocolError(f"a client does not send {type(message).__name__}")

    def _answering(self, client: Client, request: int, do: Callable[[], None]) -> None:
        try:
            do()
        except DcError as error:
            self._board.send(client.peer, Refused(request, error.code, str(error)))

    def _with_job(
        self,
        client: Client,
        message: Subscribe | Watch | Cancel,
        do: Callable[[Client, Job, Subscribe | Watch | Cancel], None],
    ) -> None:
        """Do something with a job, once it is in memory."""

        def found(job: Job | None) -> None:
            if client.peer not in self.by_peer:
                return
            if job is None:
                error = UnknownJob(f"there is no job {message.job}")
                self._board.send(client.peer, Refused(message.request, error.code, str(error)))
            else:
                do(client, job, message)

        self.find(message.job, found)

    # --- jobs that are only in the store ----------------------------------------------------------

    def find(self, number: int, then: Callable[[Job | None], None]) -> None:
        """Call `then` with a job, from memory or once it was read from the store."""
        job = self._board.jobs.get(number)
        if job is not None:
            then(job)
        elif number in self._waiting:
            self._waiting[number].append(then)
        else:
            self._waiting[number] = [then]
            self._board.out.append(LoadJob(number))

    def job_loaded(self, number: int, row: JobRow | None) -> None:
        """Go on with what waited for a job from the store."""
        job = self._board.jobs.get(number)
        if job is None and row is not None:
            job = self._board.add_job(row)
        for then in self._waiting.pop(number, []):
            if job is not None:
                self._board.jobs[number] = job  # the one before may have let it go
            then(job)
        if job is not None:
            self.let_go(job)

    def let_go(self, job: Job) -> None:
        """Drop a finished job from memory when nobody follows it any more."""
        watched = self._watchers.get(job.number)
        if not watched:
            self._watchers.pop(job.number, None)
        followed = bool(watched) or self.streams.has(job.number)
        if job.finished and not followed and not job.scheduled:
            self._board.jobs.pop(job.number, None)
            job.forget_payloads()

    # --- submitting -----------------------------------------------------------------------------

    def _on_submit(self, client: Client, message: Submit) -> None:
        info = self._board.types.get(message.type, message.version)
        row = JobRow(
            job=self._board.next_job,
            type=info.name,
            version=info.version,
            options=_options(info, message.options),
            payload=info.payload_codec,
            result=info.result_codec,
            created=self._board.wall,
            ended=False,
            cancelled_at=None,
            counts=Counts(),
        )
        self._board.next_job += 1
        self._board.add_job(row)
        checks = info if row.payload != "bytes" else None
        client.submitting[row.job] = Submission(message.request, checks)
        answer = Accepted(message.request, row.job, row.type, row.version, row.payload, row.result)
        record = NewJob(
            row.job, row.type, row.version, row.options, row.payload, row.result, row.created
        )
        self._board.write(record, lambda: self._tell(client.peer, answer))

    def _tell(self, peer: int, message: Message) -> None:
        if peer in self.by_peer:
            self._board.send(peer, message)

    def _on_payloads(self, client: Client, message: Payloads) -> None:
        job = self._submitted(client, message.job)
        if job is None or not message.payloads:
            return
        if message.first != job.total:
            text = f"job {message.job}: payloads from {message.first}, expected {job.total}"
            raise ProtocolError(text)
        if message.first + len(message.payloads) > limits.MAX_NUMBER:
            raise ProtocolError(f"a job has at most {limits.MAX_NUMBER} tasks")
        _check(client.submitting[message.job].info, message)
        count = job.total + len(message.payloads)
        job.changed = True

        def on_disk() -> None:
            job.stored_up_to(count)
            self._tell(client.peer, Stored(job.number, count, False))

        self._board.write(NewTasks(job.number, message.first, message.payloads), on_disk)
        job.add(message.payloads)
        self._board.heads.submitted(job, len(message.payloads))

    def _submitted(self, client: Client, number: int) -> Job | None:
        """Return a job that a client is submitting; None, and tell it once, if it was cancelled."""
        submission = client.submitting.get(number)
        if submission is None:
            raise ProtocolError(f"job {number} is not being submitted on this connection")
        job = self._board.jobs.get(number)
        if job is not None and not job.cancelled:
            return job
        if not submission.refused:
            submission.refused = True
            text = f"job {number} was cancelled while it was being submitted"
            self._board.send(client.peer, Refused(submission.request, "cancelled", text))
        return None

    def _on_end(self, client: Client, message: EndOfJob) -> None:
        job = self._submitted(client, message.job)
        del client.submitting[message.job]
        if job is None:
            return
        job.ended = job.changed = True

        def on_disk() -> None:
            job.end_stored = True
            self._tell(client.peer, Stored(job.number, job.total, True))
            self._board.look_at_end(job)

        self._board.write(JobEnded(job.number, job.total, self._board.wall), on_disk)

    # --- following ------------------------------------------------------------------------------

    def _on_subscribe(self, client: Client, job: Job, message: Subscribe | Watch | Cancel) -> None:
        assert isinstance(message, Subscribe)
        self._answering(
            client, message.request, lambda: self.streams.open(client.peer, job, message)
        )
        self.let_go(job)

    def _on_watch(self, client: Client, job: Job, message: Subscribe | Watch | Cancel) -> None:
        self._board.send(client.peer, self._status(message.request, job))
        if not job.finished:
            self._watchers[job.number].add((client.peer, message.request))

    def _on_unsubscribe(self, client: Client, message: Unsubscribe) -> None:
        key = (client.peer, message.request)
        touched = {number for number, watchers in self._watchers.items() if key in watchers}
        for number in touched:
            self._watchers[number].discard(key)
        subscribed = self.streams.close(*key)
        if subscribed is not None:
            touched.add(subscribed)
        for number in touched:
            if (job := self._board.jobs.get(number)) is not None:
                self.let_go(job)

    def _status(self, request: int, job: Job) -> Status:
        state, counts, note = self._board.state(job)
        row = job.row
        return Status(
            request,
            job.number,
            state,
            counts,
            row.type,
            row.version,
            row.payload,
            row.result,
            note,
        )

    @property
    def watching(self) -> bool:
        """Whether any client watches a job."""
        return bool(self._watchers)

    def report(self) -> None:
        """Send the state of jobs that have changed to those who watch them."""
        for number, watchers in self._watchers.items():
            job = self._board.jobs[number]
            if job.changed:
                job.changed = False
                for peer, request in watchers:
                    self._board.send(peer, self._status(request, job))

    def finished(self, job: Job) -> None:
        """Tell all who follow a job that it has finished."""
        self.streams.job_finished(job)
        for peer, request in self._watchers.pop(job.number, ()):
            self._board.send(peer, self._status(request, job))
        self.let_go(job)

    # --- cancelling -----------------------------------------------------------------------------

    def _on_cancel(self, client: Client, job: Job, message: Subscribe | Watch | Cancel) -> None:
        def on_disk() -> None:
            if client.peer in self.by_peer:
                self._board.send(client.peer, self._status(message.request, job))

        self.cancel(job, on_disk)

    def cancel(self, job: Job, then: Callable[[], None]) -> None:
        """Cancel a job; call `then` once that is on disk. A finished job stays as it is."""
        if job.finished or job.cancelled:
            self._board.after_writes(then)
            return
        job.cancelled = job.changed = True
        job.forget_payloads()
        job.drop_tail()

        def on_disk() -> None:
            job.cancel_stored = True
            then()
            self._board.look_at_end(job)

        self._board.write(JobCancelled(job.number, self._board.wall), on_disk)
        self.cancel_step(job.number)

    def cancel_step(self, number: int) -> None:
        """Take some tasks of a cancelled job from the queue and from workers."""
        job = self._board.jobs.get(number)
        if job is None or not job.scheduled:
            return
        held, more = self._board.scheduler.cancel_job(number, CANCEL_STEP)
        by_worker: dict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for id_, task, attempt in held:
            by_worker[id_][0].append(task)
            by_worker[id_][1].append(attempt)
        for id_, (tasks, attempts) in by_worker.items():
            self._workers.stop(id_, number, tasks, attempts)
        if more:
            self._board.out.append(Continue(number))
        else:
            self._board.unschedule(job)
            self.let_go(job)


def _options(info: TypeInfo, said: dict[str, object]) -> Options:
    """Return a job's options: what was said, and the type's own for the rest."""
    unknown = sorted(set(said) - set(Options.__struct_fields__))
    if unknown:
        known = ", ".join(Options.__struct_fields__)
        raise OptionsError(f"unknown option {unknown[0]}; there are: {known}")
    fields = {**info.options, **said}
    try:
        values = [fields.get(name, default) for name, default in _defaults().items()]
        return msgspec.convert(["options", *values], Options)
    except msgspec.ValidationError as error:
        raise OptionsError(f"options do not fit: {error}") from None


def _defaults() -> dict[str, object]:
    fields = zip(Options.__struct_fields__, Options.__struct_defaults__, strict=True)
    return {name: {} if name == "requires" else default for name, default in fields}


def _check(info: TypeInfo | None, message: Payloads) -> None:
    """Check each payload's size and shape.

    Raises:
        PayloadError: one is too large to ride inline or not of the type's shape.
    """
    for offset, payload in enumerate(message.payloads):
        if not isinstance(payload, bytes):
            continue
        if len(payload) > limits.INLINE_BYTES:
            text = (
                f"payload {message.first + offset} of job {message.job} has {len(payload)} bytes; "
                f"above {limits.INLINE_BYTES} bytes put it to /blobs first"
            )
            raise PayloadError(text)
        if info is not None:
            try:
                info.check_payload(payload)
            except PayloadError as error:
                where = f"payload {message.first + offset} of job {message.job}"
                raise PayloadError(f"{where} does not fit {info.name}: {error}") from None
