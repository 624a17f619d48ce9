"""What is around the worker of a booted computer: its screen, and who looks at it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import trio

from dc import limits_appliance
from dc.dial import Server
from dc.errors import StartError
from dc.worker import appliance_attendant, networks
from dc.worker.appliance_attendant import ApplianceAttendant, ScreenTerminal, Trouble
from dc.worker.appliance_clock import Clock
from dc.worker.appliance_panel import Panel
from dc.worker.appliance_place import Place
from dc.worker.appliance_settings import Settings
from dc.worker.finding import Where
from dc.worker.networks import Asked
from dc.worker.statistics import Running, Statistics

SERVER = Server("10.0.2.2", 8220, tls=True)
LOG = logging.getLogger("dc.worker")


class FakePanel(Panel):
    """Consoles that remember what was written, and keys that are pressed one after the other."""

    def __init__(self, *keys: str) -> None:
        self.lines: list[str] = []
        self.told: list[str] = []
        self._keys = list(keys)

    has_keys = True

    def draw(self, lines: Any, now: float) -> None:
        self.lines = lines

    def tell(self, lines: Any) -> None:
        self.told += lines

    async def key(self) -> str:
        if not self._keys:
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()
        return self._keys.pop(0)


class FakeApp:
    """A worker of which only the figures are asked for."""

    def __init__(self) -> None:
        self.connected = True
        self.done = 0
        self.running: list[Running] = []

    def statistics(self) -> Statistics:
        none = dict.fromkeys(("fetching", "queued", "given", "putting", "unrecorded"), 0)
        return Statistics(
            **none, executors=1, connected=self.connected, done=self.done, failed=1, slots=2,
            running=self.running,
        )  # fmt: skip


class World:
    """An attendant on a computer without files."""

    def __init__(self, root: Path) -> None:
        self.panel, self.trouble = FakePanel(), Trouble()
        clock = Clock(0.0)
        self.attendant = ApplianceAttendant(Place(root), self.panel, clock, self.trouble)

    @property
    def screen(self) -> str:
        """What is drawn now."""
        self.attendant.draw()
        return "\n".join(self.panel.lines)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    one = World(tmp_path)
    LOG.addHandler(one.trouble)
    yield one
    LOG.removeHandler(one.trouble)


async def test_a_worker_is_seen_to_connect_and_to_lose_its_server(
    world: World, autojump_clock: trio.testing.MockClock
) -> None:
    app: Any = FakeApp()
    attendant = world.attendant
    attendant.begin(Settings())
    LOG.warning("cannot reach it")
    assert "cannot reach it" in world.screen
    assert attendant.may_begin_anew(trio.current_time())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(attendant.beside, app, SERVER)
        await trio.testing.wait_all_tasks_blocked()
        screen = world.screen
        assert "https://10.0.2.2:8220, connected" in screen
        assert "cannot reach it" not in screen
        assert not attendant.may_begin_anew(trio.current_time() + 1e6)
        app.connected, app.running = False, [Running(0, "work", 1, 2, 3.0)]
        assert "https://10.0.2.2:8220 is lost" in world.screen
        late = trio.current_time() + limits_appliance.LOST_SECONDS
        assert not attendant.may_begin_anew(late), "a task would be lost"
        app.running, app.done = [], 5
        assert "5 done, 1 failed" in world.screen
        assert attendant.may_begin_anew(late)
        assert not attendant.may_begin_anew(late - 1)
        nursery.cancel_scope.cancel()
    attendant.failed("no", 9.0)
    assert "no; trying again in 9 s" in world.screen
    attendant.begin(Settings(Where(url="https://h:1"), "the kernel line"))
    async with trio.open_nursery() as nursery:  # another worker counts on
        nursery.start_soon(attendant.beside, FakeApp(), SERVER)  # type: ignore[arg-type]
        await trio.testing.wait_all_tasks_blocked()
        assert "5 done, 2 failed" in world.screen
        nursery.cancel_scope.cancel()


async def test_a_number_stays_on_the_screen_until_the_worker_is_in(world: World) -> None:
    terminal = world.attendant.terminal
    world.attendant.begin(Settings())
    terminal.show_number("123456", "https://h/workers")
    assert "at https://h/workers" in world.screen
    assert "at https://h/workers" in world.screen
    world.attendant.begin(Settings())
    assert "at https://h/workers" not in world.screen
    assert world.panel.told.count("the number 123 456: compare it at https://h/workers") == 1


async def test_only_an_answer_is_one(autojump_clock: trio.testing.MockClock) -> None:
    terminal = ScreenTerminal(FakePanel("\x1b[A", "x", "Y"))
    terminal.show_number("123456", "url")
    assert await terminal.ask("the same?") == "y"
    assert (terminal.number, terminal.question) == ("123456", "")
    terminal = ScreenTerminal(FakePanel("y", "2"))
    assert await terminal.ask("which one?") == "2"
    began = trio.current_time()
    with pytest.raises(StartError, match=r"dc\.trust-network=1"):
        await ScreenTerminal(FakePanel()).ask("the same?")
    assert trio.current_time() - began == limits_appliance.COMPARE_SECONDS


async def test_whom_it_asks_for_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not this computer: whatever listens here is a task."""
    asked: list[Asked] = []

    class FakeDiscovery:
        def __init__(self, all_: list[Asked], mdns: tuple[str, ...]) -> None:
            assert mdns == ()
            asked.extend(all_)

        async def run(self) -> list[Any]:
            await trio.lowlevel.checkpoint()
            return []

    here = [Asked(networks.LOOPBACK), Asked("10.0.0.255", "10.0.0.9"), Asked("10.0.0.1")]
    monkeypatch.setattr(networks, "all_asked", lambda: here)
    monkeypatch.setattr(appliance_attendant, "Discovery", FakeDiscovery)
    lease = tmp_path / "run/dc/net/eth0.lease"
    lease.parent.mkdir(parents=True)
    lease.write_text("router=10.0.0.1\nserverid=10.0.0.2\n")
    world = World(tmp_path)
    assert world.attendant.here is None
    assert await world.attendant.discover() == []
    assert asked == [here[1], here[2], Asked("10.0.0.2")]


async def test_the_clock_of_a_test_is_not_set(world: World) -> None:
    world.attendant.told_date(formatdate(2e9, usegmt=True), is_known=True)
    assert world.trouble.text == ""
