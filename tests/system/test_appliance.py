"""The worker of a computer that was booted from the image, against a real server with TLS.

The computer is a folder that has what the image has in /run/dc, /etc/dc, /sys and /dev.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import trio

from dc.pipe import WAIT
from dc.process_tree import all_processes
from dc.worker import appliance
from tests.system.processes import START_SECONDS, Machine, Program, until
from tests.system.secured import SecureServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the image is Linux")


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureServer]:
    """A server for all tests; each has a computer of its own."""
    with Machine(tmp_path_factory.mktemp("secure")) as machine:
        yield trio.run(SecureServer.start, machine)


class Computer:
    """A computer; it forgets all that is not in the image when it boots.

    Args:
        machine: where it is.
        name: of it.
    """

    def __init__(self, machine: Machine, name: str) -> None:
        self._machine = machine
        self.name = name
        self.root = machine.folder / "root"
        self.put("etc/dc/image.json", json.dumps({"version": "9.8", "arch": "amd64"}))
        self.put("etc/dc/built", "1700000000")
        self.put(
            "sys/class/dmi/id/product_uuid",
            f"4c4c4544-0051-3510-8052-{name.encode().hex():0>12.12}\n",
        )
        self.put("sys/class/tty/console/active", "tty0 ttyS0\n")
        for device in ("tty1", "ttyS0", "watchdog"):
            self.put(f"dev/{device}", "")

    def put(self, path: str, text: str) -> None:
        """Write a file."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    @property
    def serial(self) -> str:
        """What the serial console has shown."""
        return (self.root / "dev/ttyS0").read_text()

    @property
    def screen(self) -> str:
        """What the screen has shown, all of it."""
        return (self.root / "dev/tty1").read_text()

    def boot(self, line: str, devices: Sequence[str] = ("tty1", "ttyS0")) -> Program:
        """Start its worker, with a kernel line; `devices` are new files."""
        self.put("run/dc/cmdline", f"console=ttyS0 quiet {line} dc.name={self.name}\n")
        self.put("run/dc/net/eth0.state", "10.0.2.15/24\n")
        self.put("run/dc/named", "")
        shutil.rmtree(self.root / appliance.DATA, ignore_errors=True)
        for device in devices:
            self.put(f"dev/{device}", "")
        environment = {appliance.ROOT_VARIABLE: str(self.root)}
        words = "dc.worker.booted", "--spares", 0
        return self._machine.start(*words, name="computer", environment=environment)

    async def shows(self, text: str, program: Program) -> None:
        """Wait until it has written something to its serial console."""

        def more() -> str:
            return f"{self.serial}\n{program.text()}"

        await until(
            lambda: text in self.serial or not program.alive, f"{text!r}", START_SECONDS, more
        )
        assert text in self.serial, more()


def words_below(pid: int) -> list[str]:
    """Return the last words of the command lines of a process's children."""
    children = (one.pid for one in all_processes() if one.parent == pid and one.is_alive)
    lines = (Path(f"/proc/{child}/cmdline").read_text() for child in children)
    return [line.rstrip("\0").rpartition("\0")[2] for line in lines]


async def order(server: SecureServer, computer: Computer, what: str) -> None:
    """Have the server order it something, as an operator does."""
    await server.ask("POST", f"/api/workers/{what}", {"names": [computer.name]})


async def test_it_joins_works_and_ends(machine: Machine, secure: SecureServer) -> None:
    code = await secure.invite()
    computer = Computer(machine, "works")
    program = computer.boot(f"dc.invite={code.code} dc.slots=2 dc.label=room=12")
    await secure.has_workers(computer.name, programs=(program,))
    await until(lambda: len(words_below(program.pid)) == 2, "two executors", more=program.text)
    words = words_below(program.pid)
    assert (len(words), words.count(WAIT)) == (2, 1), "of two executors one began before the worker"
    made = await secure.ask("POST", "/api/jobs", {"type": "square", "tasks": [3, 4]})
    path = f"/api/jobs/{made['job']}"
    await secure.until(path, lambda found: found["counts"]["done"] == 2, "the job", program)
    one = await secure.ask("GET", f"/api/workers/{computer.name}")
    assert (one["slots"], one["labels"]["room"], one["labels"]["image"]) == (2, "12", "9.8")
    await computer.shows("connected to https://127.0.0.1", program)
    assert await secure.uses_left(code) == 0

    # It feeds the watchdog and leaves it armed; the screen is drawn; nothing secret is on it.
    await until(lambda: "2 done" in computer.screen, "the figures", START_SECONDS, program.text)
    assert "0 of 2 slots at work" in computer.screen
    await order(secure, computer, "stop")
    assert await program.ended() == appliance.OFF
    assert (computer.root / "dev/watchdog").read_bytes().strip(b"\0") == b""
    assert (computer.root / "dev/watchdog").stat().st_size > 0
    assert code.code not in computer.screen + computer.serial + program.text()


async def test_booted_again_it_is_the_same_worker(machine: Machine, secure: SecureServer) -> None:
    """It has nothing but the code, which was used."""
    code = await secure.invite()
    computer = Computer(machine, "again")
    program = computer.boot(f"dc.invite={code.code}")
    await computer.shows("connected to https://127.0.0.1", program)
    key = await secure.key_of(computer.name)
    program.kill()
    program = computer.boot(f"dc.invite={code.code}")
    await computer.shows("connected to https://127.0.0.1", program)
    assert await secure.key_of(computer.name) == key
    assert await secure.uses_left(code) == 0
    await order(secure, computer, "reboot")
    assert await program.ended() == appliance.REBOOT


async def test_a_code_that_is_not_taken_is_told_and_it_tries_again(
    machine: Machine, secure: SecureServer
) -> None:
    code = await secure.invite()
    await secure.ask("DELETE", f"/api/invites/{code.invite.id}")
    computer = Computer(machine, "refused")
    program = computer.boot(f"dc.invite={code.code} dc.nonsense=1")
    await computer.shows("does not take this join code", program)
    assert "dc.nonsense is no word" in computer.serial
    await until(
        lambda: "trying again in" in computer.screen, "another try", START_SECONDS, program.text
    )
    # A network that names the server by another code is heeded without a boot.
    assert program.alive
    (computer.root / "run/dc/cmdline").write_text("quiet\n")
    other = await secure.invite()
    computer.put("run/dc/net/eth0.lease", f"ip=10.0.2.15\nopt224={other.code.encode().hex()}\n")
    await computer.shows("connected to https://127.0.0.1", program)


async def test_without_a_code_a_number_is_compared_at_its_keyboard(
    machine: Machine, secure: SecureServer
) -> None:
    computer = Computer(machine, "keyed")
    keyboard, screen = os.openpty()
    try:
        (computer.root / "dev/tty1").unlink()
        (computer.root / "dev/tty1").symlink_to(os.ttyname(screen))
        program = computer.boot(f"dc.server={secure.server.authority}", devices=["ttyS0"])
        os.set_blocking(keyboard, False)
        await computer.shows("compare it at https://127.0.0.1", program)
        told = re.search(r"the number (\d{3}) (\d{3})", computer.serial)
        assert told is not None
        waiting = await secure.key_of(computer.name)
        assert waiting["number"] == told[1] + told[2]
        drawn = b""
        while b"Press y" not in drawn:
            await trio.lowlevel.wait_readable(keyboard)
            drawn += os.read(keyboard, 65536)
        os.write(keyboard, b"y")
        await secure.ask("POST", f"/api/worker-keys/{waiting['key']}/approve", {})
        await computer.shows("connected to https://127.0.0.1", program)
    finally:
        os.close(keyboard)
        os.close(screen)


async def test_where_the_network_is_trusted_the_yes_on_the_page_is_enough(
    machine: Machine, secure: SecureServer
) -> None:
    computer = Computer(machine, "trusting")
    program = computer.boot(f"dc.server={secure.server.authority} dc.trust-network=1")
    await computer.shows("compare it at https://127.0.0.1", program)
    waiting = await secure.key_of(computer.name)
    await secure.ask("POST", f"/api/worker-keys/{waiting['key']}/approve", {})
    await computer.shows("connected to https://127.0.0.1", program)


async def test_one_that_was_deleted_says_so(machine: Machine, secure: SecureServer) -> None:
    code = await secure.invite()
    computer = Computer(machine, "gone")
    program = computer.boot(f"dc.invite={code.code}")
    await computer.shows("connected to https://127.0.0.1", program)
    await order(secure, computer, "delete")
    await computer.shows("deleted", program)
    assert program.alive
