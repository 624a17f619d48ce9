"""What the harness itself makes of serial ports, monitors and figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.boot.figures import Figures, table
from tests.boot.lines import SerialLine
from tests.boot.monitor import Monitor


async def test_a_serial_line_is_text_without_colours() -> None:
    line = SerialLine()
    line.take(b"\x1b[2J\x1b[1;37mready\x1b[0m\r\n# ")
    assert line.text == "ready\n# "


async def test_what_is_waited_for_may_come_in_pieces() -> None:
    line = SerialLine()
    async with trio.open_nursery() as nursery:

        async def come() -> None:
            for piece in (b"conn", b"ected \x1b[", b"0mto x\n"):
                await trio.testing.wait_all_tasks_blocked()
                line.take(piece)

        nursery.start_soon(come)
        assert (await line.wait_for("connected to (.)", 5.0))[1] == "x"


async def test_what_does_not_come_is_told_with_what_came(autojump_clock: object) -> None:
    line = SerialLine()
    line.take(b"old\n")
    since = len(line.text)
    line.take(b"new\n")
    with pytest.raises(AssertionError, match=r"(?s)waited 3 s for 'old' in:.new"):
        await line.wait_for("old", 3.0, since)


async def test_a_monitor_tells_events_from_answers(tmp_path: Path) -> None:
    listener = trio.socket.socket(trio.socket.AF_UNIX)
    await listener.bind(str(tmp_path / "m"))
    listener.listen(1)
    qemu = await trio.open_unix_socket(tmp_path / "m")
    ours, _ = await listener.accept()
    listener.close()
    monitor = Monitor()
    async with qemu, trio.open_nursery() as nursery:
        nursery.start_soon(monitor.follow, trio.SocketStream(ours))
        await qemu.send_all(b'{"QMP": {}}\n{"event": "RESET", "data": {"guest": true}}\n')
        await qemu.send_all(b'{"return": {"status": "running"}}\n{"error": {"desc": "no"}}\n')
        assert await monitor.ask("query-status") == {"status": "running"}
        with pytest.raises(AssertionError, match="bad"):
            await monitor.ask("bad")
        await monitor.until("RESET", 5.0)
        assert monitor.told("RESET") == [{"guest": True}]
        asked = await qemu.receive_some()
        assert json.loads(asked.splitlines()[0])["execute"] == "query-status"
        nursery.cancel_scope.cancel()


def test_figures_are_kept_and_those_with_goals_come_first(tmp_path: Path) -> None:
    Figures(tmp_path).note("another", "1 s")
    Figures(tmp_path).note("first task done, direct", "9.0 s")
    Figures(tmp_path).note("another", "2 s")
    lines = (tmp_path / "figures.md").read_text().splitlines()
    assert lines[2:] == ["| first task done, direct | 9.0 s | 12 s |", "| another | 2 s |  |"]
    assert table({}).startswith("| what | measured | goal |")
