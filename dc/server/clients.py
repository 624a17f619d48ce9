"""The clients' side of the reactor: who is there, watching, cancelling."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from dc.errors import DcError, ProtocolError, UnknownJob
from dc.messages import Refused
from dc.messages_client import (
    Cancel,
    Consumed,
    EndOfJob,
    Payloads,
    Status,
    Submit,
    Subscribe,
    Unsubscribe,
    Watch,
)
from dc.messages_parts import Blob, Message
from dc.records import JobCancelled, JobRow
from dc.roles import LOCAL, Principal
from dc.server.board import Board
from dc.server.event_log import SERVER, named
from dc.server.events import Continue, LoadJob
from dc.server.jobs import Job
from dc.server.recent import Recent
from dc.server.streams import Streams
from dc.server.submission import Client
from dc.server.submissions import Submissions
from dc.server.workers import WorkerSide

CANCEL_STEP = 20_000
"""Tasks taken out of the scheduler in one turn of the loop: about a millisecond."""


class ClientSide:
    """Keeps the clients and does what they ask."""

    def __init__(self, board: Board, workers: WorkerSide, streams: Streams) -> None:
        self._board = board
        self._workers = workers
        self.streams = streams
        self.recent = Recent()
        self.submissions = Submissions(board, self.find)
        self.by_peer: dict[int, Client] = {}
        self._watchers: dict[int, set[tuple[int, int]]] = defaultdict(set)
        self._waiting: dict[int, list[Callable[[Job | None], None]]] = {}

    # --- coming and going -----------------------------------------------------------------------

    def join(self, peer: int, address: str, principal: Principal = LOCAL) -> None:
        """Take a client in."""
        self.by_peer[peer] = Client(peer, address, principal=principal)

    def leave(self, peer: int) -> None:
        """Forget a client that has gone; its jobs go on."""
        self.submissions.leave(self.by_peer.pop(peer))
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

    # --- messages -------------------------------------------------------------------------------

    def received(
        self, client: Client, message: Message, missing: frozenset[Blob] = frozenset()
    ) -> None:
        """Take one message of a client, or hold it while the job of a key is looked for.

        The inputs of a job that are `missing` are not here.

        Raises:
            ProtocolError: the message is not one that a client sends, or not now.
        """
        if client.looks:
            client.held.append(message)
            client.held_missing |= missing
            return
        match message:
            case Payloads():
                self.submissions.payloads(client, message)
            case Consumed():
                self.streams.consumed(client.peer, message.request, message.size)
            case Submit():
                self.submissions.submit(client, client.named(message), missing)
            case EndOfJob():
                self.submissions.end(client, message)
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

    def looks(self, peer: int) -> bool:
        """Whether a peer is a client that waits for the job of a key to be looked for."""
        client = self.by_peer.get(peer)
        return client is not None and client.looks

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
            may = client.owns if isinstance(message, Cancel) else client.sees
            if job is None or not may(job):  # what it may not know of is not there
                error = UnknownJob(f"there is no job {message.job}{self._board.kept}")
                self._board.send(client.peer, Refused(message.request, error.code, str(error)))
            else:
                do(client, job, message)

        self.find(message.job, found)

    # --- jobs that are only in the store ----------------------------------------------------------

    def find(self, number: int, then: Callable[[Job | None], None]) -> None:
        """Call `then` with a job, from memory or once it was read from the store."""
        job = self._board.jobs.get(number)
        recent = self.recent.get(number) if job is None else None
        if job is not None:
            then(job)
        elif recent is not None:
            self._board.jobs[number] = recent
            then(recent)
            self.let_go(recent)
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
        if job.finished and not followed and not job.scheduled and not job.busy:
            self._board.jobs.pop(job.number, None)
            job.forget_payloads()
            if job.whole is not None:
                self.recent.keep(job, self._board.now)

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
        self.submissions.left(client, message.request)
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

        self.cancel(job, on_disk, who=job.options.submitter)

    def cancel(
        self,
        job: Job,
        then: Callable[[], None],
        why: str = "",
        error: DcError | None = None,
        who: str = SERVER,
    ) -> None:
        """Cancel a job; a finished job stays as it is.

        Args:
            job: the job.
            then: called once that is on disk.
            why: in a sentence, what for, if nobody asked for it.
            error: what is said to who is submitting it.
            who: asked for it.
        """
        if job.finished or job.cancelled:
            self._board.after_writes(then)
            return
        job.cancelled = job.changed = True
        job.forget_payloads()
        job.drop_tail()
        job.why = why
        self._note_cancelled(job, why, who)
        self.submissions.cancelled(job, error)

        def on_disk() -> None:
            job.cancel_stored = True
            then()
            self._board.look_at_end(job)

        self._board.write(JobCancelled(job.number, self._board.wall, why), on_disk)
        self.cancel_step(job.number)

    def _note_cancelled(self, job: Job, why: str, who: str) -> None:
        text = f"job {job.number}{named(job.options.name)} was cancelled{': ' if why else ''}{why}"
        self._board.log.note("job.cancelled", who, lambda: text, job=job.number)

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
