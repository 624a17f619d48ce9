"""Real servers, workers and commands, as a user starts them, and how to end them for certain."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Self

import trio

import dc

ROOT: Final = Path(__file__).parent.parent.parent
TEMPLATE: Final = ROOT / "examples" / "template"
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 40.0
COMMAND_SECONDS: Final = 90.0
ANSWER_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.02

PLUGIN: Final = '''\
"""The task types of the system tests."""
import os
import time
from pathlib import Path

import dc

@dc.task_type
def square(number: int) -> int:
    """The square of a number; thirteen raises."""
    if number == 13:
        raise ValueError("thirteen is not squared")
    return number * number

@dc.task_type
def noop(payload: bytes) -> bytes:
    """Give the payload back."""
    return payload

@dc.task_type
def wait_for(path: str) -> str:
    """Wait until a file is there; say so by a file of one's own name beside it."""
    place = Path(path)
    (place.parent / f"running-{os.getpid()}").touch()
    while not place.exists():
        time.sleep(0.005)
    return path

@dc.task_type
def sum_of(job: int, context: dc.Context) -> int:
    """Add up the results of the first three tasks of a job."""
    return sum(context.result(job, number) for number in range(3))

@dc.task_type
def counterpart(job: int, context: dc.Context) -> int:
    """Twice the result of the task of the same number."""
    return 2 * context.result(job, context.number)

@dc.task_type
def slow(number: int) -> int:
    """Take a twentieth of a second, and write down that it ran."""
    time.sleep(0.05)
    with Path(os.environ["DC_TEST_LEDGER"]).open("a") as ledger:
        ledger.write(f"{number}\\n")
    return number
'''


class Program:
    """A process that a test has started, in a session (and process group) of its own.

    Args:
        arguments: of `python -m`.
        folder: where what it writes goes.
        name: of the files with what it writes.
        environment: beside the one of the test.
        python: the interpreter.
        cwd: where it runs; in `folder` if it is not said.
        prefix: what is put before the command.
    """

    def __init__(
        self,
        arguments: Sequence[object],
        folder: Path,
        name: str,
        environment: dict[str, str] | None = None,
        python: Path | str = sys.executable,
        cwd: Path | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.out = folder / f"{name}.out"
        self.err = folder / f"{name}.err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [*prefix, str(python), "-m", *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=cwd or folder,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        self.pid = self.process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None

    def text(self) -> str:
        """What it has written so far, for messages."""
        out, err = (one.read_text(errors="replace") for one in (self.out, self.err))
        return f"{self.name}: {out}{err[-4000:]}"

    def send(self, number: int) -> None:
        """Send a signal to the process alone."""
        self.process.send_signal(number)

    def interrupt(self) -> None:
        """Do what Ctrl-C in a terminal does: SIGINT to the whole group."""
        assert self.alive
        os.killpg(self.pid, signal.SIGINT)

    def kill(self) -> None:
        """Kill it with kill -9, and wait until it is gone."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        self.send(number)
        return await self.ended()

    async def ended(self, seconds: float = STOP_SECONDS) -> int:
        """Wait for the end; return the exit status."""
        await until(lambda: not self.alive, f"{self.name} to end", seconds, self.text)
        status = self.process.poll()
        assert status is not None
        return status

    def children(self) -> list[int]:
        """The pids of its children."""
        return [pid for pid, parent, _ in processes() if parent == self.pid]

    def finish(self) -> None:
        """End it, and whatever it has started, whatever it takes."""
        started = [self.pid, *self.children()] if self.alive else []
        if self.alive:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS)
        if self.alive:
            self.kill()
        kill_those_alive(started)


class Machine:
    """All that one test starts. Leaving it ends all of that.

    Args:
        folder: for plugins, data and logs; empty.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plugins = folder / "plugins"
        self.plugins.mkdir()
        (self.plugins / "system_tests.py").write_text(PLUGIN)
        self.ledger = folder / "ledger"
        self.ledger.touch()
        self.data = folder / "data"
        self.config = folder / "config"
        self.programs: list[Program] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        errors = []
        for program in reversed(self.programs):
            try:
                program.finish()
            except Exception as error:
                errors.append(error)
        if errors:
            raise ExceptionGroup("what could not be ended", errors)

    def start(
        self,
        *arguments: object,
        name: str = "",
        environment: dict[str, str] | None = None,
        **options: Any,
    ) -> Program:
        """Start `python -m ARGUMENTS`."""
        name = f"{len(self.programs)}-{name or str(arguments[0])}"
        here = {
            "DC_TEST_LEDGER": str(self.ledger),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "XDG_CONFIG_HOME": str(self.config),
        }
        environment = {**here, **(environment or {})}
        program = Program(arguments, self.folder, name, environment, **options)
        self.programs.append(program)
        return program

    def with_plugins(self, folders: Sequence[Path] | None) -> list[object]:
        """Return the options that name these folders, or the one of the test's own plugin."""
        return [
            part
            for folder in ([self.plugins] if folders is None else folders)
            for part in ("--plugins", folder)
        ]

    async def server(
        self, port: int = 0, plugins: Sequence[Path] | None = None, **options: Any
    ) -> Server:
        """Start a server on this machine's data; return once it accepts."""
        where = ["--listen", f"127.0.0.1:{port}", "--data", self.data]
        program = self.start(
            "dc.server", *where, *self.with_plugins(plugins), name="server", **options
        )
        return await Server.up(program)

    async def worker(
        self,
        server: Server,
        name: str,
        slots: int = 1,
        plugins: Sequence[Path] | None = None,
        program: Sequence[object] = (),
        arguments: Sequence[object] = ("--spares", 0),
        **options: Any,
    ) -> Program:
        """Start a worker, or a program that is one; return once the server has taken it in."""
        started = self.start(
            *(program or ("dc.worker", server.address)),
            *("--name", name, "--slots", slots, "--data", self.folder / f"worker-{name}"),
            *arguments,
            *self.with_plugins(plugins),
            name=name,
            **options,
        )
        await server.has_workers(name)
        return started

    def client(self, server: Server) -> dc.AsyncClient:
        """Return a client that is to be entered."""
        return dc.AsyncClient(server.address, plugins=[self.plugins])

    def command(
        self,
        *arguments: object,
        python: Path | str = sys.executable,
        environment: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run `python -m ARGUMENTS` to its end."""
        here = {"XDG_CONFIG_HOME": str(self.config), **(environment or {})}
        return subprocess.run(
            [str(python), "-m", *map(str, arguments)],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
            env={**os.environ, **here},
        )

    def ran(self) -> list[int]:
        """The numbers that tasks of type `slow` have written down."""
        return [int(line) for line in self.ledger.read_text().split()]


class Server:
    """A server that accepts connections."""

    def __init__(self, program: Program, address: str) -> None:
        self.program = program
        self.address = address
        self.port = int(address.rpartition(":")[2])

    @classmethod
    async def up(cls, program: Program) -> Server:
        """Wait for the address in the first line of a server's output."""
        await until(
            lambda: program.out.read_text().endswith("\n") or not program.alive,
            "the server's address",
            START_SECONDS,
            program.text,
        )
        assert program.alive, program.text()
        address = program.out.read_text().splitlines()[0]
        assert address.startswith("http://127.0.0.1:"), program.text()
        return cls(program, address)

    def get(self, path: str) -> bytes:
        """Return what the server answers to a GET."""
        with urllib.request.urlopen(self.address + path, timeout=ANSWER_SECONDS) as answer:
            body: bytes = answer.read()
        return body

    def json(self, path: str) -> Any:
        """Return the JSON that the server answers to a GET."""
        return json.loads(self.get(path))

    def worker_names(self) -> set[str]:
        """The names of the workers that are connected, or away."""
        workers = self.json("/api/workers")["workers"]
        return {worker["name"] for worker in workers if worker["state"] != "gone"}

    async def has_workers(self, *names: str) -> None:
        """Wait until these workers are connected."""
        await until(lambda: self.worker_names() >= set(names), f"workers {names}", START_SECONDS)

    async def is_done(self, job: int, count: int) -> None:
        """Wait until so many tasks of a job are done."""
        path = f"/api/jobs/{job}"
        await until(
            lambda: self.json(path)["counts"]["done"] >= count, f"{count} tasks of job {job}"
        )

    def memory(self, field: str) -> int | None:
        """Return a figure of /proc/PID/status in bytes; None where there is no such file."""
        status = Path(f"/proc/{self.program.pid}/status")
        if not status.exists():
            return None
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(fields[field].split()[0]) * 1024

    async def settled_memory(self) -> int | None:
        """Return the resident memory once it has not changed for a second."""
        last, since = self.memory("VmRSS"), time.monotonic()
        with trio.fail_after(START_SECONDS):
            while time.monotonic() - since < 1.0:
                await trio.sleep(0.1)
                now = self.memory("VmRSS")
                if now != last:
                    last, since = now, time.monotonic()
        return last


async def until(
    condition: Callable[[], bool],
    what: str,
    seconds: float = START_SECONDS,
    more: Callable[[], str] = str,
) -> None:
    """Wait for something to become so in the real world.

    Raises:
        AssertionError: it has not, in so many seconds.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}. {more()}"
        await trio.sleep(POLL_SECONDS)


def processes() -> list[tuple[int, int, int]]:
    """Return (pid, parent, process group) of all processes that still run."""
    command = ["ps", "-A", "-o", "pid=,ppid=,pgid=,stat="]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    rows = [line.split() for line in lines]
    return [(int(row[0]), int(row[1]), int(row[2])) for row in rows if not row[3].startswith("Z")]


def is_running(pid: int) -> bool:
    """Whether there is such a process, and no zombie."""
    return any(row[0] == pid for row in processes())


def kill_those_alive(pids: Sequence[int]) -> None:
    """Kill processes that a test's own program has started and left behind."""
    for pid in set(pids) & {row[0] for row in processes()}:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
