"""The half of the worker's reactor that runs tasks: slots, batches, time limits, deaths.

An executor gets as many tasks of one job at a time as take about EXECUTOR_BATCH_SECONDS, measured;
while they are short, a second batch is sent ahead, so that it never waits for the agent. When a
task takes long, the executor gives those behind it back (Busy), and others get them.

Who is to blame for a death: if one task was without an outcome, it. If several were, nobody yet:
each of them is run alone from now on. An executor that was killed from here has no one to blame but
the task it was killed for.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from dc import limits
from dc.messages import Blob, Failure, Running
from dc.pipe import Busy, InFile, Ran
from dc.worker.board import Board
from dc.worker.events import ClearFolder, Execute, Kill, RemoveFile, StartExecutor
from dc.worker.slots import Current, Slot, State
from dc.worker.tasks import Chunk, Job


class Executors:
    """The slots of a worker.

    Args:
        board: what is shared with the other half.
        count: how many slots there are.
        scratch: the path of the folder for files.
    """

    def __init__(self, board: Board, count: int, scratch: str) -> None:
        self._board = board
        self._scratch = scratch
        self._slots = [Slot(index, scratch) for index in range(count)]
        self._leaving = False

    @property
    def alive(self) -> int:
        """The number of processes."""
        return sum(slot.state is not State.RESTING for slot in self._slots)

    @property
    def all_idle(self) -> bool:
        """Whether no executor has anything to do."""
        return not any(slot.batches for slot in self._slots)

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
        if not (self._leaving or slot.closing) and slot.start_at <= self._board.now:
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
        for slot in self._slots:
            if not queue:
                return
            if slot.is_idle:
                self._give(slot)
        for slot in self._slots:
            if not queue:
                return
            if slot.takes_ahead(queue.head()):
                self._give(slot)

    def _give(self, slot: Slot) -> None:
        board = self._board
        run = slot.give(board.queue.take_batch(), board.now)
        board.out.append(Execute(slot.index, run))

    # --- outcomes -------------------------------------------------------------------------------

    def said(self, index: int, message: Ran | Busy) -> None:
        """Take what an executor reports."""
        slot = self._slots[index]
        if isinstance(message, Busy):
            for chunk in slot.give_back(message, self._board.now):
                self._requeue(chunk)
            self._check(slot)
            return
        had_dead = slot.has_dead
        finished, fits = slot.finish(message, self._board.now)
        start = 0
        for chunk in finished:
            stop = start + len(chunk.numbers)
            times, outcomes = message.times[start:stop], message.outcomes[start:stop]
            chunk.job.learn(times)
            self._take_outcomes(chunk, times, outcomes, all_live=not had_dead)
            start = stop
        if not fits and slot.state is State.READY:
            slot.suspect = "it reported tasks that it was not given"
            self._kill(slot)
        self._close_if_idle(slot)

    def _take_outcomes(
        self,
        chunk: Chunk,
        times: list[float],
        outcomes: list[bytes | InFile | Failure],
        *,
        all_live: bool,
    ) -> None:
        board = self._board
        board.remove_payloads(chunk)
        if all_live and set(map(type, outcomes)) == {bytes}:
            results: list[bytes | Blob] = outcomes  # type: ignore[assignment]  # all are bytes
            board.add_results(chunk.job, chunk.numbers, chunk.attempts, times, results)
            return
        rows = zip(chunk.numbers, chunk.attempts, times, outcomes, strict=True)
        for number, attempt, time, outcome in rows:
            self._take_outcome(chunk.job, number, attempt, time, outcome)

    def _take_outcome(
        self, job: Job, number: int, attempt: int, time: float, outcome: bytes | InFile | Failure
    ) -> None:
        board = self._board
        if job.held.get(number) != attempt:
            if isinstance(outcome, InFile):
                board.out.append(RemoveFile(outcome.path))
        elif isinstance(outcome, Failure):
            board.add_failure(job, number, attempt, time, outcome)
        elif isinstance(outcome, InFile):
            board.add_large_result(job, number, attempt, time, outcome)
        else:
            board.add_results(job, [number], [attempt], [time], [outcome])

    def _requeue(self, chunk: Chunk, *, alone: bool = False) -> None:
        """Put tasks that have no outcome back to where they were."""
        alive = chunk.live()
        if alive is not chunk:
            gone = set(chunk.files()).difference(alive.files())
            self._board.out += map(RemoveFile, gone)
        alive.alone = alive.alone or alone
        if self._leaving:
            self._board.return_chunk(alive)
        else:
            self._board.queue.push(alive)

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
        return {
            pair
            for slot in self._slots
            if slot.has_dead
            for chunk in slot.batches
            if chunk.job is job
            for pair in zip(chunk.numbers, chunk.attempts, strict=True)
            if job.held.get(pair[0]) != pair[1]
        }

    def _check(self, slot: Slot) -> None:
        """Kill an executor that must not go on; report a task that runs for long."""
        if slot.state is not State.READY or not slot.batches:
            return
        current = slot.current()
        if slot.has_dead and self._runs_in_vain(slot, current):
            self._kill(slot)
        elif current is None:
            self._check_silent(slot)
        else:
            self._check_current(slot, current)

    def _runs_in_vain(self, slot: Slot, current: Current | None) -> bool:
        """Whether what runs was stopped, or may have been and nothing is heard."""
        if current is not None and not current.is_live:
            return True
        if not any(chunk.live().numbers for chunk in slot.batches):
            return True
        silent = self._board.now - slot.progress
        return current is None and silent >= limits.STOP_SECONDS

    def _check_silent(self, slot: Slot) -> None:
        """Kill an executor that has not said for too long which of its tasks it runs."""
        timeout = slot.batches[0].job.timeout
        silent = self._board.now - slot.progress
        if timeout and silent >= timeout + limits.UNHEARD_SECONDS:
            slot.suspect = f"it was silent for {silent:.1f} s"
            self._kill(slot)

    def _check_current(self, slot: Slot, current: Current) -> None:
        board, job = self._board, current.job
        elapsed = max(0.0, board.now - current.since)
        if job.timeout and elapsed >= job.timeout:
            slot.timed_out = current
            self._kill(slot)
        elif elapsed >= limits.RUNNING_REPORT_SECONDS and board.can_send and not slot.reported:
            slot.reported = True
            board.send(Running(job.number, [current.number], [current.attempt], [elapsed]))

    def _kill(self, slot: Slot) -> None:
        slot.state = State.DYING
        self._board.out.append(Kill(slot.index))

    # --- deaths ---------------------------------------------------------------------------------

    def died(self, index: int, text: str) -> None:
        """Take note that an executor's process is gone."""
        slot = self._slots[index]
        was_killed = slot.state is State.DYING
        text = f"{slot.suspect}; {text}" if slot.suspect else text
        chunks = slot.take_all()
        count = sum(len(chunk.numbers) for chunk in chunks)
        if slot.timed_out is not None:
            self._after_timeout(chunks, slot.timed_out)
        elif count == 1 and (not was_killed or (slot.suspect and chunks[0].alone)):
            failure = Failure("crashed", f"its executor died: {text}"[: limits.ERROR_CHARS])
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

    def _after_timeout(self, chunks: list[Chunk], late: Current) -> None:
        text = f"ran longer than its time limit of {late.job.timeout:g} s and was killed"
        for chunk in chunks:
            rows = range(len(chunk.numbers))
            is_late = [chunk.job is late.job and number == late.number for number in chunk.numbers]
            guilty = chunk.pick([at for at in rows if is_late[at]])
            if guilty.numbers:
                self._fail(guilty, late.since, Failure("timeout", text))
            self._requeue(chunk.pick([at for at in rows if not is_late[at]]))

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
        """Kill all executors, for another server's tasks: theirs have let go already."""
        for slot in self._slots:
            slot.has_dead = bool(slot.batches)
            if slot.state is State.READY:
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

    def places(self) -> Iterator[tuple[int, int, int]]:
        """Yield (job, number, attempt) of all that executors have, held or not.

        What a dying executor still has of another server's jobs is left out.
        """
        for chunk in chain.from_iterable(slot.batches for slot in self._slots):
            if self._board.jobs.get(chunk.job.number) is not chunk.job:
                continue
            for number, attempt in zip(chunk.numbers, chunk.attempts, strict=True):
                yield chunk.job.number, number, attempt

    def validate(self) -> None:
        """Check what must hold between two events."""
        for slot in self._slots:
            slot.validate()
        if not self._leaving and self._board.queue:
            assert not any(slot.is_idle for slot in self._slots), "tasks wait, executors idle"
