"""`python -m dc top` on a terminal of its own, against a real server."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from tests.system.processes import COMMAND_SECONDS, Machine, Server, until

# The terminal becomes the one of the new session, so that Ctrl-C on it reaches the program.
START = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", *sys.argv[1:]])
"""
LEAVES_SCREEN, SHOWS_CURSOR = b"\x1b[?1049l", b"\x1b[?25h"


class Terminal:
    """A terminal with a program on it; `seen` is all that it has written."""

    def __init__(self, *arguments: object) -> None:
        self.master, self.slave = pty.openpty()
        self.resize(24, 80)
        self.before = termios.tcgetattr(self.slave)
        self.program = subprocess.Popen(
            [sys.executable, "-c", START, *map(str, arguments)],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color"},
        )
        os.set_blocking(self.master, False)
        self.seen = b""

    def resize(self, lines: int, columns: int) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, keys: str) -> None:
        self.seen = b""
        os.write(self.master, keys.encode())

    def shows(self, *words: str) -> bool:
        """Whether all of this has been written since the last key was pressed."""
        with suppress(BlockingIOError, OSError):
            while data := os.read(self.master, 65536):
                self.seen += data
        return all(word.encode() in self.seen for word in words)

    def shows_now(self, words: str, but: str) -> bool:
        """Whether this is on the screen as it was drawn last, and that is not."""
        self.shows()
        _, drawn, now = self.seen.rpartition(b"\x1b[H")
        return bool(drawn) and words.encode() in now and but.encode() not in now

    async def until(self, *words: str) -> None:
        await until(lambda: self.shows(*words), f"{words}", COMMAND_SECONDS, more=self.text)

    def text(self) -> str:
        return self.seen[-4000:].decode(errors="replace")

    async def ended(self) -> int:
        await until(lambda: self.shows() and self.program.poll() is not None, "its end")
        self.shows()
        return self.program.wait()

    @property
    def is_as_before(self) -> bool:
        """Whether keys are shown again, lines are edited, and the screen is the one before."""
        screen = self.seen.rfind(LEAVES_SCREEN) >= 0 and self.seen.rfind(SHOWS_CURSOR) >= 0
        return screen and termios.tcgetattr(self.slave) == self.before


@contextmanager
def top(server: Server) -> Iterator[Terminal]:
    terminal = Terminal("dc", "top", "--server", server.address, "--seconds", "0.2")
    try:
        yield terminal
    finally:
        terminal.program.kill()
        terminal.program.wait()
        os.close(terminal.master)
        os.close(terminal.slave)


async def test_a_job_is_watched_and_cancelled(machine: Machine) -> None:
    server = await machine.server()
    await machine.worker(server, "desk")
    async with machine.client(server) as client:
        job = await client.submit("wait_for", [str(machine.folder / "never")], name="patient")
        with top(server) as terminal:
            await terminal.until("1 of 1 busy on 1 worker", "patient", "wait_for", "desk", "q quit")
            terminal.press("c")
            await terminal.until("1 tasks will not be run? y/n")
            terminal.press("n")
            await terminal.until("nothing was done")
            terminal.press("2\r")
            await terminal.until("processors", f"{job.number}/0 wait_for")
            terminal.resize(30, 120)
            terminal.press("\x1b")
            await terminal.until("submitter")
            terminal.press("1cy")
            await terminal.until(f"job {job.number} is cancelled", "none unfinished")
            terminal.press("q")
            assert await terminal.ended() == 0
            assert terminal.is_as_before
        assert server.json(f"/api/jobs/{job.number}")["state"] == "cancelled"


async def test_it_outlives_the_server_and_leaves_by_ctrl_c(machine: Machine) -> None:
    server = await machine.server()
    with top(server) as terminal:
        await terminal.until("none is connected", "q quit")
        assert await server.program.stop() == 0
        terminal.press("j")
        await terminal.until("the server does not answer; trying again", "none is connected")
        await machine.server(port=server.port)
        terminal.press("?")
        await terminal.until("asks first")
        await until(lambda: terminal.shows_now("asks first", but="not answer"), "the new server")
        terminal.press("\x03")
        assert await terminal.ended() == 130
        assert terminal.is_as_before


@pytest.mark.parametrize("more", [[], ["--json"]])
async def test_without_a_terminal_it_is_written_once(machine: Machine, more: list[Any]) -> None:
    server = await machine.server()
    ended = machine.command("dc", "top", *more, "--server", server.address)
    assert ended.returncode == 0, ended.stderr
    assert "\x1b" not in ended.stdout
    wanted = '"attention"' if more else "nothing to do"
    assert wanted in ended.stdout
