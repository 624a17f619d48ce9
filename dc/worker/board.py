"""What the two halves of a worker's reactor share: the attempts, the reports, and what is to do."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from dc import limits
from dc.messages import Blob, Failed, Failure, Message, Plugin, Report
from dc.pipe import FileResult, InFile
from dc.worker.events import (
    Action,
    Forget,
    ForgetFile,
    Keep,
    KeepFile,
    RemoveFile,
    Say,
    Send,
)
from dc.worker.plugins_held import PluginsHeld
from dc.worker.reports import Reports
from dc.worker.tasks import Chunk, Job, Queue
from dc.worker.transfers import Transfer, Transfers


class Board:
    """The state that both halves work on.

    Attributes:
        now: the time of the event in hand, in seconds.
        out: the actions so far.
        can_send: whether the server listens.
        sent: when something was last sent.
        flush_asked: whether a Flush is on its way.
        done: tasks that this worker has done; failed: those that have failed on it.
        left: files of large results that wait for other servers.
        checkpoint_files: those of checkpoints that are not at the server.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.out: list[Action] = []
        self.can_send = False
        self.sent = 0.0
        self.flush_asked = False
        self.done = 0
        self.failed = 0
        self.jobs: dict[int, Job] = {}
        self.queue = Queue()
        self.fetches = Transfers(limits.TRANSFERS_AT_ONCE)
        self.puts = Transfers(limits.TRANSFERS_AT_ONCE)
        self.reports = Reports()
        self.plugins = PluginsHeld(self._do, self.queue.push, self.fail_chunk)
        self.left: set[str] = set()
        self.checkpoint_files: set[str] = set()
        self._put: list[Transfer] = []  # at the server, and their reports are drafts

    # --- actions --------------------------------------------------------------------------------

    def take(self) -> list[Action]:
        """Return the actions so far, and begin anew."""
        out, self.out = self.out, []
        return out

    def send(self, message: Message, size: int = 0) -> None:
        """Send a message, if the server listens."""
        if self.can_send:
            self.sent = self.now
            self.out.append(Send(message, size))

    def say(self, text: str) -> None:
        """Write a line to the log."""
        self.out.append(Say(text))

    def _do(self, action: Action) -> None:
        self.out.append(action)

    def flush(self) -> None:
        """Make reports of what was gathered, keep them, and send them."""
        self.flush_asked = False
        made = self.reports.flush()
        if made:
            self.out.append(Keep(made, self.can_send))
            self.sent = self.now if self.can_send else self.sent
        for put in self._put:
            self._remove_result(put)
        self._put.clear()

    def recorded(self, sequence: int) -> None:
        """Forget the reports up to a sequence, and their attempts."""
        before = self.reports.recorded
        for report in self.reports.forget_up_to(sequence):
            job = self.jobs.get(report.job)
            if job is not None:
                job.forget(*_attempts(report))
                if job.checkpoints:
                    self.drop_checkpoints(job)
        if self.reports.recorded > before:
            self.out.append(Forget(sequence))

    # --- jobs -----------------------------------------------------------------------------------

    def job(self, number: int, type_: str, version: str, timeout: float) -> Job:
        """Return what is known of a job; make it known."""
        job = self.jobs.get(number)
        if job is None:
            job = self.jobs[number] = Job(number, type_, version, timeout)
        elif not job.type:  # it is known from the journal alone
            job.type, job.version, job.timeout = type_, version, timeout
        return job

    def tidy(self) -> None:
        """Forget the jobs that are over, the oldest first, if there are too many."""
        excess = len(self.jobs) - limits.KNOWN_JOBS
        if excess > 0:
            over = (number for number, job in self.jobs.items() if not job.held)
            for number in list(islice(over, excess)):
                del self.jobs[number]

    def result_files(self) -> set[str]:
        """Return the paths of all large results that are not reported, and of checkpoints."""
        waiting = {one.file.path for one in [*self.puts, *self._put] if one.file is not None}
        return waiting | self.left | self.checkpoint_files

    def is_held(self, job: int, number: int, attempt: int) -> bool:
        """Whether this attempt is held."""
        known = self.jobs.get(job)
        return known is not None and known.held.get(number) == attempt

    # --- tasks ----------------------------------------------------------------------------------

    def enqueue(self, chunk: Chunk) -> None:
        """Queue tasks whose payloads are here, once their code is as well."""
        if chunk.job.plugin is None:
            self.queue.push(chunk)
        else:
            self.plugins.take(chunk, self.now)

    def try_now(self) -> None:
        """Wait for nothing any more that is to be moved: the connection is back."""
        for one in (self.fetches, self.puts, self.plugins):
            one.try_now()

    def fail_chunk(self, chunk: Chunk, failure: Failure) -> None:
        """Fail all tasks of a chunk that are still held."""
        self.remove_payloads(chunk)
        chunk = chunk.live()
        for number, attempt in zip(chunk.numbers, chunk.attempts, strict=True):
            self.add_failure(chunk.job, number, attempt, 0.0, failure)

    def give_up_plugin(self, plugin: Plugin, text: str) -> None:
        """Fail the tasks of a plugin, those that wait and, for a while, those that come."""
        self.plugins.give_up(plugin, text, self.now)
        for chunk in self.queue.take_all(plugin):
            self.enqueue(chunk)

    def waiting(self) -> Iterator[Chunk]:
        """Take out all tasks whose payloads are here."""
        while self.queue:
            yield self.queue.pop()
        yield from self.plugins.pop_all()

    # --- outcomes -------------------------------------------------------------------------------

    def add_results(
        self,
        job: Job,
        numbers: list[int],
        attempts: list[int],
        times: list[float],
        results: list[bytes | Blob],
    ) -> None:
        """Report results of one job."""
        self.done += len(numbers)
        self.reports.add_results(job, numbers, attempts, times, results)

    def add_failure(
        self, job: Job, number: int, attempt: int, time: float, failure: Failure
    ) -> None:
        """Report that an attempt failed after `time` seconds."""
        self.failed += 1
        self.reports.add_failure(job, number, attempt, time, failure)

    def add_large_result(
        self, job: Job, number: int, attempt: int, time: float, file: InFile
    ) -> None:
        """Have a result put that is in a file; it is reported once it is at the server."""
        self.out.append(KeepFile(FileResult(job.number, number, attempt, time, file)))
        self.puts.add(Transfer(job, number, attempt, file.size, file=file, time=time))

    def take_put(self, put: Transfer) -> None:
        """Report a large result that is at the server. Its file is kept until that is done."""
        assert put.file is not None
        blob = Blob(put.file.digest, put.file.size)
        self.add_results(put.job, [put.number], [put.attempt], [put.time], [blob])
        self._put.append(put)

    def drop_put(self, put: Transfer) -> None:
        """Let go of a large result that is not at the server."""
        self.puts.drop(put)
        self._remove_result(put)

    def _remove_result(self, put: Transfer) -> None:
        assert put.file is not None
        self.out += ForgetFile(*put.key), RemoveFile(put.file.path)

    def return_chunk(self, chunk: Chunk) -> None:
        """Hand attempts back to the server, those that are still held."""
        self.remove_payloads(chunk)
        chunk = chunk.live()
        self.reports.add_returned(chunk.job, chunk.numbers, chunk.attempts)

    def remove_payloads(self, chunk: Chunk) -> None:
        """Remove the files of payloads that nobody needs any more."""
        self.out += map(RemoveFile, chunk.files())

    def drop_checkpoints(self, job: Job) -> None:
        """Forget what attempts were to begin with that are not held any more."""
        for number in [one for one in job.checkpoints if one not in job.held]:
            saved = job.checkpoints.pop(number)
            if isinstance(saved, InFile):
                self.out.append(RemoveFile(saved.path))

    # --- another process, another server --------------------------------------------------------

    def restore(
        self, recorded: int, reports: list[tuple[Report, int]], files: list[FileResult]
    ) -> None:
        """Take what was kept for the server. Nothing may be held."""
        self.reports.restore(recorded, reports)
        for report, _ in reports:
            job = self.job(report.job, "", "", 0.0)
            for number, attempt in zip(*_attempts(report), strict=True):
                job.held[number] = max(attempt, job.held.get(number, 0))
        for one in files:
            job = self.job(one.job, "", "", 0.0)
            put = Transfer(job, one.number, one.attempt, one.file.size, file=one.file)
            put.time, put.restored = one.time, True
            if job.held.get(one.number, -1) >= one.attempt:  # it was reported
                self._remove_result(put)
            else:
                job.held[one.number] = one.attempt
                self.puts.add(put)

    def let_go(self) -> None:
        """Let go of all that is held, but leave in the journal what is in it."""
        self.flush()
        self.left = self.result_files()
        for chunk in self.waiting():
            self.remove_payloads(chunk)
        for job in self.jobs.values():
            job.held.clear()
            self.drop_checkpoints(job)
        self.jobs.clear()
        self.fetches = Transfers(limits.TRANSFERS_AT_ONCE)
        self.puts = Transfers(limits.TRANSFERS_AT_ONCE)
        self.reports = Reports()

    # --- looking --------------------------------------------------------------------------------

    def places(self) -> Iterator[tuple[int, int, int]]:
        """Yield (job, number, attempt) of all that is here, held or not."""
        for chunk in self.queue:
            for number, attempt in zip(chunk.numbers, chunk.attempts, strict=True):
                yield chunk.job.number, number, attempt
        yield from self.plugins.places()
        for transfers in (self.fetches, self.puts):
            yield from (one.key for one in transfers)
        yield from self.reports.attempts()

    def validate(self) -> None:
        """Check what must hold between two events."""
        self.reports.validate()
        self.plugins.validate()
        for transfers in (self.fetches, self.puts):
            transfers.validate()
            assert all(one.is_live for one in transfers), "a transfer that nobody waits for"
        assert all(chunk.live() is chunk for chunk in self.queue), "a dead attempt in the queue"
        assert self.queue.count == sum(len(chunk.numbers) for chunk in self.queue)
        assert self.flush_asked or not self.reports.has_drafts, "drafts that nobody will send"


def _attempts(report: Report) -> tuple[list[int], list[int]]:
    """Return the numbers and the attempts of a report."""
    if isinstance(report, Failed):
        return [report.number], [report.attempt]
    return report.numbers, report.attempts
