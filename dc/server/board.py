"""What the two sides of the server's reactor share: jobs, the scheduler, and what is under way.

The board collects actions in `out`. A record that must be on disk before somebody may be told goes
through `write`, together with what is to follow: the store commits records in order, so the oldest
entries of `pending` are the ones that a Committed event is about. What follows a commit without a
record of its own (the acknowledgement of a report that said nothing new) waits in the same line.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial

from msgspec import Struct, structs

from dc import limits, trace_context
from dc._columns import total, weigh
from dc._core import Scheduler
from dc.errors import OptionsError
from dc.messages_client import Counts, Options
from dc.messages_parts import Blob, Failure, Limits, Message, Outcome, Payload
from dc.portions import portions, stored_size
from dc.records import Attempts, JobNumbers, JobRow, NewPlugin, Outcomes, Record
from dc.requirements import needs_of
from dc.server.access import Access
from dc.server.audit_log import AuditLog
from dc.server.counters import Counters
from dc.server.event_log import EventLog
from dc.server.events import Action, Send, Write
from dc.server.heads import HeadLimits, Heads
from dc.server.jobs import Job, job_state
from dc.server.matching import Matching
from dc.server.payloads import Window
from dc.server.presence import PresenceLog
from dc.server.quotas import Usage
from dc.server.rate import Rate
from dc.server.retries import crash_limit
from dc.server.settings import SettingsBook
from dc.server.submitters import Submitters
from dc.server.type_port import Types

MOST_ATTEMPTS = 2**30
"""The highest attempt that a task can be restored with: a worker may claim any that it likes."""

OUTCOME_BYTES = 16
"""Of a result in a message, beside its own: about, and at least."""

NOTE_CHARS = 500
"""Of a note on a job's state: what a job requires may be long, and all who watch are told."""


NAMED_JOBS = 5
"""Of many, in a sentence."""


class Pending(Struct, frozen=True):
    """What is to be done once a record is on disk; `written` is False when there is no record."""

    written: bool
    then: Callable[[], None]


class Board:
    """State that workers and clients both touch.

    Args:
        types: the task types of the server's plugins.
        next_job: the number of the next job; it and limits.JOBS_AHEAD more are reserved on disk.
        next_sequence: the sequence of the next record of outcomes.
        window: bytes of payloads kept in memory.
        heads: how many queued tasks the scheduler holds.
    """

    def __init__(
        self, types: Types, next_job: int, next_sequence: int, window: int, heads: HeadLimits
    ) -> None:
        self.types = types
        self.scheduler = Scheduler(
            credit_seconds=limits.CREDIT_SECONDS, credit_tasks=limits.CREDIT_TASKS
        )
        self.access, self.audit = Access(), AuditLog()
        self.matching = Matching(self.scheduler, self.access.types_of)
        self.submitters = Submitters(self.scheduler)
        self.jobs: dict[int, Job] = {}
        self.heads = Heads(self.scheduler, lambda action: self.out.append(action), heads)
        self.window = Window(window)
        self.rate = Rate()
        self.counters = Counters()
        self.usage = Usage()
        self.settings = SettingsBook()
        self.now = self.wall = 0.0
        self.log = EventLog(lambda: (self.now, self.wall))
        self.presence = PresenceLog()
        self.server = ""  # names the data folder
        self.kept = ""  # for how long finished jobs are kept, to be said of one that is gone
        self.trouble = ""
        self.stalled = False
        self.refusals: Counter[str] = Counter()
        self.cancelled: dict[int, None] = {}
        self.running: Counter[bytes] = Counter()  # jobs in the scheduler, by their archive
        self.out: list[Action] = []
        self.next_job = next_job
        self._reserved = self._reserving = next_job + limits.JOBS_AHEAD
        self._next_sequence = next_sequence
        self._pending: deque[Pending] = deque()
        self.on_outcomes: Callable[[Job, Outcomes], None] = _nobody
        self.on_finished: Callable[[Job], None] = _nobody
        self.on_unfollowed: Callable[[Job], None] = _nobody
        self.on_scheduled: Callable[[Job], None] = _nobody  # of jobs with inputs
        self.on_payloads: Callable[[Job, Sequence[Payload]], None] = _nobody
        self.on_unscheduled: Callable[[Job], None] = _nobody
        self.on_submitted: Callable[[Job], None] = _nobody
        self.on_stored: Callable[[Job, int], None] = _nobody
        self.why: Callable[[Job], str] = lambda _: ""
        self.why_held: Callable[[Job], str] = lambda _: ""
        self.warning: Callable[[Job], str] = lambda _: ""
        self.on_retry: Callable[[str, int, int, int], None] = _nobody
        self.checkpointed: dict[int, set[int]] = {}  # tasks that have a checkpoint, by job

    # --- actions --------------------------------------------------------------------------------

    def send(self, peer: int, message: Message, size: int = 0) -> None:
        """Have a message sent."""
        self.out.append(Send(peer, message, size))

    def write(self, record: Record, then: Callable[[], None]) -> None:
        """Have a record written; call `then` once it is on disk."""
        self.out.append(Write(record))
        self._pending.append(Pending(True, then))

    def after_writes(self, then: Callable[[], None]) -> None:
        """Call `then` once all that is now to be written is on disk: at once if that is nothing."""
        if self._pending:
            self._pending.append(Pending(False, then))
        else:
            then()

    def committed(self, count: int) -> None:
        """Note that the oldest `count` records are on disk."""
        while self._pending and (count > 0 or not self._pending[0].written):
            entry = self._pending.popleft()
            count -= entry.written
            entry.then()

    # --- jobs -----------------------------------------------------------------------------------

    def take_number(self) -> tuple[int, bool]:
        """Return the number of a new job, and whether no other job can ever have it.

        If that is not sure yet, it is once the job is on disk: until then nothing of it may be
        given out.
        """
        number = self.next_job
        self.next_job += 1
        if self.next_job + limits.JOBS_AHEAD // 2 > self._reserving:
            self._reserving = self.next_job + limits.JOBS_AHEAD
            self.write(JobNumbers(self._reserving), partial(self._are_reserved, self._reserving))
        return number, number < self._reserved

    def give_numbers_back(self) -> None:
        """Have those numbers of jobs used at the next start that were reserved and not taken."""
        self._reserved = self._reserving = self.next_job
        self.write(JobNumbers(self.next_job), _nobody)

    def _are_reserved(self, below: int) -> None:
        self._reserved = below

    def add_job(self, row: JobRow) -> Job:
        """Take a job into memory; schedule it unless it has finished."""
        finished = row.cancelled_at is not None or (
            row.ended and row.counts.done + row.counts.failed == row.counts.total
        )
        job = self.jobs[row.job] = Job(row, -1, self.window)
        if not finished:
            self.schedule(job)
        return job

    def check_resources(self, options: Options) -> None:
        """Check that there is room for the resources that a job uses.

        Raises:
            OptionsError: unfinished jobs use too many others.
        """
        if not self.matching.has_room(needs_of(options)):
            text = f"unfinished jobs use {limits.RESOURCES_ASKED} resources at most"
            raise OptionsError(f"resources: {text}, and others have taken them")

    def schedule(self, job: Job) -> None:
        """Take a job into the scheduler that has, or may get, tasks to run.

        One that was submitted to an earlier dc is pinned to no archive: it gets what is in service.
        """
        if not job.row.plugin:
            plugin = self.types.plugin(job.row.type, job.row.version)
            job.row = structs.replace(job.row, plugin=plugin)
        options = job.options
        needs = needs_of(options)
        job.shipped = self.types.shipped(job.row.plugin) if job.row.plugin else None
        job.class_ = self.class_of(job)
        job.resources = [need.resources for need in needs]
        job.limits = [limits_of(options, need.resources) for need in needs]
        job.traceparent = trace_context.of_job(options.traceparent, self.server, job.number)
        self.scheduler.add_job(
            job.number,
            job.class_,
            options.priority,
            options.retries,
            crash_limit(options),
            self.submitters.enter(options.submitter),
            options.weight,
        )
        job.scheduled = True
        self.running[job.row.plugin] += 1
        self.hold(job)
        if options.inputs:
            self.on_scheduled(job)

    def class_of(self, job: Job) -> int:
        """Return the requirement class of a job, until `matching.release`."""
        kind = job.row.type, job.row.version
        return self.matching.class_of(*kind, needs_of(job.options), job.shipped)

    def signed(self, record: NewPlugin) -> None:
        """Let jobs go to those who trust the signer of an archive that was signed after they came.

        Whoever could run them before still can: it takes what nobody has signed.
        """
        if not record.signer or record.digest not in self.running:
            return
        for job in self.jobs.values():
            old = job.shipped
            if old is not None and old.plugin.digest == record.digest and not old.plugin.signer:
                by = {"signer": record.signer, "signature": record.signature}
                job.shipped = structs.replace(old, plugin=structs.replace(old.plugin, **by))
                job.changed = True
                self.matching.reship(old, job.shipped)

    def hold(self, job: Job) -> None:
        """Let a job be handed out, or not, as its holds say now."""
        job.changed = True
        if job.scheduled and job.holds.any:
            self.scheduler.hold_job(job.number)
        elif job.scheduled:
            self.scheduler.resume_job(job.number)

    def unschedule(self, job: Job) -> None:
        """Take a job that has no tasks left out of the scheduler."""
        if job.scheduled and not any(self.scheduler.job_counts(job.number)):
            self.scheduler.remove_job(job.number)
            self.matching.release(job.class_)
            job.scheduled = False
            self._leave_plugin(job.row.plugin)
            self.submitters.leave(job.options.submitter)
            job.forget_payloads()
            self.checkpointed.pop(job.number, None)
            self.on_unscheduled(job)
            if job.cancelled:
                self._remember_cancelled(job.number)

    def _leave_plugin(self, plugin: bytes) -> None:
        self.running[plugin] -= 1
        if not self.running[plugin]:
            del self.running[plugin]

    def _remember_cancelled(self, number: int) -> None:
        self.cancelled[number] = None
        if len(self.cancelled) > limits.CANCELLED_JOBS:
            del self.cancelled[next(iter(self.cancelled))]

    def counts(self, job: Job) -> Counts:
        """Return a job's counts by state."""
        if not job.scheduled:
            return job.counts(0, 0, 0)
        queued, delayed, assigned, running = self.scheduler.job_counts(job.number)
        return job.counts(queued + delayed, assigned, running)

    def state(self, job: Job) -> tuple[str, Counts, str]:
        """Return a job's state, its counts, and a note on why nothing of it runs, or nothing."""
        counts = self.counts(job)
        return self.state_of(job, counts), counts, self._note(job, counts)

    def state_of(self, job: Job, counts: Counts | None = None) -> str:
        """Return a job's state alone; from its counts, where these are at hand."""
        return job_state(job.ended, job.cancelled, counts or self.counts(job), self._held(job))

    def _held(self, job: Job) -> str:
        """Return `paused` or `waiting`, if a job is that."""
        return job.holds.state or ("waiting" if self.waits_for_others(job) else "")

    def waits_for_others(self, job: Job) -> bool:
        """Whether all that is left of a job waits for single tasks of another one."""
        left = any(self.scheduler.job_counts(job.number)) if job.scheduled else True
        return job.tail.closed and not left

    def _note(self, job: Job, counts: Counts) -> str:
        if job.cancelled:
            return job.why
        if job.deserted:
            how = f"go on under its key {job.row.key}, or cancel it" if job.row.key else "cancel it"
            return f"its submitter is gone after {job.total} tasks: {how}"
        if held := self.why_held(job):
            return held
        if counts.queued and not counts.assigned and not counts.running:
            return self.why(job)[:NOTE_CHARS]
        return ""

    # --- outcomes -------------------------------------------------------------------------------

    def record(
        self,
        job: Job,
        worker: str,
        numbers: list[int],
        attempts: list[int],
        times: list[float],
        outcomes: list[Outcome],
    ) -> None:
        """Write outcomes down, count them, and tell those who wait once they are on disk."""
        failed, weight = 0, weigh(outcomes)
        size = stored_size(outcomes) if weight.others else weight.bytes
        self.usage.count(job, size)
        if weight.others:
            failed = sum(isinstance(outcome, Failure) for outcome in outcomes)
        job.failed += failed
        job.done += len(numbers) - failed
        job.changed = True
        self.rate.add(len(numbers), self.now)
        self.counters.record(outcomes, failed, size)
        if worker:
            self.counters.ran(job.row.type, times)
        if job.number in self.checkpointed:
            self._forget_checkpoints(job.number, numbers)
        start = 0
        for stop, _ in portions(outcomes, OUTCOME_BYTES, outcome_size):
            part = slice(start, stop)
            record = Outcomes(
                self._next_sequence,
                job.number,
                worker,
                self.wall,
                numbers[part],
                attempts[part],
                times[part],
                outcomes[part],
            )
            self._next_sequence += 1
            self.write(record, partial(self._recorded, job, record))
            start = stop
        self.after_writes(partial(self.look_at_end, job))

    def _forget_checkpoints(self, job: int, numbers: list[int]) -> None:
        having = self.checkpointed[job]
        having.difference_update(numbers)
        if not having:
            del self.checkpointed[job]

    def _recorded(self, job: Job, record: Outcomes) -> None:
        job.recorded += len(record.numbers)
        job.commits += 1
        job.last_sequence = record.sequence
        self.on_outcomes(job, record)

    def note_attempts(self, job: int, tries: Iterable[tuple[int, int, int, int]]) -> None:
        """Write down (number, attempt, crashes, failures) of tasks that go back to the queue."""
        columns = (list(column) for column in zip(*tries, strict=True))
        numbers, attempts, crashes, failures = columns
        attempts = [min(attempt, MOST_ATTEMPTS) for attempt in attempts]
        self.write(Attempts(job, numbers, attempts, crashes, failures), lambda: None)

    # --- what is shown --------------------------------------------------------------------------

    @property
    def may_assign(self) -> bool:
        """Whether tasks may be handed out: not while their results could not be written down."""
        return not self.trouble and not self.stalled

    def refuse(self, code: str, count: int = 1) -> None:
        """Count answers of workers that are not taken, under the code of their error."""
        self.refusals[code] += count

    def look_at_end(self, job: Job) -> None:
        """Tell those who wait, if the job has finished."""
        if job.finished:
            self.unschedule(job)
            self.counters.jobs[job_state(job.ended, job.cancelled, job.counts(0, 0, 0))] += 1
            self.on_finished(job)

    def validate(self) -> None:
        """Check what must always hold of jobs; AssertionError says what does not."""
        self.scheduler.validate()
        self.submitters.validate()
        self.matching.validate()
        self.usage.validate()
        resident = 0
        for job in self.jobs.values():
            assert job.recorded <= job.done + job.failed <= job.total, f"job {job.number}: counts"
            in_scheduler = sum(self.scheduler.job_counts(job.number)) if job.scheduled else 0
            if not job.cancelled:
                missing = job.total - job.done - job.failed
                known = in_scheduler + job.tail.count
                assert known == missing, f"job {job.number}: {known} != {missing}"
            job.validate()
            resident += job.at_hand.size
        assert resident == self.window.used, "the window of payloads does not add up"


def limits_of(options: Options, resources: dict[str, float]) -> Limits:
    """Return the limits of a job's tasks: who needs so much memory may use so much, and no more."""
    if "memory" in resources and "memory" not in options.limits:
        return {**options.limits, "memory": max(1, int(resources["memory"]))}
    return options.limits


def _nobody(*_: object) -> None:
    """Stand in for a side that is not there."""


def named_jobs(numbers: Sequence[int]) -> str:
    """Return what a few jobs are called in a sentence."""
    shown = ", ".join(str(number) for number in numbers[:NAMED_JOBS])
    more = f" and {len(numbers) - NAMED_JOBS} more" if len(numbers) > NAMED_JOBS else ""
    return f"job{'s' if len(numbers) > 1 else ''} {shown}{more}"


def utc(unix: float) -> str:
    """Return a Unix time for people."""
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def outcome_size(outcome: Outcome) -> int:
    """Return about how many bytes an outcome takes in a message."""
    if isinstance(outcome, Failure):
        return 64 + len(outcome.error) + len(outcome.traceback)
    return 64 if isinstance(outcome, Blob) else OUTCOME_BYTES + len(outcome)


def outcomes_size(outcomes: list[Outcome]) -> int:
    """Return about how many bytes outcomes take in a message."""
    return total(outcomes, OUTCOME_BYTES, outcome_size)
