"""The half of the worker's reactor that runs tasks: slots, batches, time limits, deaths.

An executor gets as many tasks of one job at a time as take about EXECUTOR_BATCH_SECONDS, measured;
while they are short, a second batch is sent ahead, so that it never waits for the agent. When a
task takes long, the executor gives those behind it back (Busy), and others get them.

Who is to blame for a death: if one task was without an outcome, it. If several were, nobody yet:
each of them is run alone from now on. An executor that was killed from here has no one to blame but
the task it was killed for.

A task that is to stop, for it was cancelled or its time is over, is told so first (Interrupt), and
may end by itself. If it has not after a short grace, its executor is killed.

An executor that retires runs nothing more, says what it has done, and is replaced; so is an idle
one whose last tasks have set what the next ones must not see. Nobody is to blame for either.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from dc import limits, limits_plugins, limits_worker
from dc.messages_parts import Failure
from dc.messages_worker import Running
from dc.pipe import Busy, Halt, Loaded, Ran, Retire
from dc.worker.amounts import Amounts
from dc.worker.board import Board
from dc.worker.events import (
    ClearFolder,
    Exceeded,
    Execute,
    Interrupt,
    Kill,
    StartExecutor,
)
from dc.worker.outcomes import take_outcomes
from dc.worker.passing import Passing
from dc.worker.slots import Current, Slot, State, places_in, stopped_in
from dc.worker.suspending import Suspending
from dc.worker.tasks import Chunk, Job


class Executors:
    """The slots of a worker.

    Args:
        board: what is shared with the other half.
        count: how many slots there are.
        scratch: the path of the folder for files.
        amounts: what the worker has, and what of it slots use.

    Attributes:
        suspending: has all of them stand still.
    """

    def __init__(self, board: Board, count: int, scratch: str, amounts: Amounts) -> None:
        self._board = board
        self._scratch = scratch
        self._amounts = amounts
        self._slots = [Slot(index, scratch) for index in range(count)]
        self._passing = Passing(board, self._slots, amounts)
        self.suspending = Suspending(board, self._slots, self._kill)
        self._leaving = False

    @property
    def alive(self) -> int:
        """The number of processes."""
        return sum(slot.state is not State.RESTING for slot in self._slots)

    @property
    def all_idle(self) -> bool:
        """Whether no executor has anything to do."""
        return not any(slot.batches for slot in self._slots)

    def busy(self) -> list[int]:
        """Return the slots that have something to do."""
        return [slot.index for slot in self._slots if slot.batches]

    @property
    def given(self) -> int:
        """The number of tasks that executors have."""
        return sum(slot.unfinished for slot in self._slots)

    # --- giving tasks ---------------------------------------------------------------------------

    def start(self) -> None:
        """Start all executors."""
        for slot in self._slots:
            self._start(slot)

    def resize(self, count: int) -> None:
        """Have so many slots from now on; those above finish what they have, and end."""
        for index in range(len(self._slots), count):
            self._slots.append(Slot(index, self._scratch))
        for slot in self._slots:
            slot.closing = slot.index >= count
            if slot.state is State.RESTING:
                self._start_if_due(slot)
            self._close_if_idle(slot)

    def _close_if_idle(self, slot: Slot) -> None:
        alive = slot.state in (State.STARTING, State.READY)
        if slot.closing and alive and not slot.batches:
            self._kill(slot)

    def _start_if_due(self, slot: Slot) -> None:
        wanted = not (self._leaving or slot.closing or self.suspending.is_on)
        if wanted and slot.start_at <= self._board.now:
            self._start(slot)

    def _start(self, slot: Slot) -> None:
        slot.start()
        self._board.out.append(StartExecutor(slot.index))

    def ready(self, index: int) -> None:
        """Take an executor that waits for tasks."""
        if self._slots[index].state is State.STARTING:
            self._slots[index].state = State.READY

    def dispatch(self) -> None:
        """Give waiting tasks to idle executors, then a batch ahead to those with short ones."""
        queue = self._board.queue
        self._release()
        if self.suspending.is_on:
            return
        for slot in self._slots:
            if not self._passing.admits():
                break
            if slot.is_idle and self._passing.suits(slot, queue.head()):
                self._give(slot, queue.head())
        for slot in self._slots:
            if not queue:
                return
            if slot.is_idle:
                self._pass(slot)
            elif slot.takes_ahead(queue.head()):
                self._give(slot, queue.head())

    def _pass(self, slot: Slot) -> None:
        """Have an executor that the first task does not suit be of other use, or replace it."""
        chunk, stays = self._passing.choose(slot)
        if chunk is not None:
            self._give(slot, chunk)
        elif not stays:
            self._kill(slot)  # its successor suits

    def current(self, index: int) -> Current | None:
        """Return the task for which an executor was killed, or else the one that it runs.

        Only if that is certain.
        """
        slot = self._slots[index]
        return slot.culprit or slot.current()

    def running(self) -> Iterator[tuple[int, Current]]:
        """Yield the tasks that are certain to run, each with its slot's number."""
        for slot in self._slots:
            current = slot.current()
            if current is not None:
                yield slot.index, current

    def _give(self, slot: Slot, chunk: Chunk) -> None:
        board, queue = self._board, self._board.queue
        cards = self._amounts.take(slot.index, chunk.resources)
        if not slot.suits(chunk.job, cards):
            self._amounts.give_back(slot.index)
            self._kill(slot)  # its successor suits
            return
        batch = queue.take_batch() if chunk is queue.head() else queue.take_behind(chunk)
        run = slot.give(batch, board.now, cards)
        board.out.append(Execute(slot.index, run))

    def _release(self) -> None:
        """Free the amounts of slots that have nothing to do, and of which no process may run on."""
        for index in self._amounts.users:
            slot = self._slots[index]
            if not slot.batches and slot.state is not State.DYING:
                self._amounts.give_back(index)

    # --- outcomes -------------------------------------------------------------------------------

    def said(self, index: int, message: Ran | Busy | Retire) -> None:
        """Take what an executor reports."""
        slot = self._slots[index]
        if isinstance(message, Retire):
            self._retire(slot, message)
            return
        if isinstance(message, Busy):
            for chunk in slot.give_back(message, self._board.now):
                self._requeue(chunk)
            self._check(slot)
            return
        had_dead = slot.has_dead
        finished, fits = slot.finish(message, self._board.now)
        times, start = slot.own_times(message.times), 0
        for chunk in finished:
            stop = start + len(chunk.numbers)
            some, outcomes = times[start:stop], message.outcomes[start:stop]
            chunk.job.learn(some)
            take_outcomes(self._board, chunk, some, outcomes, all_live=not had_dead)
            start = stop
        if not fits and slot.state is State.READY:
            slot.suspect = "it reported tasks that it was not given"
            self._kill(slot)
        self._close_if_idle(slot)

    def _requeue(self, chunk: Chunk, *, alone: bool = False) -> None:
        """Put tasks that have no outcome back to where they were."""
        alive = chunk.live()
        if alive is not chunk:
            self._board.release(chunk.job, chunk.dead_files())
        alive.alone = alive.alone or alone
        if self._leaving:
            self._board.return_chunk(alive)
        else:
            self._board.enqueue(alive)

    def loaded(self, index: int, message: Loaded) -> None:
        """Take note that an executor has imported a plugin, or cannot."""
        slot = self._slots[index]
        if slot.loading == message.plugin:
            slot.has_loaded(self._board.now)
        job = self._board.jobs.get(message.job)
        if message.error and job is not None and job.plugin is not None:
            self._board.plugins.doubt(job.plugin)
        self._check(slot)

    def _check_loading(self, slot: Slot) -> None:
        """Kill an executor whose plugin is never imported, and give the plugin up."""
        if self._board.now - slot.progress < limits_plugins.PLUGIN_LOAD_SECONDS:
            return
        self._kill(slot)
        plugin = slot.batches[0].job.plugin
        if plugin is not None:
            text = f"its import took longer than {limits_plugins.PLUGIN_LOAD_SECONDS:g} s"
            self._board.give_up_plugin(plugin, text)

    def _retire(self, slot: Slot, message: Retire) -> None:
        """Replace an executor that asks for it, and take back what it has not begun."""
        if slot.state is not State.READY:
            return
        for chunk in slot.take_all():
            self._requeue(chunk)
        if message.left:
            self._board.say(f"executor {slot.index} is replaced: {message.reason}")
        slot.achieved = True
        self._kill(slot)

    # --- watching -------------------------------------------------------------------------------

    def tick(self) -> None:
        """Look at what runs, and start executors whose pause is over."""
        for slot in self._slots:
            if slot.batches:
                self._check(slot)
            elif slot.state is State.RESTING:
                self._start_if_due(slot)

    def report_again(self) -> None:
        """Tell the server of what runs, for it may have forgotten."""
        for slot in self._slots:
            slot.reported = False
            if slot.batches:
                self._check(slot)

    def bury(self, job: Job) -> None:
        """Stop the attempts of a job that are not held any more."""
        for slot in self._slots:
            mine = [chunk for chunk in slot.batches if chunk.job is job]
            if any(chunk.live() is not chunk for chunk in mine):
                slot.has_dead = True
                self._check(slot)

    def stopped(self, job: Job) -> set[tuple[int, int]]:
        """Return (number, attempt) of a job's stopped attempts that executors still have."""
        return set(stopped_in(self._slots, job))

    def _check(self, slot: Slot) -> None:
        """Kill an executor that must not go on; report a task that runs for long."""
        if slot.state is not State.READY or not slot.batches:
            return
        if slot.loading:
            self._check_loading(slot)
            return
        current = slot.current()
        if slot.has_dead and current is not None and not current.is_live:
            self._halt(slot, current, Failure("cancelled", "stopped"), limits_worker.STOP_SECONDS)
        elif slot.has_dead and current is None and self._runs_in_vain(slot):
            self._kill(slot)
        elif current is None:
            self._check_silent(slot)
        else:
            self._check_current(slot, current)

    def _runs_in_vain(self, slot: Slot) -> bool:
        """Whether what runs was stopped, or may have been and nothing is heard."""
        if not any(chunk.live().numbers for chunk in slot.batches):
            return True
        return self._board.now - slot.progress >= limits_worker.STOP_SECONDS

    def _halt(self, slot: Slot, current: Current, why: Failure, seconds: float) -> None:
        """Have a task stop by itself; kill its executor if it has not after so many seconds."""
        by = self._board.now + seconds
        if slot.culprit is None:
            slot.culprit, slot.verdict, slot.halt_by = current, why, by
            task = current.job.number, current.number, current.attempt
            self._board.out.append(Interrupt(slot.index, Halt(*task, why.kind, why.error)))
        elif self._board.now >= slot.halt_by:
            slot.verdict = Failure(why.kind, f"{why.error} and was killed")
            self._kill(slot)
        else:
            slot.halt_by = min(slot.halt_by, by)

    def _check_silent(self, slot: Slot) -> None:
        """Kill an executor that has not said for too long which of its tasks it runs."""
        timeout = slot.batches[0].job.timeout
        silent = self._board.now - slot.progress
        if timeout and silent >= timeout + limits_worker.UNHEARD_SECONDS:
            slot.suspect = f"it was silent for {silent:.1f} s"
            self._kill(slot)

    def _check_current(self, slot: Slot, current: Current) -> None:
        board, job = self._board, current.job
        elapsed = max(0.0, board.now - current.since)
        if job.timeout and elapsed >= job.timeout:
            text = f"ran longer than its time limit of {job.timeout:g} s"
            self._halt(
                slot, current, Failure("timeout", text), limits_worker.TIME_LIMIT_GRACE_SECONDS
            )
        elif elapsed >= limits.RUNNING_REPORT_SECONDS and board.can_send and not slot.reported:
            slot.reported = True
            board.send(Running(job.number, [current.number], [current.attempt], [elapsed]))

    def exceeded(self, event: Exceeded) -> None:
        """Kill an executor whose task uses more than it may."""
        slot = self._slots[event.executor]
        if slot.state is not State.READY or not slot.batches:
            return
        culprit = slot.current()
        if event.running is not None:
            culprit = slot.find(*event.running)
            if culprit is None:
                return  # it is over, and others run
        if culprit is None:
            slot.suspect = event.text
        else:
            slot.culprit, slot.verdict = culprit, Failure(event.kind, event.text)
        self._kill(slot)

    def _kill(self, slot: Slot) -> None:
        slot.state, slot.suspended = State.DYING, False
        self._board.out.append(Kill(slot.index))

    # --- deaths ---------------------------------------------------------------------------------

    def died(self, index: int, text: str, kind: str) -> None:
        """Take note that an executor's process is gone, and all that it had started."""
        slot = self._slots[index]
        was_killed = slot.state is State.DYING
        text = f"{slot.suspect}; {text}" if slot.suspect else text
        chunks = slot.take_all()
        count = sum(len(chunk.numbers) for chunk in chunks)
        if slot.culprit is not None and slot.verdict is not None:
            self._convict(chunks, slot.culprit, slot.verdict)
        elif count == 1 and (not was_killed or (slot.suspect and chunks[0].alone)):
            failure = Failure(kind, f"its executor died: {text}"[: limits.ERROR_CHARS])
            self._fail(chunks[0], slot.progress, failure)
        else:
            for chunk in chunks:
                self._requeue(chunk, alone=not was_killed or bool(slot.suspect))
        self._clear(slot)
        slot.rest(self._board.now, blameless=was_killed and not slot.suspect)
        if not was_killed or slot.suspect:
            pause = slot.start_at - self._board.now
            when = f"in {pause:.1f} s" if pause else "at once"
            self._board.say(f"executor {index} died: {text}; the next one starts {when}")
        self._start_if_due(slot)

    def _convict(self, chunks: list[Chunk], culprit: Current, verdict: Failure) -> None:
        """Fail the task for which an executor was killed; put the others back."""
        for chunk in chunks:
            rows = range(len(chunk.numbers))
            is_it = [chunk.job is culprit.job and one == culprit.number for one in chunk.numbers]
            guilty = chunk.pick([at for at in rows if is_it[at]])
            if guilty.numbers:
                self._fail(guilty, culprit.since, verdict)
            self._requeue(chunk.pick([at for at in rows if not is_it[at]]))

    def _fail(self, chunk: Chunk, since: float, failure: Failure) -> None:
        """Fail the one task of a chunk, if it is still held."""
        self._board.remove_payloads(chunk)
        chunk = chunk.live()
        if chunk.numbers:
            time = max(0.0, self._board.now - since)
            row = chunk.numbers[0], chunk.attempts[0]
            self._board.add_failure(chunk.job, *row, time, failure)

    def _clear(self, slot: Slot) -> None:
        """Remove what the dead process has left, but for results still to be put."""
        board = self._board
        keep = [path for path in board.result_files() if path.startswith(slot.folder + "/")]
        board.out.append(ClearFolder(slot.folder, keep))

    # --- another server, the end ----------------------------------------------------------------

    def begin_anew(self) -> None:
        """Kill the executors that had tasks, for those of another server: theirs are let go of."""
        for slot in self._slots:
            slot.has_dead = bool(slot.batches)
            if slot.state is State.READY and slot.is_used:
                self._kill(slot)

    def leave(self) -> None:
        """Kill all executors; what they have not finished is returned when they are gone."""
        self._leaving = True
        for slot in self._slots:
            if slot.state in (State.STARTING, State.READY):
                self._kill(slot)

    def return_rest(self) -> None:
        """Return what executors still have, though they are not gone yet."""
        for slot in self._slots:
            for chunk in slot.take_all():
                self._board.return_chunk(chunk)

    # --- looking --------------------------------------------------------------------------------

    def chunks(self) -> Iterator[Chunk]:
        """Yield what executors have."""
        return chain.from_iterable(slot.batches for slot in self._slots)

    def places(self) -> Iterator[tuple[int, int, int]]:
        """Yield (job, number, attempt) of all that executors have, held or not."""
        return places_in(self.chunks(), self._board.jobs)

    def validate(self) -> None:
        """Check what must hold between two events."""
        for slot in self._slots:
            slot.validate()
        if not (self._leaving or self.suspending.is_on) and self._board.queue:
            blocked = not self._amounts.fits(self._board.queue.head().resources)
            idle = any(slot.is_idle for slot in self._slots)
            waits = blocked or self._passing.is_waiting()
            assert waits or not idle, "tasks wait, executors idle"
        self._amounts.validate()
