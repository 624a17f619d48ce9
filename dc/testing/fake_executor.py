"""An executor that is no process, for tests of what drives executors."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import trio

from dc import limits, limits_executor
from dc.errors import UnknownTaskType
from dc.fence import Usage
from dc.messages_parts import Failure, Message
from dc.messages_worker import Progress, TypeId
from dc.pipe import (
    Busy,
    FromExecutor,
    Halt,
    Ran,
    Ready,
    Retire,
    Run,
    Saved,
    ToExecutor,
    Wrote,
)
from dc.plugins import Plugins
from dc.process_tree import Process
from dc.tasktypes import TaskType
from dc.typed import Typed
from dc.worker.notes import Desk
from dc.worker.task_run import Batch, Outcome, failure_of, run_task


class FakeExecutor:
    """An executor without a process: an ExecutorPort whose tasks take simulated time.

    Tasks really run, in `receive`, when their time is over. As with a real one, a task that takes
    long gives those behind it back. Under Trio's MockClock nothing waits.

    Args:
        functions: by the name of a type (its version is "1") a function of bytes to bytes; or
            plugins.
        seconds: how long a task takes: one number for all, or a function of job and number;
            math.inf for one that hangs.
        labels: what Ready says.
        broken: what Ready says.
        obeys: whether a task that is halted stops by itself.

    Attributes:
        runs: all batches that were sent.
        halts: all halts that were sent.
        pid: a number that no process has.
        exit_text: how it died.
        killed: whether `kill` was called.
    """

    def __init__(
        self,
        functions: Mapping[str, Callable[[bytes], bytes]] | Plugins,
        *,
        seconds: float | Callable[[int, int], float] = 0.0,
        labels: Mapping[str, str] | None = None,
        broken: Mapping[str, str] | None = None,
        obeys: bool = True,
    ) -> None:
        types = functions.types if isinstance(functions, Plugins) else _types_of(functions)
        self._types = {(one.name, one.version): one for one in types}
        self._seconds = seconds
        ready = Ready([TypeId(*key) for key in self._types], dict(labels or {}), dict(broken or {}))
        self._messages: deque[FromExecutor] = deque([ready])
        self._queue: deque[tuple[Run, int]] = deque()  # a batch, and a place in its columns
        self._started: float | None = None  # when the first of the queue was started
        self._told = False
        self._news = trio.Event()
        self._dead = False
        self._written: deque[Wrote] = deque()
        self._desk = Desk(self._say, lambda: None, trio.current_time)
        self._obeys = obeys
        self.runs: list[Run] = []
        self.halts: list[Halt] = []
        self.running: tuple[int, int] | None = None
        self.pid = 2**22 + id(self) % 2**20
        self.exit_text = ""
        self.folder: Path | None = None
        self.out_of_memory = False
        self.killed = False
        self._held: float | None = None  # since when it stands still

    def usage(self, processes: Sequence[Process] | None = None) -> Usage:  # noqa: ARG002
        """Say that it uses nothing."""
        return Usage(0, 0)

    async def send(self, message: ToExecutor) -> None:
        """Take a batch of tasks, or a halt; a dead one takes nothing."""
        await trio.lowlevel.checkpoint()
        if self._dead:
            return
        if isinstance(message, Halt):
            self.halts.append(message)
            if self._obeys:
                self._halt(message)
        else:
            self.runs.append(message)
            self._queue.extend((message, place) for place in range(len(message.numbers)))
        self._wake()

    def send_now(self, message: ToExecutor) -> bool:  # noqa: ARG002
        """Leave it to `send`."""
        return False

    async def receive(self) -> FromExecutor | None:
        """Return the next message, when its time has come; None once it has died."""
        await trio.lowlevel.checkpoint()
        while not self._messages:
            if self._dead:
                return None
            news = self._news
            with trio.move_on_at(self._next_time()):
                await news.wait()
                continue
            if not news.is_set():  # it may have been killed or halted in the very moment
                self._turn()
        return self._messages.popleft()

    async def receive_output(self) -> Wrote | None:
        """Return what `write` was given next; None once it has died."""
        await trio.lowlevel.checkpoint()
        while not self._written:
            if self._dead:
                return None
            await self._news.wait()
        return self._written.popleft()

    def write(self, data: bytes, owner: tuple[int, int, int] | None = None) -> None:
        """Write something, as the task that runs does, or as the `owner` whose end it is."""
        self._written.append(Wrote(data, owner))
        self._wake()

    def _say(self, message: Message) -> None:
        assert isinstance(message, Progress | Saved)
        self._messages.append(message)

    def tell(self, message: FromExecutor) -> None:
        """Say something to the agent."""
        self._messages.append(message)
        self._wake()

    def die(self, exit_text: str = "killed by signal 9 (SIGKILL)") -> None:
        """Die as a crash does: what was not received yet of finished batches still comes."""
        if not self._dead:
            self._dead = True
            self.exit_text = exit_text
            self._queue.clear()
            self._wake()

    def pause(self, seconds: float) -> None:
        """Have the task that runs take so much longer, as when the computer sleeps."""
        if self._started is not None:
            self._started += seconds
            self._wake()

    def hold(self, *, still: bool) -> None:
        """Have its tasks take no time until they go on again."""
        now = trio.current_time()
        if still and self._held is None:
            self._held = now
        elif not still and self._held is not None:
            held, self._held = self._held, None
            self.pause(now - held)
        self._wake()

    def kill(self) -> None:
        """Kill it."""
        self.killed = True
        self.die()

    async def aclose(self) -> None:
        """Kill it."""
        self.kill()
        await trio.lowlevel.cancel_shielded_checkpoint()

    def retire(self, reason: str, *, left: bool = False) -> None:
        """Run nothing more, and say so."""
        self._queue.clear()
        self._messages.append(Retire(reason, left))
        self._wake()

    def _halt(self, halt: Halt) -> None:
        """End the task that runs, if it is the one to be halted."""
        if self._started is None:
            return
        run, place = self._queue[0]
        attempt = run.job, run.numbers[place], run.attempts[place]
        if attempt == (halt.job, halt.number, halt.attempt):
            now = trio.current_time()
            self._tell_outcomes(now, run, [place], [Failure(halt.kind, halt.text)])
            self.retire("a task was stopped in the middle")

    def _wake(self) -> None:
        self._news.set()
        self._news = trio.Event()

    def duration(self, run: Run, place: int) -> float:
        """Return how many seconds a task takes."""
        if callable(self._seconds):
            return self._seconds(run.job, run.numbers[place])
        return self._seconds

    def _next_time(self) -> float:
        """Return when the first task ends, or is to be reported as busy; inf if there is none."""
        if not self._queue or self._held is not None:
            return math.inf
        if self._started is None:
            self._begin()
        assert self._started is not None
        ends = self._started + self.duration(*self._queue[0])
        reports = [ends]
        if len(self._queue) > 1:
            reports.append(self._started + limits_executor.BUSY_SECONDS)
        if not self._told:
            reports.append(self._started + limits.RUNNING_REPORT_SECONDS)
        return min(reports)

    def _begin(self) -> None:
        run, place = self._queue[0]
        self._started = trio.current_time()
        self._told = False
        self.running = (run.job, run.numbers[place])
        self.on_start(run, place)

    def _turn(self) -> None:
        """Do what the time has come for: run tasks that are over, or report one as busy."""
        assert self._started is not None
        now = trio.current_time()
        if self._started + self.duration(*self._queue[0]) <= now:
            self._run_ended(now)
        else:
            self._told = now >= self._started + limits.RUNNING_REPORT_SECONDS
            self._give_back(now - self._started)

    def _run_ended(self, now: float) -> None:
        """Run the first task, and those of its batch behind it that take no time."""
        batch = self._queue[0][0]
        places: list[int] = []
        outcomes: list[Outcome] = []
        outcome: Outcome | None = None
        while self._queue and self._queue[0][0] is batch:
            place = self._queue[0][1]
            if places:
                if self.duration(batch, place) > 0:
                    break
                self.on_start(batch, place)
            self._queue.popleft()
            self.running = (batch.job, batch.numbers[place])
            outcome = self.outcome(batch, place)
            if outcome is None:
                break
            places.append(place)
            outcomes.append(outcome)
        self._tell_outcomes(now, batch, places, outcomes)
        if outcome is None:
            self.die()

    def _tell_outcomes(
        self, now: float, batch: Run, places: list[int], outcomes: list[Outcome]
    ) -> None:
        if not places:
            return
        assert self._started is not None
        times = [now - self._started] + [0.0] * (len(places) - 1)
        self._started = None
        numbers = [batch.numbers[place] for place in places]
        attempts = [batch.attempts[place] for place in places]
        self._messages.append(Ran(batch.job, numbers, attempts, times, outcomes))

    def on_start(self, run: Run, place: int) -> None:
        """Be told that a task starts; for those who look on."""

    def outcome(self, run: Run, place: int) -> Outcome | None:
        """Run a task; return its outcome, or None if the executor dies of it."""
        task_type = self._types.get((run.type, run.version))
        if task_type is None:
            return failure_of(UnknownTaskType(f"no task type {run.type!r}"))
        batch = Batch(
            run.job,
            task_type,
            Path(run.scratch),
            checkpoints=run.checkpoints,
            desk=self._desk,
            inputs=run.inputs,
        )
        row = run.numbers[place], run.attempts[place], run.payloads[place]
        outcome = run_task(batch, *row)
        self._desk.close(failed=isinstance(outcome, Failure))
        return outcome

    def _give_back(self, elapsed: float) -> None:
        """Report the first task as busy and give back what is behind it, by job."""
        run, place = self._queue.popleft()
        rest: dict[int, list[tuple[int, int]]] = {run.job: []}
        for other, at in self._queue:
            rest.setdefault(other.job, []).append((other.numbers[at], other.attempts[at]))
        for job, pairs in rest.items():
            number, attempt = run.numbers[place], run.attempts[place]
            if job != run.job:
                number = attempt = -1
            numbers, attempts = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
            self._messages.append(Busy(job, number, attempt, elapsed, numbers, attempts))
        self._queue = deque([(run, place)])


def _types_of(functions: Mapping[str, Callable[[bytes], bytes]]) -> list[TaskType]:
    return [
        TaskType(
            name,
            "1",
            Typed("bytes", bytes, f"payload of {name}"),
            Typed("bytes", bytes, f"result of {name}"),
            function=function,
        )
        for name, function in functions.items()
    ]
