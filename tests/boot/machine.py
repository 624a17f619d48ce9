"""A computer that runs in QEMU: switched on, watched, typed at, switched off; never left behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, Final

import trio

from tests.boot.hardware import Hardware, firmware_of
from tests.boot.lines import SerialLine
from tests.boot.monitor import Monitor

# QEMU ends with the process that has started it, however that ends.
LEASH: Final = ("setpriv", "--pdeathsig", "KILL")
CONNECT_SECONDS: Final = 60.0
ENDS: Final = ("serial", "monitor")


class Machine:
    """A computer that is switched on.

    Attributes:
        serial: its serial port.
        monitor: QEMU's own.
        since: the monotonic time at which it was switched on.
        folder: where pictures and the like may be put for a while.
    """

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.serial = SerialLine()
        self.monitor = Monitor()
        self.since = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long ago it was switched on."""
        return time.monotonic() - self.since

    @property
    def worked(self) -> float:
        """Seconds that processors have worked for it, however busy they are with other things."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def alive(self) -> bool:
        """Whether it is on."""
        return self.process.poll() is None

    async def wait(self) -> None:
        """Wait until it is off."""
        if self.alive:
            handle = os.pidfd_open(self.process.pid)
            try:
                await trio.lowlevel.wait_readable(handle)
            finally:
                os.close(handle)
            self.process.wait()

    def text(self) -> str:
        """What it has said, for messages."""
        return self.serial.text[-6000:] + (self.folder / "qemu.log").read_text(errors="replace")

    async def says(self, pattern: str, seconds: float, since: int = 0) -> re.Match[str]:
        """Wait until something has been written to its serial port; return what matched."""
        return await self.serial.wait_for(pattern, seconds, since)

    async def open_shell(self, seconds: float) -> None:
        """Open a shell on the serial port of a computer that was booted with dc.shell=1.

        The worker may write its lines there at any time, also behind the shell's prompt.
        """
        await self.says("Press Enter for a shell", seconds)
        begin = len(self.serial.text)
        await self.serial.type("\n")
        await self.says("/ # ", seconds, begin)

    async def shell(self, command: str, seconds: float = 120.0) -> str:
        """Type a command at the shell that is open, and return what it writes."""
        begin = len(self.serial.text)
        # The marks are not in what is echoed: the shell puts them together.
        await self.serial.type(f"echo dc''-begin; {command}; echo dc''-end=$?\n")
        found = await self.says(r"(?s)dc-begin\n(.*?)dc-end=(\d+)", seconds, begin)
        return found[1]

    async def close_shell(self) -> None:
        """Leave the shell."""
        await self.serial.type("exit\n")

    async def off(self, seconds: float) -> float:
        """Wait until it has switched itself off; return how long that took.

        Raises:
            AssertionError: it is on still, or QEMU has failed.
        """
        begin = time.monotonic()
        with trio.move_on_after(seconds):
            await self.wait()
        assert self.process.returncode == 0, f"after {seconds:g} s: {self.text()}"
        return time.monotonic() - begin

    async def watch(self) -> None:
        """Wait until it is off.

        Raises:
            AssertionError: it was neither switched off nor killed, but QEMU has failed.
        """
        await self.wait()
        assert self.process.returncode in {0, -signal.SIGKILL}, self.text()

    async def plug(self, card: int, *, into: bool) -> None:
        """Put the cable into one of its network cards, or pull it."""
        await self.monitor.ask("set_link", name=f"net{card}", up=into)

    async def press_power(self) -> None:
        """Press its power button."""
        await self.monitor.ask("system_powerdown")

    async def picture(self, place: Path) -> None:
        """Write what is on its screen to a PNG file."""
        await self.monitor.ask("screendump", filename=str(place), format="png")

    async def kill(self) -> None:
        """Pull its plug."""
        if self.alive:
            self.process.kill()
        with trio.CancelScope(shield=True):
            await self.wait()


@asynccontextmanager
async def switched_on(
    hardware: Hardware, image: Path, medium: Path | None = None
) -> AsyncIterator[Machine]:
    """Switch a computer on, and in the end off, whatever has happened.

    Args:
        hardware: what it is.
        image: the folder with the results of a build.
        medium: what it boots from, where that is no direct start; the folder's worker.iso if None.
    """
    with tempfile.TemporaryDirectory(prefix="dc-boot-") as name:
        folder = Path(name)
        if hardware.uefi:
            shutil.copy(firmware_of(hardware.arch)[1], folder / "vars.fd")
        medium = medium or image / "worker.iso"
        command = [*hardware.arguments(image, medium, folder), *consoles(folder)]
        sockets = {end: await listening(folder / end) for end in ENDS}
        with (folder / "qemu.log").open("wb") as log:
            machine = Machine(begun(command, log), folder)
        try:
            async with trio.open_nursery() as nursery:
                streams = {end: await connected(sockets[end], machine) for end in ENDS}
                nursery.start_soon(machine.serial.follow, streams["serial"])
                nursery.start_soon(machine.monitor.follow, streams["monitor"])
                nursery.start_soon(machine.watch)
                await let_run(machine, hardware)
                yield machine
                await machine.kill()
        except BaseException as error:
            error.add_note(f"The computer after {machine.seconds:.0f} s: {machine.text()}")
            raise
        finally:
            await machine.kill()


def begun(command: Sequence[str], log: BinaryIO) -> subprocess.Popen[bytes]:
    """Start QEMU. The leash is held by the thread that calls this: by that of the tests."""
    return subprocess.Popen(
        [*LEASH, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
    )


async def let_run(machine: Machine, hardware: Hardware) -> None:
    """Have it begin, with its cables as they are to be."""
    await machine.monitor.ask("qmp_capabilities")
    for index, card in enumerate(hardware.cards):
        if not card.plugged:
            await machine.plug(index, into=False)
    machine.since = time.monotonic()
    await machine.monitor.ask("cont")


def consoles(folder: Path) -> list[str]:
    """Return the arguments that have QEMU call us, so that nothing it says is lost."""
    serial = ["-chardev", f"socket,id=serial,path={folder / 'serial'}", "-serial", "chardev:serial"]
    monitor = ["-chardev", f"socket,id=monitor,path={folder / 'monitor'}"]
    return [*serial, *monitor, "-mon", "chardev=monitor,mode=control", "-S"]


async def listening(path: Path) -> trio.socket.SocketType:
    """Return a socket at which QEMU will call."""
    found = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM)
    await found.bind(str(path))
    found.listen(1)
    return found


async def connected(listener: trio.socket.SocketType, machine: Machine) -> trio.SocketStream:
    """Wait for QEMU's call.

    Raises:
        AssertionError: it does not come.
    """
    with trio.move_on_after(CONNECT_SECONDS), listener:
        stream, _ = await listener.accept()
        return trio.SocketStream(stream)
    raise AssertionError(f"QEMU does not start: {machine.text()}")
