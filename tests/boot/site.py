"""Where computers are booted: a real server on this computer, and those who administer it."""

from __future__ import annotations

import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Self

import trio

import dc
from dc import invites
from dc.errors import ConnectionLost
from tests.boot.plugin import Sight
from tests.system.processes import ROOT, TEMPLATE, Machine, until
from tests.system.secured import SecureServer

# Where a computer in QEMU's network reaches this one's loopback.
HOST: Final = "10.0.2.2"
PLUGIN: Final = Path(__file__).parent / "plugin.py"
STEP_SECONDS: Final = 180.0  # for 2 s of work: ten times that where all else is tested as well
POLL_SECONDS: Final = 0.05

Workers = dict[str, dict[str, Any]]  # by their names, as the server tells of them


class Site:
    """A server with TLS, and what an operator does at it.

    Attributes:
        server: it.
    """

    def __init__(self, programs: Machine, server: SecureServer, *options: object) -> None:
        self.server = server
        self._programs = programs
        self._options = options

    @classmethod
    async def opened(cls, programs: Machine, *options: object) -> Self:
        """Start it: with the template's plugin, and the one of these tests."""
        shutil.copy(PLUGIN, programs.plugins / "boot_tests.py")
        given = "--plugins", TEMPLATE, *options
        return cls(programs, await SecureServer.start(programs, *given), *given)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.server.server.port

    async def invite(self, **wanted: Any) -> str:
        """Return a join code for computers in QEMU."""
        made = await self.server.invite(addresses=[f"{HOST}:{self.port}"], **wanted)
        return made.code

    async def stop(self) -> None:
        """Stop the server."""
        await self.server.program.stop(signal.SIGTERM)

    async def start_again(self) -> None:
        """Start it again, where it was."""
        again = SecureServer.again(self._programs, self.port, self.server.token, *self._options)
        self.server = await again

    async def start_other_version(self) -> None:
        """Start another version of the server, where it was."""
        where = "--listen", f"127.0.0.1:{self.port}", "--data", self._programs.data, "--secure"
        program = self._programs.start(
            *("tests.boot.other_version", *where, *self._options),
            name="other",
            environment={"PYTHONPATH": str(ROOT)},
        )
        self.server = SecureServer(program, self.server.server, self.server.token)
        out = program.out
        await until(lambda: out.read_text().endswith("\n"), "it", STEP_SECONDS, program.text)

    async def revoke_all(self) -> None:
        """Take all join codes back."""
        for one in (await self.ask("GET", "/api/invites"))["invites"]:
            await self.ask("DELETE", f"/api/invites/{one['id']}")

    async def boot_script(self) -> str:
        """Return the address of what iPXE boots computers of a new join code by."""
        secret = invites.secret_text(invites.read(await self.invite()).secret)
        return f"http://{HOST}:{self.port}/boot/{secret}/boot.ipxe"

    async def ask(self, method: str, path: str, value: object = None) -> Any:
        """Ask the server for something."""
        return await self.server.ask(method, path, value)

    async def workers(self) -> Workers:
        """Return the workers that there are, by their names."""
        found = await self.ask("GET", "/api/workers")
        return {one["name"]: one for one in found["workers"]}

    async def here(
        self, names: Iterable[str], seconds: float = STEP_SECONDS, after: float = 0.0
    ) -> Workers:
        """Wait until these workers are connected, by a connection that is younger than a time."""
        return await self.until(
            lambda found: all(is_here(found.get(name), after) for name in names),
            f"workers {names}",
            seconds,
        )

    async def gone(self, name: str, seconds: float = STEP_SECONDS) -> None:
        """Wait until a worker is not connected."""
        await self.until(lambda found: not is_here(found.get(name), 0.0), f"no {name}", seconds)

    async def until(
        self, condition: Callable[[Workers], bool], what: str, seconds: float = STEP_SECONDS
    ) -> Workers:
        """Wait until the workers are as they are to be, and return them.

        Raises:
            AssertionError: they are not, in so many seconds.
        """
        found: Workers = {}
        with trio.move_on_after(seconds):
            while True:
                try:
                    found = await self.workers()
                except ConnectionLost:
                    assert self.server.program.alive, self.server.program.text()
                if condition(found):
                    return found
                await trio.sleep(POLL_SECONDS)
        raise AssertionError(f"waited {seconds:g} s for {what}: {found}")

    @asynccontextmanager
    async def client(self) -> AsyncIterator[dc.AsyncClient]:
        """Give a client of it."""
        server = self.server.server
        plugins = [self._programs.plugins, TEMPLATE]
        address = f"https://127.0.0.1:{server.port}"
        async with dc.AsyncClient(
            address, plugins, token=self.server.token, pin=server.pin.hex()
        ) as client:
            yield client

    async def look(self, seconds: float = STEP_SECONDS) -> Sight:
        """Have a task look at the computer on which it runs."""
        with trio.fail_after(seconds):
            async with self.client() as client:
                found: list[Sight] = await client.run("look", 1)
                return found[0]

    async def count_words(self, seconds: float = STEP_SECONDS) -> dict[str, int]:
        """Have the words of the template counted: by a plugin that no worker has."""
        with trio.fail_after(seconds):
            async with self.client() as client:
                found: dict[str, int] = await client.run("wordcount", str(TEMPLATE))
                return found

    async def order(self, action: str, *names: str) -> None:
        """Give an order to workers."""
        await self.ask("POST", f"/api/workers/{action}", {"names": list(names), "exact": True})


def is_here(worker: dict[str, Any] | None, after: float) -> bool:
    """Whether a worker is connected, by a connection that is younger than a time."""
    if worker is None or worker["state"] in {"away", "gone"}:
        return False
    since = worker["connected_at"]
    return since is not None and since > after


@asynccontextmanager
async def opened(folder: Path, *options: object) -> AsyncIterator[Site]:
    """Open a site in a folder; all of it is ended, whatever happens."""
    with Machine(folder) as programs:
        yield await Site.opened(programs, *options)
