"""The consoles of a booted computer: nothing that they do or do not holds the worker up."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from dc import limits_appliance
from dc.worker.appliance_panel import Console, Panel

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such consoles")


MARK = b"\0here\0"
SECONDS = 60  # for what the kernel does in a moment


class Pty:
    """Somebody who sits at a console."""

    def __init__(self) -> None:
        self.number, self._other = os.openpty()
        os.set_blocking(self.number, False)
        self.path = Path(os.ttyname(self._other))

    def read(self) -> str:
        """What has been written since: the kernel brings it a little later, in order."""
        os.write(self._other, MARK)
        found = b""
        while not found.endswith(MARK):
            assert select.select([self.number], [], [], SECONDS)[0], found
            found += os.read(self.number, 65536)
        return found.removesuffix(MARK).decode()

    def type(self, text: str) -> None:
        """Press some keys, and wait until they are echoed: then they have come."""
        os.write(self.number, text.encode())
        seen = ""
        while text not in seen:
            assert select.select([self.number], [], [], SECONDS)[0], seen
            seen += os.read(self.number, 65536).decode()

    def close(self) -> None:
        os.close(self.number)
        os.close(self._other)


@pytest.fixture
def pty() -> Iterator[Pty]:
    one = Pty()
    yield one
    one.close()


def test_a_screen_is_drawn_if_it_changes_or_after_a_while(pty: Pty) -> None:
    panel = Panel(pty.path, [])
    panel.draw(["title", "text"], 0.0)
    assert "\x1b[7mtitle\x1b[0m\x1b[K" in (seen := pty.read())
    assert "text" in seen
    panel.draw(["title", "text"], 1.0)
    assert pty.read() == ""
    panel.draw(["title", "other"], 2.0)
    assert "other" in pty.read()
    panel.draw(["title", "other"], 2.0 + limits_appliance.REDRAW_SECONDS)
    assert "other" in pty.read()
    panel.close()


def test_lines_go_to_all_others(pty: Pty, tmp_path: Path) -> None:
    panel = Panel(tmp_path / "none", [pty.path, tmp_path / "nothing"])
    panel.draw(["title"], 0.0)
    panel.tell(["one", "two"])
    assert pty.read().replace("\r\r", "\r") == "dc: one\r\ndc: two\r\n"
    assert not panel.has_keys
    panel.close()


def test_a_console_that_takes_nothing_holds_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    console = Console(path)
    taken = [console.write("x" * 1000) for _ in range(200)]
    assert taken[0]
    assert not taken[-1]
    seen = b""
    while not console.is_idle:
        seen += os.read(reader, 65536)
        console.flush()
    assert console.write("again")
    os.close(reader)
    assert console.write("lost")  # nobody is there any more
    console.close()


async def test_keys(pty: Pty) -> None:
    panel = Panel(pty.path, [])
    panel.draw(["title"], 0.0)
    assert panel.has_keys
    pty.type("early")  # before anything was asked
    pressed: list[str] = []

    async def ask() -> None:
        pressed.append(await panel.key())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        os.write(pty.number, b"y")
    assert pressed == ["y"]
    panel.close()
