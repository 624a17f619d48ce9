"""What the two halves of a worker's reactor share: the attempts, the reports, and what is to do."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from dc import limits
from dc.messages import Blob, Failure, Message
from dc.worker.events import Action, RemoveFile, Say, Send
from dc.worker.reports import Reports
from dc.worker.tasks import Chunk, Job, Queue
from dc.worker.transfers import Transfers


class Board:
    """The state that both halves work on.

    Attributes:
        now: the time of the event in hand, in seconds.
        out: the actions so far.
        can_send: whether the server listens.
        sent: when something was last sent.
        flush_asked: whether a Flush is on its way.
        done: tasks that this worker has done; failed: those that have failed on it.
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

    def flush(self) -> None:
        """Make reports of what was gathered, and send them."""
        self.flush_asked = False
        for report, size in self.reports.flush():
            self.send(report, size)

    # --- jobs -----------------------------------------------------------------------------------

    def job(self, number: int, type_: str, version: str, timeout: float) -> Job:
        """Return what is known of a job; make it known."""
        job = self.jobs.get(number)
        if job is None:
            job = self.jobs[number] = Job(number, type_, version, timeout)
        return job

    def tidy(self) -> None:
        """Forget the jobs that are over, the oldest first, if there are too many."""
        excess = len(self.jobs) - limits.KNOWN_JOBS
        if excess > 0:
            over = (number for number, job in self.jobs.items() if not job.held)
            for number in list(islice(over, excess)):
                del self.jobs[number]

    def is_held(self, job: int, number: int, attempt: int) -> bool:
        """Whether this attempt is held."""
        known = self.jobs.get(job)
        return known is not None and known.held.get(number) == attempt

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

    def return_chunk(self, chunk: Chunk) -> None:
        """Hand attempts back to the server, those that are still held."""
        self.remove_payloads(chunk)
        chunk = chunk.live()
        self.reports.add_returned(chunk.job, chunk.numbers, chunk.attempts)

    def remove_payloads(self, chunk: Chunk) -> None:
        """Remove the files of payloads that nobody needs any more."""
        self.out += map(RemoveFile, chunk.files())

    # --- looking --------------------------------------------------------------------------------

    def places(self) -> Iterator[tuple[int, int, int]]:
        """Yield (job, number, attempt) of all that is here, held or not."""
        for chunk in self.queue:
            for number, attempt in zip(chunk.numbers, chunk.attempts, strict=True):
                yield chunk.job.number, number, attempt
        for transfers in (self.fetches, self.puts):
            yield from (one.key for one in transfers)
        yield from self.reports.attempts()

    def validate(self) -> None:
        """Check what must hold between two events."""
        self.reports.validate()
        for transfers in (self.fetches, self.puts):
            transfers.validate()
            assert all(one.is_live for one in transfers), "a transfer that nobody waits for"
        assert all(chunk.live() is chunk for chunk in self.queue), "a dead attempt in the queue"
        assert self.queue.count == sum(len(chunk.numbers) for chunk in self.queue)
        assert self.flush_asked or not self.reports.has_drafts, "drafts that nobody will send"
