"""Workers find a server over a network: two computers, which are network namespaces of Linux."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from dc import invites
from dc.http_client import HttpClient
from dc.invites import Invite
from dc.view_access import NewToken
from tests.system.processes import ROOT, START_SECONDS, Machine, Program, until

SERVER, WORKER = "10.77.0.1", "10.77.0.2"

pytestmark = pytest.mark.skipif(
    not (sys.platform == "linux" and os.geteuid() == 0 and shutil.which("ip")),
    reason="network namespaces are made by root, with ip",
)


class Networks:
    """Two computers with a cable between them.

    Args:
        machine: where what belongs to them is.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.names = [f"dc{os.getpid()}{letter}" for letter in "ab"]
        self.token = self.pin = self.url = ""

    def set_up(self) -> bool:
        """Make them; return whether that could be done."""
        a, b = self.names
        made = [ip("netns", "add", name) for name in self.names]
        made.append(
            ip("link", "add", f"v{a}", "netns", a, "type", "veth", "peer", f"v{b}", "netns", b)
        )
        for name, address in zip(self.names, (SERVER, WORKER), strict=True):
            made.append(
                ip("-n", name, "addr", "add", f"{address}/24", "brd", "+", "dev", f"v{name}")
            )
            made += [ip("-n", name, "link", "set", one, "up") for one in ("lo", f"v{name}")]
        return all(made)

    def take_down(self) -> None:
        for name in self.names:
            ip("netns", "del", name)

    def python(self, at: int) -> Path:
        """Return an interpreter that runs on one of them."""
        path = self.machine.folder / f"python-{at}"
        path.write_text(f'#!/bin/sh\nexec ip netns exec {self.names[at]} {sys.executable} "$@"\n')
        path.chmod(0o755)
        return path

    async def serve(self, port: int) -> None:
        """Start a server on the first one, that lets itself be found."""
        plain = await self.machine.server()
        http = HttpClient(partial(trio.open_tcp_stream, "127.0.0.1", plain.port), "127.0.0.1")
        made = await http.send_json("POST", "/api/tokens", NewToken(["admin"], "test"))
        await http.aclose()
        await plain.program.stop(signal.SIGTERM)
        where = "--listen", f"0.0.0.0:{port}", "--announce", "--data", self.machine.data
        program = self.machine.start("dc.server", *where, name="server", python=self.python(0))
        await until(lambda: bool(pin_in(program)), "the pin", START_SECONDS, program.text)
        self.token, self.pin, self.url = made["secret"], pin_in(program), f"https://{SERVER}:{port}"

    def worker(self, name: str, *arguments: object) -> Program:
        """Start a worker on the second one."""
        rest = "--name", name, "--slots", 1, "--spares", 0
        folder = self.machine.folder / f"w-{name}"
        command = "dc.worker", *arguments, *rest, "--data", folder
        return self.machine.start(*command, name=name, python=self.python(1))

    def ask(self, method: str, path: str, value: object = None) -> Any:
        """Ask the server for something."""
        command = [str(self.python(0)), "-m", "tests.system.ask", self.url, self.pin, self.token]
        more = [] if value is None else [json.dumps(value)]
        done = subprocess.run(
            [*command, method, path, *more],
            capture_output=True,
            check=True,
            cwd=ROOT,
            timeout=60,
        )
        return json.loads(done.stdout or "null")

    async def until(self, path: str, condition: Callable[[Any], bool], program: Program) -> Any:
        """Wait until what is at a path is so, and return it."""
        deadline = trio.current_time() + START_SECONDS
        while not condition(found := await trio.to_thread.run_sync(self.ask, "GET", path)):
            assert trio.current_time() < deadline, f"{found}\n{program.text()}"
            await trio.sleep(0.2)
        return found

    async def is_here(self, name: str, program: Program) -> None:
        """Wait until a worker is connected."""
        await self.until("/api/workers", lambda found: name in str(found), program)


def ip(*arguments: str) -> bool:
    return subprocess.run(["ip", *arguments], capture_output=True, check=False).returncode == 0


def pin_in(program: Program) -> str:
    found = re.search("the pin of its key is ([0-9a-f]{64})", program.err.read_text())
    return found[1] if found and program.out.read_text().endswith("\n") else ""


@pytest.fixture
def networks(machine: Machine) -> Iterator[Networks]:
    networks = Networks(machine)
    try:
        if not networks.set_up():
            pytest.skip("no network namespaces can be made here")
        yield networks
    finally:
        for program in reversed(machine.programs):
            program.finish()
        networks.take_down()


async def confirm(networks: Networks, program: Program) -> None:
    """Say yes to the only worker that waits, once it shows the number that the server shows."""
    path = "/api/worker-keys"
    found = await networks.until(path, lambda found: bool(found["keys"]), program)
    key = found["keys"][0]
    number = f"{key['number'][:3]} {key['number'][3:]}"
    await until(lambda: number in program.text(), number, START_SECONDS, program.text)
    yes = partial(networks.ask, "POST", f"{path}/{key['key']}/approve", {})
    await trio.to_thread.run_sync(yes)


async def test_a_server_is_found_by_udp(networks: Networks) -> None:
    await networks.serve(8220)
    one = networks.worker("one", "--trust-network")
    await confirm(networks, one)
    await networks.is_here("one", one)
    # A code of which no address is right any more, and the key is.
    new = {"addresses": ["10.77.0.99:1"]}
    code = (await trio.to_thread.run_sync(networks.ask, "POST", "/api/invites", new))["code"]
    assert invites.read(code).addresses == [("10.77.0.99", 1)]
    two = networks.worker("two", code)
    await networks.is_here("two", two)
    # One that is told nothing, and whom nobody can tell whether it is the right server.
    three = networks.worker("three")
    assert await three.ended(START_SECONDS) == 2
    assert "nobody is here to compare a number" in three.text()
    # One with a code of another server.
    other = Invite(b"secret-ten", b"x" * 16, [(SERVER, 8220)]).text
    four = networks.worker("four", other)
    assert await four.ended(START_SECONDS) == 2
    assert "shows another key" in four.text()


async def test_a_server_at_any_port_is_found_by_mdns(networks: Networks) -> None:
    await networks.serve(18221)
    one = networks.worker("one", "--trust-network")
    await confirm(networks, one)
    await networks.is_here("one", one)
