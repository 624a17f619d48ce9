"""The world of a simulation: a World whose edges follow a plan and tell a ledger."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

import msgspec
import trio

from dc.errors import StartError, StoreError
from dc.messages_parts import Failure
from dc.messages_worker import Appliance
from dc.pipe import InFile, Run, Saved
from dc.plugins import Plugins
from dc.records import NewJob, Record
from dc.server.app import ServerApp
from dc.server.register import DELETED
from dc.tasktypes import TaskType
from dc.testing.disk import SimStore, SyncedFiles
from dc.testing.fake_executor import FakeExecutor
from dc.testing.ledger import Execution, Ledger
from dc.testing.plan import CRASH, ERROR, FLAKY, HANG, LARGE, Plan, TaskPlan, WorkerPlan
from dc.testing.process import Process, here
from dc.testing.server_rules import ServerRules
from dc.testing.watch import submission_of
from dc.testing.wires import Wire
from dc.testing.world import EPOCH, HOST, Worker, World
from dc.typed import Typed
from dc.worker.app import WorkerApp
from dc.worker.folder import WorkerFolder
from dc.worker.identity import Identity
from dc.worker.keeping import Keeping
from dc.worker.task_run import Outcome

LARGE_BYTES: Final = 70_000  # above what rides inline
CHECKPOINTED: Final = 3  # one of so many tasks saves a checkpoint as it begins

TYPE: Final = TaskType(
    "work",
    "1",
    Typed("bytes", bytes, "payload of work"),
    Typed("bytes", bytes, "result of work"),
    function=bytes,
)


def payload_of(submission: int, number: int, task: TaskPlan) -> bytes:
    """Return the payload of a task: it says which one it is."""
    data = msgspec.msgpack.encode((submission, number, True))
    return data.ljust(LARGE_BYTES, b"\0") if task.kind == LARGE and task.times > 1 else data


def task_of(payload: bytes) -> tuple[int, int]:
    """Return the submission and the number that a payload names."""
    submission, number, _ = msgspec.msgpack.decode(
        payload.rstrip(b"\0"), type=tuple[int, int, bool]
    )
    return submission, number


class SimExecutor(FakeExecutor):
    """An executor whose tasks do what the plan says, and which tells the ledger."""

    def __init__(self, world: SimWorld, process: Process) -> None:
        super().__init__(world.plugins)
        self._world = world
        self._process = process
        self._execution: Execution | None = None

    def duration(self, run: Run, place: int) -> float:
        """See FakeExecutor."""
        task = self._task(run, place)
        return math.inf if task.kind == HANG else task.seconds

    def on_start(self, run: Run, place: int) -> None:
        """See FakeExecutor."""
        job, number, attempt = run.job, run.numbers[place], run.attempts[place]
        submission, named = task_of(_bytes_of(run, place))
        ledger = self._world.ledger
        if named != number:
            ledger.violate(f"a task has the payload of task {named}", job, number)
        self._execution = ledger.started(self._process, job, number, attempt, submission)
        self._world.check_start(self._execution)
        if (submission + number) % CHECKPOINTED == 0:
            self._check_checkpoint(run.checkpoints.get(number))
            data = result_of(self._execution)
            ledger.saved[job, number].add(data)
            self.tell(Saved(job, number, attempt, data))

    def _check_checkpoint(self, given: bytes | InFile | None) -> None:
        """Check that what a task is given is what an earlier execution of it has saved."""
        assert self._execution is not None
        job, number = self._execution.job, self._execution.number
        if given is not None:
            self._world.ledger.trace.add(str(self._process), "goes on with", given)
            if given not in self._world.ledger.saved[job, number]:
                text = "a task is given a checkpoint that no earlier execution of it has saved"
                self._world.ledger.violate(text, job, number)

    def outcome(self, run: Run, place: int) -> Outcome | None:
        """See FakeExecutor."""
        execution, ledger = self._execution, self._world.ledger
        assert execution is not None
        task = self._task(run, place)
        key = execution.submission, execution.number
        if task.kind == CRASH and ledger.tries[*key, "crashed"] < task.times:
            self._ended("crashed")
            return None
        if task.kind == ERROR or (task.kind == FLAKY and ledger.tries[*key, "error"] < task.times):
            self._ended("error")
            who = f"{self._process.name} in attempt {execution.attempt}"
            return Failure("error", f"made to fail by {who}")
        result = result_of(execution)
        if task.kind == LARGE:
            result = result.ljust(LARGE_BYTES, b"\0")
        self._ended("done", result)
        return result if task.kind != LARGE else self._into_file(run, place, result)

    def die(self, exit_text: str = "killed by signal 9 (SIGKILL)") -> None:
        """See FakeExecutor."""
        self._ended("killed")
        super().die(exit_text)

    @property
    def execution(self) -> Execution | None:
        """What runs now."""
        return self._execution

    def _ended(self, how: str, result: bytes = b"") -> None:
        if self._execution is not None:
            self._world.ledger.ended(self._execution, how, result)
            self._execution = None

    def _task(self, run: Run, place: int) -> TaskPlan:
        submission, number = task_of(_bytes_of(run, place))
        return self._world.ledger.told[submission].plan.tasks[number]

    def _into_file(self, run: Run, place: int, result: bytes) -> InFile:
        name = f"result-{run.job}-{run.numbers[place]}-{run.attempts[place]}"
        path = Path(run.scratch) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(result)
        return InFile(str(path), len(result), hashlib.sha256(result).digest())


def _bytes_of(run: Run, place: int) -> bytes:
    payload = run.payloads[place]
    return payload if isinstance(payload, bytes) else Path(payload.path).read_bytes()


def result_of(execution: Execution) -> bytes:
    """Return the result of an execution: it says by whom it was made, and of what."""
    one = execution
    values = one.submission, one.number, one.job, one.attempt, one.process.name, one.process.run
    return msgspec.msgpack.encode(values)


APPLIANCE: Final = Appliance("simulated", orders=["off", "reboot"])
"""What each worker says of its computer: a process that has ended is started anew in any case."""


class SimWorker(Worker):
    """One process of a worker: with the folder, journal and key of the worker.

    Args:
        world: the world.
        plan: of the worker.
        home: its folder.
        run: which process it is.
        new_key: whether it is to be another worker.
    """

    def __init__(
        self, world: World, plan: WorkerPlan, home: Path, run: int, *, new_key: bool = False
    ) -> None:
        self.home = WorkerFolder(home, NoLock(), new_key=new_key)  # type: ignore[arg-type]
        super().__init__(world, plan.name, plan.slots, self.home.scratch, run)

    def make_app(self, slots: int, scratch: Path) -> WorkerApp:
        """See Worker."""
        identity = Identity(
            self.name,
            is_default=False,
            key=self.home.key,
            run=self.home.run,
            slots=slots,
            software="dc simulated",
            appliance=APPLIANCE,
        )
        return WorkerApp(
            identity,
            open_stream=self.world.opener(self.wires),
            start_executor=self.start_executor,
            scratch=scratch,
            host=HOST,
            jitter=random.random,
            keeping=Keeping(self.home.path),
            give_back=GIVE_BACK_SECONDS,
        )


class NoLock:
    """Stands in for the lock on a folder: a killed process would not let go of a real one here."""

    def release(self) -> None:
        """Do nothing."""


def key_of(name: str) -> str:
    """Return the key of a worker."""
    return f"{int(name[1:]):08x}" + 24 * "0"


class SimWorld(World):
    """See the module.

    Args:
        nursery: where everything runs.
        folder: for files.
        ledger: where everything is written down.
        rules: what is checked as the server decides.

    Attributes:
        files: what has been synced.
        wall_offset: by how much the server's clock is wrong.
        slow: whether wires and commits are still slow.
    """

    def __init__(
        self, nursery: trio.Nursery, folder: Path, ledger: Ledger, rules: ServerRules
    ) -> None:
        plan = ledger.plan
        self.random = Random(f"world {plan.seed}")
        self.plan: Plan = plan
        self.ledger = ledger
        self.rules = rules
        self.files = SyncedFiles(self.random)
        self.disk = SimStore(self.random, self._commit_delay, self._committed)
        self.wall_offset = 0.0
        self.slow = True
        self.suspended: set[Process] = set()
        self.healthy_since: dict[str, float] = {}
        plugins = Plugins()
        plugins.types.append(TYPE)
        super().__init__(nursery, folder, plugins, self.disk)

    def make_wire(self) -> Wire:
        """See World."""
        wire = Wire(self._wire_delay, self.plan.wire_bytes)
        if here() in self.suspended:
            wire.hold()
        return wire

    def make_executor(self, worker: Worker) -> FakeExecutor:
        """See World."""
        return SimExecutor(self, worker.process)

    def make_server(self) -> ServerApp:
        """See World."""
        self.rules.server_started()
        process = self.server
        self.ledger.trace.add("fault", f"{process} starts")
        process.on_death = lambda: self.disk.crash(process)
        return super().make_server()

    def wall(self) -> float:
        """See World."""
        return EPOCH + self.ledger.now + self.wall_offset

    def new_worker(
        self, plan: WorkerPlan, folder: Path, run: int, *, new_key: bool = False
    ) -> SimWorker:
        """Return a new process of a worker; with a new key it is another worker."""
        return SimWorker(self, plan, folder, run, new_key=new_key)

    def is_deleted(self, key: str) -> bool:
        """Whether the worker of a key was deleted, as its program says when it ends."""
        row = self.app.reactor.workers.register.get(key)
        return row is not None and row.state == DELETED

    @property
    def listens(self) -> bool:
        """Whether the server takes connections."""
        return self._site is not None

    async def _serve(self, up: trio.Event) -> None:
        try:
            await super()._serve(up)
        except Exception as error:
            self.check_error(self.server, error)

    def check_error(self, process: Process, error: BaseException) -> None:
        """Note that a program ended by an error; one that was killed may."""
        if process.killed:
            return
        cause = first_of(error)
        if isinstance(cause, StoreError) and process is self.server and not process.is_up:
            self.ledger.trace.add("fault", f"{process} cannot start: {cause}")
            return
        if isinstance(cause, StartError) and self._is_namesake(process, str(cause)):
            self.ledger.trace.add("fault", f"{process} does not get its name: {cause}")
            return
        self.ledger.errors.append(error)
        self.ledger.violate(f"{process} ended by {cause!r} (cause: {cause.__cause__!r})")

    def _is_namesake(self, process: Process, text: str) -> bool:
        """Whether a worker was refused for its name, which one with another key has had.

        One that has joined anew meets a copy of what it was, or a connection of it that is
        silently dead, if the server has not written the deletion down before it ended.
        """
        named = [one for one in self.workers if one.name == process.name]
        keys = {one.home.key for one in named if isinstance(one, SimWorker)}
        return len(keys) > 1 and text.endswith("choose another name")

    def check_start(self, execution: Execution) -> None:
        """Check that a cancelled job's tasks do not start where the cancel must be known."""
        at = self.ledger.cancelled_at.get(execution.job)
        if at is None:
            return
        since = max(at, self.healthy_since.get(execution.process.name, 0.0))
        if self.ledger.now > since + CANCEL_SECONDS:
            text = "a task started long after its job was known to be cancelled"
            self.ledger.violate(text, execution.job, execution.number)

    def _wire_delay(self) -> float:
        if not self.slow or not self.plan.delay:
            return 0.0
        return self.random.uniform(0.0, self.plan.delay)

    def _commit_delay(self) -> float:
        if not self.slow or not self.plan.commit_seconds:
            return 0.0
        return self.random.uniform(0.0, self.plan.commit_seconds)

    def _committed(self, records: Sequence[Record]) -> None:
        for record in records:
            self.ledger.trace.add("disk", record)
            self.rules.committed(record)
            if isinstance(record, NewJob):
                number = submission_of({"name": record.options.name})
                self.ledger.submission_of[record.job] = number


GIVE_BACK_SECONDS: Final = 5.0
"""For which tasks stand still, while somebody uses their computer."""

CANCEL_SECONDS: Final = 60.0
"""After a cancel was acknowledged, and the last fault of a worker, until it must know of it: what a
connection that is silently dead takes to be noticed, and to be made again."""


def first_of(error: BaseException) -> BaseException:
    """Return the first error of a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
