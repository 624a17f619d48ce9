"""Which attempts are whose: what a worker keeps while it is away, and what it finds on its return.

Theory of operation
-------------------
An attempt is *with* a worker from being given out until its outcome, and only the worker that has
a task's newest attempt is listened to. A lost connection changes nothing of that. The worker is
away, gets no more, and keeps what it has: each task for the grace of its job, counted from when
the worker was last heard. Then these tasks *lapse*: they are queued again with their age, and what
the worker may have been running counts a crash. Whose they were is remembered, so that a result
that comes late is still taken if nobody else has got the task by then.

A worker that comes back says what it holds (Held), and the list ends with its first other message:

- What it names and is its own goes on.
- What it names and has lapsed, and nobody else has got since, is its own again; likewise what was
  given to it before the server restarted and has not been given out since.
- Anything else that it names it is told to stop.
- What is its own and it does not name was lost on the way to it, if this is still the same process
  (`run`): it is queued again. If it is another process, the task went down with the last one,
  and may be what brought it down: that counts a crash.

Short tasks cost the disk nothing: that an attempt is with a worker is written down when the worker
reports it as running. So a server that restarts knows which worker has what takes long, and holds
the tasks for it from the first moment on, like for any worker that is away. What is shorter it
takes to be queued; the worker that comes back before they are given out again has them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from dc import limits
from dc._core import ASSIGNED
from dc.errors import AlreadyDone, JobCancelled, NotHeld, StaleAttempt, UnknownTask
from dc.messages_client import Options
from dc.messages_parts import Failure
from dc.messages_worker import About
from dc.records import Leases as Leased
from dc.records import Unfinished
from dc.server.attempts import AttemptNotes
from dc.server.board import Board
from dc.server.event_log import SERVER, counted
from dc.server.jobs import Job
from dc.server.retries import crash_limit
from dc.server.roster import Roster, Worker


class Lapsed:
    """Whose the newest attempt of a task was, where its lease has lapsed; the newest `limit`."""

    def __init__(self, limit: int = limits.LAPSED_ATTEMPTS) -> None:
        self._limit = limit
        self._count = 0
        self._attempts: dict[tuple[str, int], dict[int, int]] = {}

    def add(self, key: str, job: int, rows: Iterable[tuple[int, int]]) -> None:
        """Remember (number, attempt) of a worker; what is oldest is forgotten."""
        mine = self._attempts.pop((key, job), {})
        before = len(mine)
        mine.update(rows)
        if mine:
            self._attempts[key, job] = mine
            self._count += len(mine) - before
        while self._count > self._limit:
            oldest = next(iter(self._attempts))
            self._count -= len(self._attempts.pop(oldest))

    def has(self, key: str, job: int, number: int, attempt: int) -> bool:
        """Whether this attempt was this worker's."""
        return self._attempts.get((key, job), {}).get(number) == attempt

    def discard(self, key: str, job: int, number: int) -> None:
        """Forget an attempt, if it is there."""
        mine = self._attempts.get((key, job), {})
        if mine.pop(number, None) is not None:
            self._count -= 1
        if not mine:
            self._attempts.pop((key, job), None)

    def __len__(self) -> int:
        return self._count


class Leases:
    """Keeps tasks for workers that are away, and settles who has what when they come back.

    Args:
        board: where jobs and the scheduler are.
        roster: the workers.
        attempts: where it is noted what becomes of them.
    """

    def __init__(self, board: Board, roster: Roster, attempts: AttemptNotes) -> None:
        self._board = board
        self._attempts = attempts
        self._scheduler = board.scheduler
        self._roster = roster
        self.lapsed = Lapsed()
        self._doubtful: dict[int, Worker] = {}

    # --- going away -----------------------------------------------------------------------------

    def lost(self, worker: Worker, heard: float) -> None:
        """Note that a worker's connection is lost; `heard` is when it last gave a sign of life.

        One that is lost again before it has said what it holds has not renewed its leases.
        """
        if worker.ready:
            worker.heard = heard
        self._roster.disconnect(worker)
        self._look_after(worker)
        if worker.key in self._roster.away:
            text = f"worker {worker.name} is away: its connection is lost, its tasks wait for it"
            self._note("worker.away", worker, lambda: text)

    def _look_after(self, worker: Worker) -> None:
        """Note for how long a worker that is away keeps what; forget it if that is nothing."""
        graces = {}
        for number in self._scheduler.jobs_of(worker.id):
            graces[number] = grace_of(self._board.jobs[number].options)
        worker.graces = graces
        if not graces:
            self._roster.remove(worker)

    def expire(self) -> None:
        """Let tasks go elsewhere whose workers have been away for too long."""
        for worker in list(self._roster.away.values()):
            silent = self._board.now - worker.heard
            if worker.graces and silent >= min(worker.graces.values()):
                late = [j for j in self._scheduler.jobs_of(worker.id) if silent >= worker.graces[j]]
                count = sum(len(self.take_back(worker, job, blame=True)) for job in late)
                self._note_lost(worker, count, silent)
                self._look_after(worker)
            elif not self._scheduler.worker_load(worker.id)[0]:
                self._roster.remove(worker)

    def _note_lost(self, worker: Worker, count: int, silent: float) -> None:
        tasks, name = counted(count, "task"), worker.name
        text = f"worker {name} has been away for {silent:,.0f} s: {tasks} of it go to others"
        self._note("worker.lost", worker, lambda: text)

    def _note(self, kind: str, worker: Worker, text: Callable[[], str]) -> None:
        self._board.log.note(kind, SERVER, text, worker=worker.name)

    def postpone(self, seconds: float) -> None:
        """Do not count the last `seconds` as silence: nobody could be heard."""
        for worker in self._roster.away.values():
            worker.heard = min(worker.heard + seconds, self._board.now)

    def give_up(self, worker: Worker, *, blame: bool, remember: bool = True) -> None:
        """Take all tasks of a worker at once, and forget it.

        Args:
            worker: the worker; it may be connected.
            blame: count a crash for each task that it may have been running.
            remember: take its results all the same while nobody else has got the task.
        """
        self._roster.disconnect(worker)
        for number in self._scheduler.jobs_of(worker.id):
            self.take_back(worker, number, blame=blame, remember=remember)
        self._roster.remove(worker)

    def take_back(
        self,
        worker: Worker,
        number: int,
        *,
        blame: bool,
        numbers: Sequence[int] | None = None,
        remember: bool = True,
    ) -> list[tuple[int, int]]:
        """Queue tasks of one job again that a worker has; return their (number, attempt).

        Those that have crashed too often by now are recorded as failed. Of a job that is being
        cancelled nothing is written down any more.

        Args:
            worker: the worker.
            number: the job.
            blame: count a crash for each task that it may have been running.
            numbers: only these tasks.
            remember: take its results all the same while nobody else has got the task.
        """
        job = self._board.jobs[number]
        job.changed = True
        back, failed = self._scheduler.lapse(worker.id, number, blame, numbers)
        if job.cancelled:
            return []
        if back:
            self._board.note_attempts(number, back)
            self._attempts.back(worker.name, number, back, "lost" if blame else "returned")
        if remember:
            self.lapsed.add(worker.key, number, [row[:2] for row in back])
        for task, attempt in failed:
            text = f"its worker was lost or its executor crashed {crash_limit(job.options)} times"
            failure = Failure("crashed", text)
            self._board.record(job, worker.name, [task], [attempt], [0.0], [failure])
        return [row[:2] for row in back]

    # --- coming back ----------------------------------------------------------------------------

    def named(
        self, worker: Worker, number: int, tasks: Sequence[int], attempts: Sequence[int]
    ) -> None:
        """Take what a worker says that it holds of a job; have it stop what is not its own."""
        mine: list[int] = []
        again: list[tuple[int, int]] = []
        wrong: list[tuple[int, int]] = []
        job = self.scheduled(number)
        for task, attempt in zip(tasks, attempts, strict=True):
            had = self.lapsed.has(worker.key, number, task, attempt)
            if job is not None and self._is_its_own(worker, job, task, attempt):
                mine.append(task)
                if had:
                    again.append((task, attempt))
            else:
                self._doubt(worker, number, task, attempt)
                wrong.append((task, attempt))
        if mine and not worker.ready:
            worker.named.setdefault(number, set()).update(mine)
        if again:
            self._note_again(worker, number, again)
        if wrong:
            numbers, stale = zip(*wrong, strict=True)
            self._roster.stop(worker.id, number, numbers, stale)

    def _doubt(self, worker: Worker, number: int, task: int, attempt: int) -> None:
        """Count what a worker names and does not have, at once or once its reports have come.

        It names what it has reported, too, for as long as it does not know that it is recorded.
        """
        code = self.refusal(worker, number, task, attempt)
        waits = worker.again and not worker.ready
        if waits and len(worker.doubts) < limits.LAPSED_ATTEMPTS:
            worker.doubts[number, task, attempt] = code
            self._doubtful[worker.id] = worker
        else:
            self._board.refuse(code)

    def count_doubts(self) -> None:
        """Count what workers named and do not have: their reports did not say why."""
        for worker in list(self._doubtful.values()):
            if worker.ready:
                for code in worker.doubts.values():
                    self._board.refuse(code)
                worker.doubts = {}
            if not worker.doubts or self._roster.by_id.get(worker.id) is not worker:
                del self._doubtful[worker.id]

    def _is_its_own(self, worker: Worker, job: Job, number: int, attempt: int) -> bool:
        if self._roster.holds(worker, job.number, number, attempt):
            return True
        return self.claim(worker, job, number, attempt)

    def scheduled(self, number: int) -> Job | None:
        """Return a job if any of its tasks may be with workers."""
        job = self._board.jobs.get(number)
        return job if job is not None and job.scheduled and not job.cancelled else None

    def claim(self, worker: Worker, job: Job, number: int, attempt: int) -> bool:
        """Give an attempt back to a worker that had it, if nobody else has got the task since."""
        known = self.lapsed.has(worker.key, job.number, number, attempt)
        before = self._scheduler.state(job.number, number)
        if not self._scheduler.adopt(worker.id, job.number, number, attempt, known):
            return False
        if not known and before is not None and before[1] == attempt and (before[2] or before[4]):
            worker.judged.add((job.number, number, attempt))
        self.lapsed.discard(worker.key, job.number, number)
        job.changed = True
        self._board.heads.assigned(job)
        return True

    def _note_again(self, worker: Worker, number: int, rows: list[tuple[int, int]]) -> None:
        """Write down that a worker is back with what had lapsed: its loss counts no more."""
        notes = []
        for task, attempt in rows:
            state = self._scheduler.state(number, task)
            assert state is not None
            notes.append((task, attempt, state[2], state[4]))
        self._board.note_attempts(number, notes)
        self.note(worker, number, rows)

    def settle(self, worker: Worker) -> None:
        """Take it that a worker has said all that it holds; from now on it may get tasks."""
        missing: dict[int, list[int]] = defaultdict(list)
        for job, number, _ in self._scheduler.held(worker.id):
            if number not in worker.named.get(job, ()):
                missing[job].append(number)
        for job, numbers in missing.items():
            self.take_back(worker, job, blame=worker.anew, numbers=numbers)
        worker.named = {}
        worker.anew = False
        worker.ready = True
        self._note_held(worker)

    def _note_held(self, worker: Worker) -> None:
        """Write down what a worker may be running: it may have said so while nobody heard it."""
        rows: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for job, number, attempt in self._scheduler.held(worker.id)[: worker.about.slots]:
            state = self._scheduler.state(job, number)
            if state is not None and state[0] == ASSIGNED:
                rows[job].append((number, attempt))
        for job, mine in rows.items():
            self.note(worker, job, mine)

    # --- on disk --------------------------------------------------------------------------------

    def note(self, worker: Worker, job: int, rows: Sequence[tuple[int, int]]) -> None:
        """Write down (number, attempt) of attempts that are with a worker, and take long."""
        numbers, attempts = (list(column) for column in zip(*rows, strict=True))
        self._board.write(Leased(job, worker.key, numbers, attempts), lambda: None)

    def restored(self, tasks: Unfinished) -> None:
        """Hold tasks for the workers that had them when the server ended; they are queued."""
        touched: dict[str, Worker] = {}
        for number, attempt, key in zip(tasks.numbers, tasks.attempts, tasks.workers, strict=True):
            worker = self._place_of(key) if key else None
            if worker is not None and worker.peer < 0:
                touched[key] = worker
                if self._scheduler.adopt(worker.id, tasks.job, number, attempt, True):
                    self._scheduler.start(worker.id, tasks.job, number, attempt, float("inf"))
        for worker in touched.values():
            self._look_after(worker)

    def _place_of(self, key: str) -> Worker:
        """Return the worker of a key; one that is known from the disk only is away."""
        worker = self._roster.by_key.get(key)
        if worker is None:
            worker = self._roster.add(About(self._roster.last_name(key), key, 0, [], {}))
            worker.heard = self._board.now
        return worker

    # --- what is refused ------------------------------------------------------------------------

    def refusal(self, worker: Worker, number: int, task: int, attempt: int) -> str:
        """Return the code of the error for an answer that is not taken.

        Args:
            worker: who gave it.
            number: the job.
            task: the task.
            attempt: the attempt that it is about.
        """
        job = self._board.jobs.get(number)
        if number in self._board.cancelled or (job is not None and job.cancelled):
            return JobCancelled.code
        if job is None:
            known = 0 < number < self._board.next_job
            return AlreadyDone.code if known else UnknownTask.code
        if task >= job.total:
            return UnknownTask.code
        if job.tail.has(task):
            return NotHeld.code
        state = self._scheduler.state(number, task) if job.scheduled else None
        if state is None:
            return NotHeld.code if job.tail.has(task) else AlreadyDone.code
        if self._roster.holds(worker, number, task, attempt):
            return AlreadyDone.code
        return StaleAttempt.code if attempt < state[1] else NotHeld.code

    # --- looking --------------------------------------------------------------------------------

    def lapses_in(self, worker: Worker) -> float | None:
        """Return after how many seconds the first tasks of a worker go elsewhere.

        None if it is connected.
        """
        if worker.peer >= 0 or not worker.graces:
            return None
        return max(0.0, worker.heard + min(worker.graces.values()) - self._board.now)

    def validate(self) -> None:
        """Check what must hold of those that are away."""
        for worker in self._roster.away.values():
            assert worker.peer < 0, "a worker is away and connected"
            slots = self._scheduler.worker_load(worker.id)[1]
            assert slots == 0, "a worker that is away has room"
            jobs = set(self._scheduler.jobs_of(worker.id))
            assert worker.graces.keys() >= jobs, "a task is kept for ever"


def grace_of(options: Options) -> float:
    """Return for how many seconds a worker that is away keeps tasks of a job."""
    if options.grace:
        return options.grace
    return limits.LONG_GRACE_SECONDS if options.long else limits.GRACE_SECONDS
