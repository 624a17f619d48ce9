"""One slot of a worker: the state of its executor, and the tasks that it was given.

An executor runs its tasks in the order in which it got them and reports their outcomes in that
order. `batches` holds what it has not reported: the batch in hand and at most one sent ahead.

    RESTING  no process; starts again at `start_at`
    STARTING the process loads its plugins
    READY    it runs tasks or waits for them
    DYING    it was killed; what it had said before still arrives
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from dc import limits_plugins, limits_worker
from dc.messages_parts import Failure
from dc.pipe import Busy, Ran, Run
from dc.worker.code import Code
from dc.worker.tasks import Chunk, Job, Setting


class State(Enum):
    """Of an executor."""

    RESTING = "resting"
    STARTING = "starting"
    READY = "ready"
    DYING = "dying"


class Current(Struct, frozen=True):
    """The task that an executor runs, since a moment of the worker's clock."""

    job: Job
    number: int
    attempt: int
    since: float

    @property
    def is_live(self) -> bool:
        """Whether its attempt is still held."""
        return self.job.held.get(self.number) == self.attempt


class Slot:
    """One slot of a worker.

    Attributes:
        index: the slot's number.
        state: of its executor.
        batches: the tasks without an outcome.
        progress: when the executor last got something to do, or had done something.
        busy: the task that it said takes long.
        reported: whether the server knows that the current task is running.
        has_dead: whether attempts may be among `batches` that are not held any more.
        achieved: whether the process has finished a task.
        culprit: the task that was told to stop by itself, or for which the executor was killed.
        verdict: the failure of that task, however it ends.
        halt_by: when the executor is killed, if the culprit has not stopped.
        setting: what the tasks that it has run have set for good; None as long as it has run none.
        loaded: the folders of the plugins that its process was given to import.
        loading: the one that it imports at present; empty for none.
        adopted: what its process has taken into itself for good, see Code.adopts.
        suspect: why it was killed, if any of its tasks may be the reason.
        start_at: when a resting executor starts again.
        closing: whether it gets no more tasks, and ends once it has finished those that it has.
        suspended: whether its process stands still.
    """

    def __init__(self, index: int, scratch: str) -> None:
        self.index = index
        self.state = State.RESTING
        self.batches: deque[Chunk] = deque()
        self.progress = 0.0
        self.busy: Current | None = None
        self.reported = False
        self.has_dead = False
        self.achieved = False
        self.culprit: Current | None = None
        self.verdict: Failure | None = None
        self.halt_by = 0.0
        self.setting: Setting | None = None
        self.loaded: set[str] = set()
        self.loading = ""
        self.adopted = ""
        self.suspect = ""
        self.start_at = 0.0
        self.closing = False
        self.suspended = False
        self._stood = 0.0  # for how many seconds its current task has stood still
        self._pause = 0.0
        self._processes = 0
        self._scratch = scratch

    @property
    def folder(self) -> str:
        """The path of the folder for large results and scratch files of the present process."""
        return f"{self._scratch}/executor-{self.index}-{self._processes}"

    @property
    def is_idle(self) -> bool:
        """Whether it waits for tasks."""
        return self.state is State.READY and not self.batches and not self.closing

    @property
    def is_used(self) -> bool:
        """Whether its process was ever given a task."""
        return self.setting is not None

    def suits(self, job: Job, environment: dict[str, str]) -> bool:
        """Whether its executor can still be set up for tasks of a job, with this environment."""
        same = self.setting is None or self.setting == setting_of(job, environment)
        return same and (job.code is None or self._takes(job.code))

    def _takes(self, code: Code) -> bool:
        """Whether its process can import a plugin beside those that it has."""
        if code.adopts and self.adopted not in ("", code.adopts):
            return False
        return code.folder in self.loaded or len(self.loaded) < limits_plugins.EXECUTOR_PLUGINS

    def takes_ahead(self, head: Chunk) -> bool:
        """Whether a batch that begins like this may be sent ahead of the end of the one in hand."""
        if self.state is not State.READY or len(self.batches) != 1 or self.busy is not None:
            return False
        batch = self.batches[0]
        same = batch.job is head.job and not (batch.alone or head.alone)
        alike = same and batch.resources == head.resources
        return alike and head.job.is_short and not (self.has_dead or self.closing)

    @property
    def unfinished(self) -> int:
        """The number of tasks without an outcome."""
        return sum(len(chunk.numbers) for chunk in self.batches)

    def current(self) -> Current | None:
        """Return the task that runs, if that is certain."""
        if self.busy is not None:
            return self.busy
        if len(self.batches) == 1 and len(self.batches[0].numbers) == 1:
            chunk = self.batches[0]
            return Current(chunk.job, chunk.numbers[0], chunk.attempts[0], self.progress)
        return None

    # --- the process ----------------------------------------------------------------------------

    def start(self) -> None:
        """Note that a process is being started."""
        self.state = State.STARTING
        self._processes += 1
        self.achieved = self.suspended = False
        self._stood = 0.0
        self.suspect = ""
        self.culprit = self.verdict = self.setting = None
        self.loaded, self.loading, self.adopted = set(), "", ""

    def rest(self, now: float, *, blameless: bool) -> None:
        """Note that the process is gone; wait for longer if it achieved nothing."""
        self.state = State.RESTING
        if blameless or self.achieved:
            self._pause = 0.0
        else:
            doubled = max(2 * self._pause, limits_worker.EXECUTOR_PAUSE_SECONDS)
            self._pause = min(doubled, limits_worker.EXECUTOR_PAUSE_SECONDS_MOST)
        self.start_at = now + self._pause

    def stand_still(self, seconds: float) -> None:
        """Note that it has stood still for so long: that is no time of its task."""
        self._stood += seconds
        self.progress += seconds
        if self.busy is not None:
            self.busy = replace(self.busy, since=self.busy.since + seconds)

    def own_times(self, times: list[float]) -> list[float]:
        """Return the run times that its process says, without the time that it has stood still.

        Only the task that ran then has taken so long; outcomes may come of those before it.
        """
        stood, longest = self._stood, max(times, default=0.0)
        if not 0 < stood <= longest:
            return times
        self._stood = 0.0
        at = times.index(longest)
        return [*times[:at], longest - stood, *times[at + 1 :]]

    # --- tasks ----------------------------------------------------------------------------------

    def give(self, chunk: Chunk, now: float, environment: dict[str, str]) -> Run:
        """Take a batch in; return it as a message to the executor.

        The environment is what it is told beside that of the job: which cards are its own.
        """
        if not self.batches:
            self.progress = now
        self.batches.append(chunk)
        job = chunk.job
        self.setting = setting_of(job, environment)
        columns = chunk.numbers, chunk.attempts, chunk.payloads
        saved = job.checkpoints
        if saved:
            saved = {number: saved[number] for number in chunk.numbers if number in saved}
        confines = job.limits, {**job.environment, **environment}, chunk.resources
        run = job.number, job.type, job.version, self.folder, *columns, *confines, saved
        if job.code is None:
            return Run(*run, "", "", job.files, job.keep_output, job.traceparent, job.traced)
        self._load(job.code)
        code = job.code.folder, job.code.site
        return Run(*run, *code, job.files, job.keep_output, job.traceparent, job.traced)

    def _load(self, code: Code) -> None:
        if code.folder not in self.loaded:
            self.loaded.add(code.folder)
            self.loading = code.folder
        self.adopted = self.adopted or code.adopts

    def has_loaded(self, now: float) -> None:
        """Note that what it was to import is imported: its task begins now."""
        self.loading = ""
        self.progress = now
        self.busy = None

    def finish(self, ran: Ran, now: float) -> tuple[list[Chunk], bool]:
        """Take the tasks out that have an outcome.

        Returns:
            The tasks in order, and whether the message fits what the executor was given.
        """
        numbers, attempts = ran.numbers, ran.attempts
        finished: list[Chunk] = []
        start, total = 0, len(numbers)
        if not total == len(attempts) == len(ran.times) == len(ran.outcomes):
            return finished, False
        while start < total and self.batches:
            batch = self.batches[0]
            count = min(len(batch.numbers), total - start)
            part = slice(start, start + count)
            same = (
                batch.numbers[:count] == numbers[part] and batch.attempts[:count] == attempts[part]
            )
            if not same or batch.job.number != ran.job:
                break
            finished.append(self._take(count))
            start += count
        self._progressed(now)
        return finished, start == total

    def _take(self, count: int) -> Chunk:
        batch = self.batches.popleft()
        if count == len(batch.numbers):
            return batch
        head, rest = batch.split(count)
        self.batches.appendleft(rest)
        return head

    def _progressed(self, now: float) -> None:
        self.progress = now
        self.achieved = True
        self.loading = ""
        if self.busy is None or not self._has(self.busy):
            self.busy = None
            self.reported = False
        if self.culprit is not None and not self._has(self.culprit):
            self.culprit = self.verdict = None
        self.has_dead = self.has_dead and bool(self.batches)

    def _has(self, task: Current) -> bool:
        return any(chunk.job is task.job and task.number in chunk.numbers for chunk in self.batches)

    def give_back(self, busy: Busy, now: float) -> list[Chunk]:
        """Take the tasks out that the executor gives back, and note the one that it runs."""
        gone = set(zip(busy.unstarted, busy.unstarted_attempts, strict=False))
        back: list[Chunk] = []
        kept: deque[Chunk] = deque()
        for chunk in self.batches:
            rows = enumerate(zip(chunk.numbers, chunk.attempts, strict=True))
            mine = chunk.job.number == busy.job and bool(gone)
            at = {at for at, pair in rows if mine and pair in gone}
            rest = [one for one in range(len(chunk.numbers)) if one not in at]
            if at:
                back.append(chunk.pick(sorted(at)))
            if rest:
                kept.append(chunk.pick(rest) if at else chunk)
        self.batches = kept
        self._note_busy(busy, now)
        return back

    def _note_busy(self, busy: Busy, now: float) -> None:
        for chunk in self.batches:
            if chunk.job.number == busy.job and busy.number in chunk.numbers:
                # Never before the last progress: an executor's clock may have gone on in its sleep.
                since = max(now - busy.elapsed, self.progress)
                self.busy = Current(chunk.job, busy.number, busy.attempt, since)
                return

    def find(self, job: int, number: int) -> Current | None:
        """Return a task that it was given and that has no outcome."""
        for chunk in self.batches:
            if chunk.job.number == job and number in chunk.numbers:
                attempt = chunk.attempts[chunk.numbers.index(number)]
                return Current(chunk.job, number, attempt, self.progress)
        return None

    def take_all(self) -> list[Chunk]:
        """Take out all tasks without an outcome."""
        chunks = list(self.batches)
        self.batches.clear()
        self.busy = None
        self.reported = self.has_dead = False
        return chunks

    def validate(self) -> None:
        """Check what must hold at any time."""
        assert len(self.batches) <= 2, "more than one batch ahead"
        assert all(chunk.numbers for chunk in self.batches), "an empty batch"
        if self.state in (State.RESTING, State.STARTING):
            assert not self.batches, f"tasks of an executor that is {self.state.value}"
        if self.has_dead is False:
            assert all(chunk.live() is chunk for chunk in self.batches), "unnoticed dead attempts"
        if self.busy is not None:
            assert self._has(self.busy), "busy with what it was not given"
        if self.culprit is not None and self.state is State.READY:
            assert self._has(self.culprit), "stopping what it was not given"
        assert (self.culprit is None) == (self.verdict is None), "a verdict on nobody"


def setting_of(job: Job, environment: dict[str, str]) -> Setting:
    """Return what tasks of a job set for good in their executor, with this environment beside."""
    return (*job.setting, *sorted(environment.items())) if environment else job.setting


def stopped_in(slots: Iterable[Slot], job: Job) -> Iterator[tuple[int, int]]:
    """Yield (number, attempt) of a job's stopped attempts that executors still have."""
    for slot in slots:
        for chunk in slot.batches if slot.has_dead else ():
            if chunk.job is job:
                for pair in zip(chunk.numbers, chunk.attempts, strict=True):
                    if job.held.get(pair[0]) != pair[1]:
                        yield pair


def places_in(chunks: Iterable[Chunk], jobs: Mapping[int, Job]) -> Iterator[tuple[int, int, int]]:
    """Yield (job, number, attempt) of what is in chunks, held or not.

    What a dying executor still has of another server's jobs is left out: these are `jobs` no more.
    """
    for chunk in chunks:
        if jobs.get(chunk.job.number) is chunk.job:
            for number, attempt in zip(chunk.numbers, chunk.attempts, strict=True):
                yield chunk.job.number, number, attempt
