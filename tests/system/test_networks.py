"""Each way in, over networks: two subnets with a router, a proxy, a computer with a wrong clock."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pytest
import trio

from dc import invites
from dc.invites import Invite
from tests.system.networks import Networks
from tests.system.processes import COMMAND_SECONDS, ROOT, START_SECONDS, Machine, Program, until

PORT: Final = 8220
SERVER: Final = "10.77.1.2"
OTHER: Final = "10.77.1.4"
PROXY: Final = "10.77.3.1"
CODE: Final = re.compile(r"dc1-[a-z2-7]+")
NUMBER: Final = re.compile(r"\b(\d{3}) ?(\d{3})\b")
SECONDS: Final = 60.0
"""In which a worker is in: some seconds, on a busy computer."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such namespaces")


class Lab:
    """A server that others reach, and what runs on the computers around it."""

    def __init__(self, networks: Networks, machine: Machine) -> None:
        self.networks = networks
        self.machine = machine
        self.server: Program
        self.other: Program
        self.workers: list[Program] = []

    def start(
        self,
        host: str,
        *arguments: object,
        name: str,
        environment: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> Program:
        """Start `python -m ARGUMENTS` on a computer, with more in its environment or before it."""
        own = {
            "PYTHONPATH": str(ROOT),
            "XDG_CONFIG_HOME": str(self.machine.folder / f"{name}-config"),
            "XDG_STATE_HOME": str(self.machine.folder / f"{name}-state"),
            **(environment or {}),
        }
        prefix = [*self.networks.on(host), *prefix]
        return self.machine.start(*arguments, name=name, environment=own, prefix=prefix)

    async def serve(self, host: str, data: str, *arguments: object) -> Program:
        """Start a server on a computer; return once it listens."""
        where = "--listen", f"0.0.0.0:{PORT}", "--data", self.machine.folder / data
        program = self.start(host, "dc.server", *where, *arguments, name=data)
        await until(
            lambda: "add a computer" in program.text() or not program.alive,
            "the server",
            START_SECONDS,
            program.text,
        )
        assert program.alive, program.text()
        return program

    def command(self, of: str, host: str, *arguments: object) -> str:
        """Run `python -m dc ARGUMENTS` as who has started a server."""
        config = str(self.machine.folder / f"{of}-config")
        done = subprocess.run(
            [*self.networks.on(host), sys.executable, "-m", "dc", *map(str, arguments)],
            env={**os.environ, "XDG_CONFIG_HOME": config, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def code(self, *arguments: object) -> str:
        """Have the server invite somebody; return the join code."""
        code: str = CODE.findall(self.command("data", "server", "invite", *arguments))[0]
        return code

    def worker(self, host: str, *arguments: object, name: str = "", **options: Any) -> Program:
        """Start a worker on a computer."""
        name = name or host
        rest = "--name", name, "--spares", 0
        return self.start(host, "dc.worker", *arguments, *rest, name=name, **options)

    async def is_in(self, name: str, program: Program) -> None:
        """Wait until a worker is connected."""
        began = time.monotonic()
        await until(
            lambda: "connected to" in program.text() or not program.alive,
            f"{name} to be in",
            SECONDS,
            program.text,
        )
        assert program.alive, program.text()
        print(f"{name}: in after {time.monotonic() - began:.1f} s")
        self.workers.append(program)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Two servers, one of them ours, and nobody in yet."""
    with Networks() as networks, Machine(tmp_path_factory.mktemp("lab")) as machine:
        lab = Lab(networks, machine)
        lab.server = trio.run(lab.serve, "server", "data", "--announce")
        lab.other = trio.run(lab.serve, "proxy", "other")
        yield lab


# --- each way in --------------------------------------------------------------------------------


async def test_a_number_is_compared_in_the_same_network(lab: Lab) -> None:
    desk = lab.worker("desk", "--trust-network")
    await until(lambda: bool(NUMBER.search(desk.text())), "a number", SECONDS, desk.text)
    found = NUMBER.search(desk.text())
    assert found is not None
    lab.command("data", "server", "approve", "".join(found.groups()))
    await lab.is_in("desk", desk)


async def test_a_code_is_enough_behind_the_router(lab: Lab) -> None:
    laptop = lab.worker("laptop", lab.code())
    await lab.is_in("laptop", laptop)


async def test_a_clock_of_2001_does_not_matter(lab: Lab) -> None:
    faketime = shutil.which("faketime")
    assert faketime is not None, "install it: apt install faketime"
    clock = [faketime, "2001-01-01 00:00:00"]
    clockless = lab.worker("clockless", lab.code(), prefix=clock, environment=FAKE)
    await lab.is_in("clockless", clockless)


async def test_a_proxy_is_gone_through(lab: Lab) -> None:
    proxy = lab.start("proxy", "tests.system.connect_proxy", 3128, name="proxy")
    await until(lambda: "listening" in proxy.text(), "the proxy", SECONDS, proxy.text)
    through = {"HTTPS_PROXY": f"http://{PROXY}:3128"}
    guarded = lab.worker("guarded", lab.code(), environment=through)
    await lab.is_in("guarded", guarded)
    assert f"passed on to {SERVER}" in proxy.text()


async def test_all_are_back_when_the_server_is(lab: Lab) -> None:
    laptop = lab.worker("laptop", lab.code(), name="laptop-again")
    await lab.is_in("laptop-again", laptop)
    await lab.server.stop()
    where = "--listen", f"0.0.0.0:{PORT}", "--announce", "--data", lab.machine.folder / "data"
    lab.server = lab.start("server", "dc.server", *where, name="data")
    for worker in [laptop, *lab.workers[:2]]:
        await until(
            lambda worker=worker: worker.text().count("connected to") > 1,  # type: ignore[misc]
            f"{worker.name} to be back",
            2 * SECONDS,
            worker.text,
        )


# --- what is refused ----------------------------------------------------------------------------


async def test_a_server_in_between_is_refused(lab: Lab) -> None:
    code = lab.code()
    said = invites.read(code)
    astray = Invite(said.secret, said.pin, [(OTHER, PORT)]).text
    laptop = lab.worker("laptop", astray, name="astray")
    assert await laptop.ended(SECONDS) != 0
    assert "another key than" in laptop.text(), laptop.text()
    laptop = lab.worker("laptop", code, name="astray-no-more")  # no use of it was spent by that
    await lab.is_in("astray-no-more", laptop)


async def test_a_server_that_has_moved_is_found_by_its_key(lab: Lab) -> None:
    said = invites.read(lab.code())
    elsewhere = Invite(said.secret, said.pin, [(OTHER, PORT)]).text
    await lab.is_in("mover", lab.worker("desk", elsewhere, name="mover"))


async def test_a_used_code_is_refused(lab: Lab) -> None:
    code = lab.code()
    await lab.is_in("first", lab.worker("desk", code, name="first"))
    late = lab.worker("laptop", code, name="second")
    assert await late.ended(SECONDS) != 0
    assert "join code" in late.text(), late.text()


async def test_a_code_that_was_taken_back_is_refused(lab: Lab) -> None:
    said = lab.command("data", "server", "invite")
    taken_back = re.findall(r"invite revoke ([0-9a-f]{8})", said)
    lab.command("data", "server", "invite", "revoke", taken_back[0])
    late = lab.worker("laptop", CODE.findall(said)[0], name="too-late")
    assert await late.ended(SECONDS) != 0
    assert "join code" in late.text(), late.text()


async def test_who_has_nothing_is_not_let_in(lab: Lab) -> None:
    guest = lab.worker("laptop", f"https://{SERVER}:{PORT}", name="guest")
    assert await guest.ended(SECONDS) != 0
    assert "DC_PIN" in guest.text() or "join code" in guest.text(), guest.text()
    assert "guest" not in lab.command("data", "server", "workers")


FAKE: Final = {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}
