"""A server, its workers and clients, and the network between them, as one run has them."""

from __future__ import annotations

import json
import os
import struct
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import trio

from tests.campaign.ledger import Happened
from tests.campaign.network import NEAR, Link
from tests.campaign.processes import MARK, Program, memory
from tests.campaign.relay import Relay

ROOT: Final = Path(__file__).parent.parent.parent
PLUGINS: Final = Path(__file__).parent / "plugins"
START_SECONDS: Final = 60.0
ASK_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.05
LOOK_SECONDS: Final = 0.25
SAMPLE_SECONDS: Final = 1.0


class World:
    """All that one run starts; `run` keeps it going, `end` ends it.

    Args:
        folder: for data, logs and the ledger; empty.
        nursery: for what goes on beside the run.
        link: to the far side; None if there is none.

    Attributes:
        faults: all that was done so far.
        serving: seconds from each start of the server to its first answer.
        away: seconds from each kill of the server to its first answer.
        memory: of the server in bytes, by time in seconds since the start.
    """

    def __init__(self, folder: Path, nursery: trio.Nursery, link: Link | None) -> None:
        self.folder = folder
        self.nursery = nursery
        self.link = link
        self.data = folder / "data"
        self.ledger = folder / "ledger"
        self.logs = folder / "logs"
        self.workers: list[Program] = []
        self.clients: dict[str, Program] = {}
        self.relays: dict[str, Relay] = {}
        self.faults: list[Happened] = []
        self.serving: list[float] = []
        self.away: list[float] = []
        self.memory: list[tuple[float, int]] = []
        self.began = time.time()
        self.port = 0
        self.host = NEAR if link is not None else "127.0.0.1"
        for path in (self.ledger, self.logs):
            path.mkdir()
        self._pace = os.open(self.ledger / "pace", os.O_RDWR | os.O_CREAT, 0o644)
        self.set_pace(0.0)
        self.server = self._program("server", self._server_command)

    # --- starting -------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the server, and what looks after all programs."""
        self.server.start()
        await self.until_serving()
        self.nursery.start_soon(self._look)
        self.nursery.start_soon(self._sample)

    async def add_worker(self, name: str, slots: int, *, far: bool = False) -> Program:
        """Start a worker: on the far side of the link, or here, behind a relay of its own."""
        link = self.link if far else None
        if link is None:
            self.relays[name] = await Relay.open(self.nursery, self.host, self.port)
        address = self.address if link is not None else self.relays[name].address

        def command() -> list[str]:
            words = [address, "--name", name, "--slots", str(slots)]
            words += ["--data", str(self.folder / f"worker-{name}")]
            words += ["--spares", "0"]  # every child runs tasks: to kill one is to hit a task
            inner = python("dc.worker", *words, "--plugins", str(PLUGINS))
            return inner if link is None else link.beyond(inner)

        worker = self._program(name, command)
        self.workers.append(worker)
        worker.start()
        return worker

    async def add_client(self, name: str, command: Callable[[str], list[str]]) -> Program:
        """Start a client behind a relay of its own; `command` is told the server's address."""
        self.relays[name] = await Relay.open(self.nursery, self.host, self.port)
        address = self.relays[name].address
        client = self._program(name, lambda: command(address), ends=True)
        self.clients[name] = client
        client.start()
        return client

    def _program(
        self, name: str, command: Callable[[], Sequence[str]], *, ends: bool = False
    ) -> Program:
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {
            MARK: str(self.folder),
            "DC_CAMPAIGN_LEDGER": str(self.ledger),
            "PYTHONPATH": os.pathsep.join(paths),
        }
        return Program(name, command, self.logs, environment, ends=ends)

    def _server_command(self) -> list[str]:
        where = ["--listen", f"{self.host}:{self.port}", "--data", str(self.data)]
        return python("dc.server", *where, "--plugins", str(PLUGINS))

    async def until_serving(self) -> bool:
        """Wait for the server to answer; return whether it was not killed while it started."""
        began, pid = time.monotonic(), self.server.pid
        await self.until(self._is_serving, START_SECONDS, "the server to serve")
        if self.server.pid == pid:
            self.serving.append(time.monotonic() - began)
        return self.server.pid == pid

    async def _is_serving(self) -> bool:
        if not self.port:  # it is the same at all further starts
            line = self.server.out.read_text()
            self.port = int(line.strip().rpartition(":")[2]) if line.endswith("\n") else 0
        return self.port > 0 and await self.ask("/api/status") is not None

    # --- the server -----------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """The server's."""
        return f"http://{self.host}:{self.port}"

    async def ask(self, path: str) -> Any:
        """Return the JSON that the server answers to a GET; None if it does not."""
        if not self.server.is_alive:
            return None
        return await trio.to_thread.run_sync(_get, self.address + path, abandon_on_cancel=True)

    async def state(self, job: int) -> dict[str, Any]:
        """Return a job's state, asking until the server answers."""
        found: list[dict[str, Any]] = []

        async def answered() -> bool:
            answer = await self.ask(f"/api/jobs/{job}")
            found.extend([] if answer is None else [answer])
            return bool(found)

        await self.until(answered, START_SECONDS, f"the state of job {job}")
        return found[0]

    async def until(self, condition: Callable[[], Any], seconds: float, what: str) -> None:
        """Wait for an async condition.

        Raises:
            AssertionError: it has not come true in so many seconds.
        """
        with trio.move_on_after(seconds):
            while not await condition():  # noqa: ASYNC110
                await trio.sleep(POLL_SECONDS)
            return
        raise AssertionError(f"waited {seconds:g} s for {what}")

    async def has_workers(self, *names: str) -> None:
        """Wait until these workers are connected."""

        async def connected() -> bool:
            answer = await self.ask("/api/workers") or {"workers": []}
            there = {one["name"] for one in answer["workers"] if one["slots"] > 0}
            return there >= set(names)

        await self.until(connected, START_SECONDS, f"workers {names}")

    # --- while it runs --------------------------------------------------------------------------

    def set_pace(self, seconds: float) -> None:
        """Say how long a short task takes from now on."""
        os.pwrite(self._pace, struct.pack("d", seconds), 0)

    def programs(self) -> list[Program]:
        """All programs, the server last."""
        return [*self.clients.values(), *self.workers, self.server]

    def note(self, kind: str, victim: str, pids: list[int]) -> Happened:
        """Write down a fault that begins now."""
        now = time.time()
        self.faults.append(Happened(kind, victim, pids, now, now))
        return self.faults[-1]

    async def _look(self) -> None:
        while True:
            for program in self.programs():
                program.look()
                assert not program.is_given_up, f"{program.name} ends by itself again and again"
            await trio.sleep(LOOK_SECONDS)

    async def _sample(self) -> None:
        while True:
            if self.server.is_alive and (size := memory(self.server.pid)):
                self.memory.append((time.time() - self.began, size))
            await trio.sleep(SAMPLE_SECONDS)

    # --- the end --------------------------------------------------------------------------------

    async def end(self) -> None:
        """End all programs, the server last."""
        with trio.CancelScope(shield=True):
            for relay in self.relays.values():
                relay.heal()
            async with trio.open_nursery() as nursery:
                for program in [*self.clients.values(), *self.workers]:
                    nursery.start_soon(program.end)
            await self.server.end()
        (self.folder / "faults.json").write_bytes(msgspec.json.encode(self.faults))
        if self._pace >= 0:
            os.close(self._pace)
            self._pace = -1

    def log_problems(self) -> list[str]:
        """Return what the logs and the ends of programs say of mistakes."""
        found = [problem for program in self.programs() for problem in program.problems]
        for path in sorted(self.logs.glob("*.log")):
            lines = path.read_text(errors="replace").splitlines()
            found += [f"{path.name}: {line[:200]}" for line in lines if is_mistake(line)]
        return found

    def log_counts(self) -> dict[str, int]:
        """Return how many warnings and errors the logs hold."""
        text = [path.read_text(errors="replace") for path in self.logs.glob("*.log")]
        return {
            level.strip().lower() + "s": sum(one.count(level) for one in text)
            for level in (" WARNING ", " ERROR ")
        }


def is_mistake(line: str) -> bool:
    """Whether a line of a log tells of a mistake in the program itself."""
    return "Traceback" in line or " CRITICAL " in line


def python(*arguments: str) -> list[str]:
    """Return the command that runs `python -m ARGUMENTS`."""
    return [sys.executable, "-m", *arguments]


def _get(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=ASK_SECONDS) as answer:
            return json.loads(answer.read())
    except (OSError, ValueError):
        return None
