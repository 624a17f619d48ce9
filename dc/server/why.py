"""Why a task waits and why a worker idles: for each one true sentence.

Theory of operation
-------------------
A task that waits is asked about with one test after the other, and the first that has a reason
gives it; so it is with a worker that idles. The lists of tests are in the order of what has to be
out of the way first: what holds a job back, then what stops everybody, then whether any worker can
run it at all, takes anything now, is busy with what comes before, has a free slot, has enough free.

What is asked for by a person is looked at anew. What is told all the time, the notes on jobs that
clients watch, is taken from one look at everything, which is kept for NOTE_SECONDS.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from operator import attrgetter
from typing import Final, TypeAlias

from msgspec import Struct

from dc._core import ASSIGNED, DELAYED, QUEUED, RUNNING
from dc.requirements import CPUS, amount_text
from dc.server.board import Board
from dc.server.jobs import Job
from dc.server.reason import Reason, several
from dc.server.roster import Worker
from dc.server.shortage import short_amount, shortage, waiting_for
from dc.server.why_held import waiting_singly, why_held, why_task_held
from dc.server.workers import WorkerSide

NOTE_SECONDS: Final = 1.0
"""That a look at everything serves for notes: with ten thousand jobs it takes some milliseconds."""

TAKING: Final = ("connected", "trial")
"""States of workers that get tasks."""

JobTest: TypeAlias = Callable[[Job], Reason | None]
TaskTest: TypeAlias = Callable[[Job, int], Reason | None]
WorkerTest: TypeAlias = Callable[[Worker], Reason | None]


class Able(Struct, frozen=True):
    """The workers that can ever run a class; those that take tasks now; those with a free slot."""

    all: list[Worker]
    takers: list[Worker]
    open: list[Worker]
    slots: int
    taken: int
    groups: frozenset[int]


class Look:
    """Everything as it is at one moment, as far as anybody asks.

    Attributes:
        queued: by class, how many tasks of each priority may be handed out.
        waiting: the jobs that they are of.
        held_back: tasks of jobs of which nothing may be handed out.
    """

    def __init__(self, board: Board, workers: WorkerSide, held: JobTest) -> None:
        self.taken_at = board.now
        self.queued: defaultdict[int, Counter[int]] = defaultdict(Counter)
        self.held_back = 0
        self.waiting: list[Job] = []
        self._board = board
        self._workers = workers
        self._able: dict[int, Able] = {}
        self._ahead: dict[tuple[int, int], int] = {}
        for job in board.jobs.values():
            count = self._count(job)
            self.held_back += waiting_singly(job)
            if count and held(job) is not None:
                self.held_back += count
            elif count:
                self.waiting.append(job)
                self.queued[job.class_][job.options.priority] += count

    def _count(self, job: Job) -> int:
        if not job.scheduled or job.cancelled:
            return 0
        count = self._board.scheduler.job_counts(job.number)[0]
        return count + job.tail.count - waiting_singly(job)

    def able(self, class_: int) -> Able:
        """Return who can run a class."""
        found = self._able.get(class_)
        if found is None:
            found = self._able[class_] = self._find_able(class_)
        return found

    def _find_able(self, class_: int) -> Able:
        matching, load = self._board.matching, self._board.scheduler.worker_load
        count, name_of = self._board.scheduler.worker_taken, attrgetter("name")
        by_id = self._workers.roster.by_id
        all_ = [by_id[id_] for id_, _ in matching.able(class_) if id_ in by_id]
        takers = [one for one in all_ if self.takes(one)]
        slots = {one.id: load(one.id)[1] for one in takers}
        taken = {one.id: min(slots[one.id], count(one.id)) for one in takers}
        return Able(
            sorted(all_, key=name_of),
            sorted(takers, key=name_of),
            sorted((one for one in takers if taken[one.id] < slots[one.id]), key=name_of),
            sum(slots.values()),
            sum(taken.values()),
            frozenset(matching.groups(class_)),
        )

    def takes(self, worker: Worker) -> bool:
        """Whether a worker gets tasks if there are any."""
        return bool(worker.ready and self._board.scheduler.worker_load(worker.id)[1])

    def ahead(self, job: Job) -> int:
        """Return how many tasks of higher priority wait for any worker that can run the job."""
        key = job.class_, job.options.priority
        if key not in self._ahead:
            mine = self.able(job.class_).groups
            self._ahead[key] = sum(
                sum(count for priority, count in counts.items() if priority > key[1])
                for class_, counts in self.queued.items()
                if max(counts) > key[1] and not mine.isdisjoint(self.able(class_).groups)
            )
        return self._ahead[key]


class Whys:
    """Answers why. What waits for reasons of its own adds a test to one of the lists.

    Args:
        board: what the parts of the reactor share.
        workers: the workers' side.

    Attributes:
        task_tests: tests for what keeps one task of a job back.
        job_tests: all tests for a job whose tasks are queued, in order.
        worker_tests: all tests for a worker that holds nothing, in order.
    """

    def __init__(self, board: Board, workers: WorkerSide) -> None:
        self._board = board
        self._scheduler = board.scheduler
        self._workers = workers
        self.task_tests: list[TaskTest] = []
        self.job_tests: list[JobTest] = [
            self.held,
            self._stopped,
            self._impossible,
            self._absent,
            self._behind,
            self._inputs,
            self._busy,
            self._short,
            self._late,
            self._kept,
            self._next,
        ]
        self.worker_tests: list[WorkerTest] = [
            self._state,
            self._stopped,
            self._nothing_waits,
            self._nothing_fits,
            self._all_too_long,
            self._all_for_others,
            self._gets_some,
        ]
        self._look: Look | None = None
        self._crowd: object = None
        board.why = self._note
        board.why_held = self._note_of_holds
        board.warning = self.warning

    # --- questions ------------------------------------------------------------------------------

    def of_task(self, job: Job, number: int, *, fresh: bool = True) -> Reason | None:
        """Return why an unfinished task does not run; None if it runs, or never will.

        Args:
            job: its job, in memory.
            number: of the task.
            fresh: whether to look at everything anew.
        """
        if job.cancelled or not job.scheduled:
            return None
        state = None if job.tail.has(number) else self._scheduler.state(job.number, number)
        if state is None and not job.tail.has(number):
            return None
        if state is not None and state[0] in (ASSIGNED, RUNNING):
            return self._of_holder(job, state[0], state[3])
        if state is not None and state[0] == DELAYED:
            seconds = max(0.0, self._scheduler.due(job.number, number) - self._board.now)
            return Reason("delayed", f"tried again in {math.ceil(seconds)} s", {"seconds": seconds})
        assert state is None or state[0] == QUEUED
        whole = self.held(job)
        if (reason := why_task_held(job, number)) and (whole is None or whole.kind == "each"):
            return reason
        for test in self.task_tests:
            if (reason := test(job, number)) is not None:
                return reason
        return self.of_job(job, fresh=fresh)

    def of_job(self, job: Job, *, fresh: bool = True) -> Reason:
        """Return why the queued tasks of a job wait."""
        self._see(fresh)
        return next(reason for test in self.job_tests if (reason := test(job)) is not None)

    def of_worker(self, worker: Worker, *, fresh: bool = True) -> Reason | None:
        """Return why a worker holds nothing (by a `fresh` look, or the last); None if it does."""
        if self._scheduler.worker_load(worker.id)[0]:
            return None
        self._see(fresh)
        tests = self.worker_tests
        return next(reason for test in tests if (reason := test(worker)) is not None)

    def able(self, job: Job) -> Able:
        """Return who can run a job, as it was a moment ago."""
        self._see(fresh=False)
        return self._seen.able(job.class_)

    def warning(self, job: Job) -> str:
        """Return why none of the workers that are here can run a job; nothing if one can."""
        roster = self._workers.roster
        if not roster.by_key or not job.scheduled or any(self._board.matching.able(job.class_)):
            return ""
        return self._shortage(job).text

    def _note(self, job: Job) -> str:
        reason = self.of_job(job, fresh=False)
        return "" if reason.kind == "next" else reason.text

    def _see(self, fresh: bool) -> None:
        """Look at everything, unless the last look serves: nobody came or went since then."""
        now, counts = self._board.now, self._scheduler.statistics()
        crowd = counts.workers, counts.slots, counts.classes, len(self._board.jobs)
        old = self._look
        if fresh or old is None or crowd != self._crowd or now - old.taken_at >= NOTE_SECONDS:
            self._look, self._crowd = Look(self._board, self._workers, self.held), crowd

    @property
    def _seen(self) -> Look:
        assert self._look is not None, "a test is asked without a look"
        return self._look

    # --- tasks that are with a worker -----------------------------------------------------------

    def _of_holder(self, job: Job, state: int, id_: int) -> Reason | None:
        worker = self._workers.roster.by_id[id_]
        if worker.peer < 0:
            since = self._board.wall - (self._board.now - worker.heard)
            until = since + worker.graces.get(job.number, 0.0)
            text = (
                f"its worker {worker.name} is away since {clock(since)}, lease until {clock(until)}"
            )
            return Reason("away", text, {"worker": worker.name, "since": since, "until": until})
        if state == RUNNING:
            return None
        text = f"is with {worker.name}, which has not begun it or has not said so yet"
        return Reason("assigned", text, {"worker": worker.name})

    # --- jobs -----------------------------------------------------------------------------------

    def held(self, job: Job) -> Reason | None:
        """Return what keeps a whole job from being handed out."""
        return why_held(self._board, job)

    def _note_of_holds(self, job: Job) -> str:
        reason = self.held(job)
        return reason.text if reason is not None and reason.kind != "unsure" else ""

    def _stopped(self, _: object) -> Reason | None:
        if self._board.trouble:
            return Reason("trouble", f"nothing is handed out: {self._board.trouble}")
        if self._board.stalled:
            return Reason("stalled", "nothing is handed out: the disk does not keep up")
        return None

    def _impossible(self, job: Job) -> Reason | None:
        return None if self._seen.able(job.class_).all else self._shortage(job)

    def _shortage(self, job: Job) -> Reason:
        matching = self._board.matching
        known = [(one.name, one.about) for one in self._workers.roster.by_key.values()]
        return shortage(matching.wanted(job.class_), known, matching.may_run)

    def _absent(self, job: Job) -> Reason | None:
        able = self._seen.able(job.class_)
        if able.takers:
            return None
        states = Counter(map(self._state_word, able.all))
        figures = {"workers": len(able.all), "states": dict(states)}
        if len(able.all) == 1:
            text = f"the only worker that can run it, {able.all[0].name}, is {next(iter(states))}"
        else:
            counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
            text = f"none of the {len(able.all)} workers that can run it takes tasks now: {counts}"
        return Reason("absent", text, figures)

    def _state_word(self, worker: Worker) -> str:
        word = self._workers.state_of(worker)[0]
        if word == "connected" and worker.ready:
            return "about to leave"
        return {"sick": "set aside", "connected": "not ready yet"}.get(word, word)

    def _behind(self, job: Job) -> Reason | None:
        count = self._seen.ahead(job)
        text = f"behind {several(count, 'task')} of higher priority"
        return Reason("behind", text, {"tasks": count}) if count else None

    def _inputs(self, job: Job) -> Reason | None:
        return self._workers.inputs.why(job, self._workers.name_of)

    def _busy(self, job: Job) -> Reason | None:
        able = self._seen.able(job.class_)
        if able.taken < able.slots:
            return None
        count = len(able.takers)
        whose = f"the {count} workers" if count > 1 else f"the only worker, {able.takers[0].name},"
        if able.slots == 1:
            text = f"the one slot of {whose} that can run it is taken"
        else:
            text = f"all {able.slots:,} slots of {whose} that can run it are taken"
        return Reason("busy", text, {"slots": able.slots, "workers": count})

    def _short(self, job: Job) -> Reason | None:
        """Say of which resource no worker has enough free, or that none has enough of all."""
        rows = list(self._rows(job))
        if any(_is_enough(have, need) for _, have, need in rows):
            return None
        names = dict.fromkeys(name for _, _, need in rows for name in need)
        for name in sorted(names, key=lambda one: (one == CPUS, one)):
            most = max(have.get(name, 0) for _, have, _ in rows)
            if most < min(need.get(name, 0) for _, _, need in rows):
                return _too_little_free(name, rows)
        needs = ", ".join(amount_text(*one) for one in sorted(rows[0][2].items()))
        text = f"needs {needs}; no worker with a free slot that can run it has all of that free"
        return Reason("short together", text)

    def _rows(self, job: Job) -> Iterator[tuple[Worker, dict[str, int], dict[str, int]]]:
        """Yield the workers with a free slot, each with what it has free and what it takes."""
        for one in self._seen.able(job.class_).open:
            have = self._free(one)
            for need in self._needs(job, one):
                yield one, have, need

    def _late(self, job: Job) -> Reason | None:
        """Say that all that have room for it leave before it could be finished."""
        now, rows = self._board.now, self._rows(job)
        roomy = list(dict.fromkeys(one for one, *row in rows if _is_enough(*row)))
        if any(job.cost <= one.longest(now) for one in roomy):
            return None
        if len(roomy) == 1:
            left = math.ceil(roomy[0].until - now)
            whose = f"the only worker with room for it, {roomy[0].name}, leaves in {left} s"
        else:
            whose = f"the {len(roomy)} workers with room for it leave before that"
        text = f"its tasks take about {job.cost:.1f} s, and {whose}"
        return Reason("late", text, {"seconds": job.cost, "workers": len(roomy)})

    def _needs(self, job: Job, worker: Worker) -> Iterator[dict[str, int]]:
        matching = self._board.matching
        for at in matching.can_run(worker.id, job.class_):
            yield dict(matching.wanted(job.class_).needs[at].amounts)

    def _free(self, worker: Worker) -> dict[str, int]:
        free = self._scheduler.worker_free(worker.id)
        return self._board.matching.by_name(free)

    def _kept(self, job: Job) -> Reason | None:
        """Say that what is free is kept for others: small tasks must not keep large ones out."""
        if not any(
            self._scheduler.worker_saves(one.id) for one in self._seen.able(job.class_).open
        ):
            return None
        return Reason("kept", "what is free is kept for tasks whose turn comes before")

    def _next(self, _: Job) -> Reason:
        return Reason("next", "its turn comes next")

    # --- workers --------------------------------------------------------------------------------

    def _state(self, worker: Worker) -> Reason | None:
        word, note = self._workers.state_of(worker)
        if word not in TAKING:
            return Reason(word, note or word)
        if not worker.ready:
            return Reason("new", "it has not said yet what it holds")
        if worker.leaving or not worker.longest(self._board.now):
            return Reason("leaving", "it is about to leave, and takes nothing more")
        return None if self._seen.takes(worker) else Reason("no slots", "it has no slots")

    def _nothing_waits(self, _: Worker) -> Reason | None:
        if self._seen.queued:
            return None
        if self._seen.held_back:
            return Reason("held back", "all that waits is held back")
        return Reason("nothing", "nothing waits")

    def _nothing_fits(self, worker: Worker) -> Reason | None:
        matching = self._board.matching
        if any(matching.can_run(worker.id, class_) for class_ in self._seen.queued):
            return None
        waiting = [matching.wanted(one) for one in self._seen.queued]
        return waiting_for(worker.about, waiting, matching.may_run)

    def _all_too_long(self, worker: Worker) -> Reason | None:
        longest, can_run = worker.longest(self._board.now), self._board.matching.can_run
        for job in self._seen.waiting:
            if job.cost <= longest and can_run(worker.id, job.class_):
                return None
        left = math.ceil(worker.until - self._board.now)
        text = f"it leaves in {left} s, and all that waits and that it can run takes longer"
        return Reason("late", text, {"seconds": longest})

    def _all_for_others(self, worker: Worker) -> Reason | None:
        inputs, can_run = self._workers.inputs, self._board.matching.can_run
        for job in self._seen.waiting:
            if can_run(worker.id, job.class_) and inputs.is_for(job, worker.id):
                return None
        return Reason("inputs", "what waits goes first to workers that have its inputs")

    def _gets_some(self, _: Worker) -> Reason:
        return Reason("next", "it gets tasks next")


def _is_enough(have: dict[str, int], need: dict[str, int]) -> bool:
    return all(have.get(name, 0) >= count for name, count in need.items())


def _too_little_free(
    name: str, rows: list[tuple[Worker, dict[str, int], dict[str, int]]]
) -> Reason:
    least = min(need[name] for _, _, need in rows)
    nearest, have, _ = max(rows, key=lambda row: row[1].get(name, 0))
    most = have.get(name, 0)
    than = f"more than {short_amount(name, most)}" if most else "any"
    text = (
        f"needs {amount_text(name, least)}; no worker with a free slot that can run it has {than} "
        f"free (nearest: {nearest.name})"
    )
    figures = {"resource": name, "needs": least, "most": most, "nearest": nearest.name}
    return Reason("short", text, figures)


def clock(wall: float) -> str:
    """Return a Unix time as hours and minutes here, with the day if that is not certain."""
    return datetime.fromtimestamp(wall).astimezone().strftime("%H:%M")
