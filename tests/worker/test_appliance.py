"""The worker of a computer that was booted from the image: what it makes of how it ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
from msgspec import Struct

from dc import invites
from dc.errors import StartError
from dc.invites import Invite
from dc.worker import appliance, worker_key
from dc.worker.appliance import ANEW, OFF, REBOOT, Appliance, be, pause_after, status_of, words_of
from dc.worker.appliance_key import Keys, computer_id, keys_of
from dc.worker.appliance_place import Place
from dc.worker.appliance_settings import Settings
from dc.worker.attendant import Attendant
from dc.worker.folder import open_folder
from dc.worker.join_options import JoinOptions
from dc.worker.leaving import DELETED

CODE = Invite(b"s" * 10, b"p" * 16, [("192.0.2.7", 8220)]).text
MIB = 1024 * 1024


class How(Struct):
    again: bool = False
    power: str = ""


@pytest.mark.parametrize(
    ("how", "status"),
    [
        (How(), OFF),
        (How(power="off"), OFF),
        (How(power="reboot"), REBOOT),
        (How(power="reread"), ANEW),
        (How(again=True), ANEW),
    ],
)
def test_the_status_is_what_the_computer_is_to_do(how: How, status: int) -> None:
    assert status_of(how) == status
    assert {OFF: 0, REBOOT: 3, ANEW: 4}[status] == status  # as the image's scripts know them


def test_pauses_grow_to_a_minute() -> None:
    assert [pause_after(failures) for failures in (0, 1, 2, 3, 4, 99)] == [5, 10, 20, 40, 60, 60]


def test_the_command_line() -> None:
    folder = Path("/var/lib/dc")
    assert words_of(Settings(), "", folder) == ["--data=/var/lib/dc"]
    told = Settings(slots=2, name="-n", labels={"a": "b c", "image": "mine"})
    assert words_of(told, "1.2", folder) == [
        *("--data=/var/lib/dc", "--label=image=mine", "--label=a=b c", "--slots=2", "--name=-n"),
    ]


@pytest.mark.parametrize(
    ("memory", "processors", "is_told", "words"),
    [
        (0, 8, False, []),
        (4096 * MIB, 8, False, []),
        (250 * MIB, 4, False, ["--slots=1", "--spares=0"]),
        (250 * MIB, 4, True, ["--spares=0"]),
        (100 * MIB, 1, False, ["--spares=0"]),
        (500 * MIB, 2, False, ["--spares=0"]),
        (1000 * MIB, 64, False, ["--slots=13"]),
    ],
)
def test_little_memory(memory: int, processors: int, is_told: bool, words: list[str]) -> None:
    assert appliance.thrifty(memory, processors, is_told=is_told) == words


def test_a_folder_is_that_of_its_keys(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    one, two = keys_of(b"s" * 10, "uuid a"), keys_of(b"t" * 10, "uuid a")

    def known() -> Keys:
        key = (folder / worker_key.NAME).read_text().strip()
        with open_folder(folder) as opened:
            return Keys(bytes.fromhex(key), opened.key)

    be(folder, one)
    assert known() == one
    (folder / "servers").write_text("[]")
    be(folder, one)
    assert (folder / "servers").exists()
    be(folder, None)
    assert known() == one
    be(folder, two)
    assert known() == two
    assert not (folder / "servers").exists()


class World:
    """A computer whose worker is a function.

    Args:
        root: that stands for `/`.
        work: what each of its workers does, one after the other.
    """

    def __init__(self, root: Path, *work: Callable[[], Awaitable[How]]) -> None:
        self.root = root
        self.joins: list[JoinOptions] = []
        self._work = list(work)
        self.line("quiet")
        (root / "run/dc/named").touch()

    def line(self, text: str) -> None:
        """Have this be the kernel line."""
        (self.root / "run/dc").mkdir(parents=True, exist_ok=True)
        (self.root / "run/dc/cmdline").write_text(text)

    async def work(self, words: list[str], join: JoinOptions, attendant: Attendant) -> How:
        """Do what the next worker does."""
        assert f"--data={self.root / appliance.DATA}" in words
        assert attendant.appliance is not None
        self.joins.append(join)
        return await self._work.pop(0)()

    async def run(self) -> int:
        return await Appliance(Place(self.root), [], self.work).run()


def ends(power: str = "") -> Callable[[], Awaitable[How]]:
    async def end() -> How:
        await trio.lowlevel.checkpoint()
        return How(power=power)

    return end


async def refused() -> How:
    await trio.lowlevel.checkpoint()
    raise ExceptionGroup("a nursery", [StartError("no")])


async def waits() -> How:
    await trio.sleep_forever()
    return How()


async def test_it_tries_again_whatever_is_wrong(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    world = World(tmp_path, refused, refused, ends(DELETED), refused, ends("reboot"))
    began = trio.current_time()
    assert await world.run() == REBOOT
    assert trio.current_time() - began == 5 + 10 + 20 + 40


async def test_other_settings_are_heeded_at_once(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """Both while a worker waits to be let in, and while the next try is waited for."""
    world = World(tmp_path, waits, refused, ends())

    async def tell() -> None:
        await trio.sleep(100)
        world.line(f"dc.invite={CODE}")
        await trio.sleep(4)
        world.line("dc.server=h:1 dc.trust-network=1")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(tell)
        assert await world.run() == OFF
        assert trio.current_time() < 110
    assert [one.where.invite for one in world.joins] == [None, invites.read(CODE), None]
    assert world.joins[2].where.url == "https://h:1"
    assert world.joins[2].trusts_network


async def test_the_first_card_gives_the_name(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    world = World(tmp_path, ends())
    named = tmp_path / "run/dc/named"
    named.unlink()
    early = tmp_path / "run/dc/early-done"
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.run)
        await trio.sleep(50)  # drivers may take long, and are waited for
        assert not world.joins
        early.touch()
        await trio.sleep(5)
        assert not world.joins
        named.touch()
        await trio.sleep(0.2)
        assert len(world.joins) == 1
    assert trio.current_time() - began < 56


async def test_a_computer_without_a_card_is_not_waited_for_for_ever(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    world = World(tmp_path, ends())
    (tmp_path / "run/dc/named").unlink()
    (tmp_path / "run/dc/early-done").touch()
    began = trio.current_time()
    assert await world.run() == OFF
    assert trio.current_time() - began == pytest.approx(8)


async def test_a_first_card_that_comes_late_gives_its_name_to_a_worker_that_is_not_in(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    world = World(tmp_path, waits, ends())
    world.line(f"dc.invite={CODE}")
    (tmp_path / "run/dc/named").unlink()
    (tmp_path / "run/dc/devices-done").touch()
    card = tmp_path / "sys/class/net/eth0"

    def key() -> str:
        return (tmp_path / appliance.DATA / worker_key.NAME).read_text("ascii")

    with trio.fail_after(90):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.run)
            await trio.sleep(60)
            assert len(world.joins) == 1
            assert not (
                tmp_path / appliance.DATA
            ).exists()  # nothing tells it from other computers yet
            (card / "device").mkdir(parents=True)
            (card / "address").write_text("52:54:00:12:34:56\n")
    assert len(world.joins) == 2
    computer = computer_id("", ["52:54:00:12:34:56"])
    assert key() == f"{keys_of(invites.read(CODE).secret, computer).private.hex()}\n"


async def test_a_crash_is_one(tmp_path: Path) -> None:
    async def crash() -> How:
        await trio.lowlevel.checkpoint()
        raise RuntimeError("a mistake")

    with pytest.raises(ExceptionGroup):
        await World(tmp_path, crash).run()
