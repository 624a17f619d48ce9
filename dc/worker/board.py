"""What the two halves of a worker's reactor share: the attempts, the reports, and what is to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice

from dc import limits_worker as limits
from dc.messages import Report
from dc.messages_parts import Blob, Failure, Message, Plugin
from dc.messages_worker import Failed
from dc.pipe import FileResult, InFile
from dc.worker.events import (
    Action,
    FlushSoon,
    Forget,
    ForgetFile,
    Keep,
    KeepFile,
    LetGo,
    RemoveFile,
    Say,
    Send,
)
from dc.worker.fetching import Fetching, Waiting
from dc.worker.plugins_held import PluginsHeld
from dc.worker.reports import Reports
from dc.worker.tasks import Chunk, Job, LocalPayload, Queue
from dc.worker.transfers import Put, Transfers


class Board:
    """The state that both halves work on.

    Attributes:
        now: the time of the event in hand, in seconds.
        out: the actions so far.
        can_send: whether the server listens.
        sent: when something was last sent.
        slots: how many tasks may run at one time.
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
        self.slots = 1
        self.flush_asked = False
        self.done = 0
        self.failed = 0
        self.jobs: dict[int, Job] = {}
        self.queue = Queue()
        self.fetching = Fetching(self._let_go)
        self.puts: Transfers[tuple[int, int, int], Put] = Transfers(limits.TRANSFERS_AT_ONCE)
        self.reports = Reports()
        self.plugins = PluginsHeld(self._do, self.queue.push, self.fail_chunk)
        self.left: set[str] = set()
        self.checkpoint_files: set[str] = set()
        self._put: list[Put] = []  # at the server, and their reports are drafts
        self._trouble = False

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

    def _let_go(self, digest: bytes) -> None:
        self.out.append(LetGo(digest))

    def say(self, text: str) -> None:
        """Write a line to the log."""
        self.out.append(Say(text))

    def heard_trouble(self, text: str) -> None:
        """Note why the server records nothing at present; an empty text if it does."""
        if text and not self._trouble:
            self.say(f"the server records nothing at present: {text}")
        elif self._trouble and not text:
            self.say("the server records again")
        self._trouble = bool(text)

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

    def report(self, *, idle: bool) -> None:
        """Have what was gathered reported: at once if nothing comes that could go with it."""
        if idle:
            self.flush()
        else:
            self.flush_asked = True
            self.out.append(FlushSoon())

    def recorded(self, sequence: int) -> None:
        """Forget the reports up to a sequence, and their attempts."""
        before = self.reports.recorded
        for report in self.reports.forget_up_to(sequence):
            job = self.jobs.get(report.job)
            if job is not None:
                job.forget(*_attempts(report))
                if job.checkpoints:
                    self.drop_checkpoints(job)
                if job.inputs:
                    self.drop_inputs(job)
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
        waiting = {one.file.path for one in [*self.puts, *self._put]}
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
        self.fetching.wants.try_now()
        self.puts.try_now()
        self.plugins.try_now()

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
        self.puts.add(Put(job, number, attempt, file, time))

    def take_put(self, put: Put) -> None:
        """Report a large result that is at the server. Its file is kept until that is done."""
        blob = Blob(put.file.digest, put.file.size)
        self.add_results(put.job, [put.number], [put.attempt], [put.time], [blob])
        self._put.append(put)

    def drop_put(self, put: Put) -> None:
        """Let go of a large result that is not at the server."""
        self.puts.drop(put)
        self._remove_result(put)

    def _remove_result(self, put: Put) -> None:
        self.out += ForgetFile(*put.key), RemoveFile(put.file.path)

    def return_chunk(self, chunk: Chunk) -> None:
        """Hand attempts back to the server, those that are still held."""
        self.remove_payloads(chunk)
        chunk = chunk.live()
        self.reports.add_returned(chunk.job, chunk.numbers, chunk.attempts)

    def remove_payloads(self, chunk: Chunk) -> None:
        """Release the files of payloads that nobody needs any more."""
        self.release(chunk.job, chunk.files())

    def release(self, job: Job, files: Iterable[LocalPayload]) -> None:
        """Release files of the cache that attempts of a job have used."""
        if not job.foreign:
            for file in files:
                if isinstance(file, InFile):
                    self.fetching.release(file.digest)

    def drop_checkpoints(self, job: Job) -> None:
        """Forget what attempts were to begin with that are not held any more."""
        for number in [one for one in job.checkpoints if one not in job.held]:
            self.release(job, [job.checkpoints.pop(number)])

    # --- what attempts begin with ---------------------------------------------------------------

    def use_inputs(self, job: Job, inputs: dict[str, Blob]) -> None:
        """Use what all tasks of a job may read, as long as attempts of it are held."""
        if not job.inputs:
            job.inputs = inputs
            for digest in job.input_digests():
                self.fetching.use(digest)

    def drop_inputs(self, job: Job) -> None:
        """Release the inputs of a job, if nothing of it is held any more."""
        if not job.held:
            for digest in job.input_digests():
                self.fetching.release(digest)
            job.inputs, job.files = {}, {}

    def admit(self, waiting: Waiting) -> None:
        """Use the blobs of attempts, and queue these once all that they lack is here."""
        for blob in waiting.own():
            self.fetching.use(blob.digest)
        self.admit_again(waiting)

    def admit_again(self, waiting: Waiting) -> None:
        """The same for those whose blobs are used already."""
        blobs = [*waiting.chunk.job.inputs.values(), *waiting.own()]
        if not self.fetching.wait(waiting, blobs):
            self._complete(waiting)

    def _complete(self, waiting: Waiting) -> None:
        """Queue attempts that lack nothing any more."""
        chunk, job = waiting.chunk, waiting.chunk.job
        files = {name: self.fetching.file(blob.digest) for name, blob in job.inputs.items()}
        job.files = {name: file for name, file in files.items() if file is not None}
        if waiting.checkpoint is not None:
            saved = self.fetching.file(waiting.checkpoint.digest)
            assert saved is not None
            job.checkpoints[chunk.numbers[0]] = saved
        if waiting.payload is not None:
            payload = self.fetching.file(waiting.payload.digest)
            assert payload is not None
            chunk.payloads = [payload]
        self.enqueue(chunk)

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
            put = Put(job, one.number, one.attempt, one.file, one.time, restored=True)
            if job.held.get(one.number, -1) >= one.attempt:  # it was reported
                self._remove_result(put)
            else:
                job.held[one.number] = one.attempt
                self.puts.add(put)

    def let_go(self) -> None:
        """Let go of all that is held, but leave in the journal what is in it."""
        self.flush()
        self.left = self.result_files()
        for _ in self.waiting():
            pass  # what it uses is let go of below, all at once
        for job in self.jobs.values():
            job.held.clear()
            job.foreign = True
        self.jobs.clear()
        self.fetching.let_go_all()
        self.fetching = Fetching(self._let_go)
        self.puts = Transfers(limits.TRANSFERS_AT_ONCE)
        self.reports = Reports()

    # --- looking --------------------------------------------------------------------------------

    def places(self) -> Iterator[tuple[int, int, int]]:
        """Yield (job, number, attempt) of all that is here, held or not."""
        for chunk in self.queue:
            for number, attempt in zip(chunk.numbers, chunk.attempts, strict=True):
                yield chunk.job.number, number, attempt
        yield from self.plugins.places()
        yield from self.fetching.places()
        yield from (one.key for one in self.puts)
        yield from self.reports.attempts()

    def validate(self) -> None:
        """Check what must hold between two events."""
        self.reports.validate()
        self.plugins.validate()
        self.puts.validate()
        assert all(one.is_live for one in self.puts), "a transfer that nobody waits for"
        assert all(chunk.live() is chunk for chunk in self.queue), "a dead attempt in the queue"
        assert self.queue.count == sum(len(chunk.numbers) for chunk in self.queue)
        assert self.flush_asked or not self.reports.has_drafts, "drafts that nobody will send"


def uses_of(chunks: Iterable[Chunk], jobs: Iterable[Job]) -> dict[bytes, int]:
    """Return how often blobs are used by attempts in these chunks, and by these jobs."""
    files = [file for one in chunks if not one.job.foreign for file in one.files()]
    digests = [file.digest for file in files]
    for job in jobs:
        digests += [one.digest for one in job.checkpoints.values() if isinstance(one, InFile)]
        digests += job.input_digests()
    return Counter(digests)


def _attempts(report: Report) -> tuple[list[int], list[int]]:
    """Return the numbers and the attempts of a report."""
    if isinstance(report, Failed):
        return [report.number], [report.attempt]
    return report.numbers, report.attempts
