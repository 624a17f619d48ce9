"""The outside ledger of a simulation: what was told to whom, and what really ran.

It believes nobody: what clients were told comes from the messages that reached them, what ran from
the executors, what was given to whom from the server's own decisions, and what lasts from the
commits. The rules (dc/testing/rules.py) compare these with what the store has in the end; some are
checked at once, where the moment matters.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from msgspec import Struct

from dc.client.records import Finished
from dc.testing.plan import JobPlan, Plan
from dc.testing.process import Process
from dc.testing.trace import Trace

Task = tuple[int, int]  # a job and a number


class Violation(Struct, frozen=True):
    """A rule that was broken: in one sentence, and about which task (a negative number: none)."""

    rule: str
    task: Task = (-1, -1)


class Execution(Struct):
    """One run of a task in an executor. `how` is empty while it runs, then `done`, `error`,
    `crashed` or `killed`; `result` is what it returned."""

    process: Process
    job: int
    number: int
    attempt: int
    began: float
    submission: int
    how: str = ""
    ended: float = 0.0
    result: bytes = b""


class Given(Struct, frozen=True):
    """A task that the server gave to a worker, in which run of the server."""

    worker: str
    attempt: int
    run: int
    at: float


class Told(Struct):
    """What clients were told of one submission.

    `job` is -1 before the first Accepted, `submitted` before the submission has ended. `results`
    has each outcome that a client was given.
    """

    plan: JobPlan
    job: int = -1
    submitted: int = -1
    cancelling: bool = False
    stored: int = 0
    ended: bool = False
    complete: bool = False
    results: dict[int, Finished] = {}


class Ledger:
    """See the module.

    Args:
        plan: what is to happen.
        folder: where the run keeps its files.
        on_violation: called with the first broken rule.
    """

    def __init__(self, plan: Plan, folder: str, on_violation: Callable[[], None]) -> None:
        self.plan = plan
        self.trace = Trace(folder, lambda: self.violate("too much happens: it goes in circles"))
        self.violations: list[Violation] = []
        self.errors: list[BaseException] = []
        self._on_violation = on_violation
        self.told = {job.number: Told(job) for jobs in plan.clients for job in jobs}
        self.executions: dict[Task, list[Execution]] = defaultdict(list)
        self.given: dict[Task, list[Given]] = defaultdict(list)
        self.saved: dict[Task, set[bytes]] = defaultdict(set)  # checkpoints
        self.cancelled_at: dict[int, float] = {}  # when a client was first told so, by job
        self.retried: set[int] = set()  # jobs of which failed tasks ran again
        self.submission_of: dict[int, int] = {}  # by job, as committed
        self.tries: dict[tuple[int, int, str], int] = defaultdict(int)

    def violate(self, rule: str, job: int = -1, number: int = -1) -> None:
        """Note a broken rule."""
        self.violations.append(Violation(rule, (job, number)))
        self.trace.add("rule", rule, (job, number))
        self._on_violation()

    @property
    def now(self) -> float:
        """Seconds since the run began."""
        return self.trace.now

    # --- executors ------------------------------------------------------------------------------

    def started(
        self, process: Process, job: int, number: int, attempt: int, submission: int
    ) -> Execution:
        """Note that code of a task runs."""
        execution = Execution(process, job, number, attempt, self.now, submission)
        self.executions[job, number].append(execution)
        self.trace.add(str(process), "starts", (job, number), f"attempt {attempt}")
        return execution

    def ended(self, execution: Execution, how: str, result: bytes = b"") -> None:
        """Note that code of a task does not run any more."""
        if execution.how:
            return
        execution.how, execution.result, execution.ended = how, result, self.now
        self.tries[execution.submission, execution.number, how] += 1
        self.trace.add(str(execution.process), "ends", (execution.job, execution.number), how)

    # --- clients --------------------------------------------------------------------------------

    def accepted(self, submission: int, job: int) -> None:
        """Note the job that a client was told its submission became."""
        told = self.told[submission]
        if told.job != job and told.stored:
            self.violate(f"a submission that was job {told.job} is now another job", job)
        told.job = job

    def stored(self, submission: int, count: int, ended: bool) -> None:
        """Note that a client was told that so many tasks are on disk."""
        told = self.told[submission]
        told.stored = max(told.stored, count)
        told.ended = told.ended or ended

    def cancelled_job(self, job: int) -> None:
        """Note that a client was told that a job is cancelled."""
        self.cancelled_at.setdefault(job, self.now)
