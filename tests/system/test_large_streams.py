"""A client's large bytes, to a whole server and back, over slow wires that are cut again and again.

The clock is simulated: a megabyte takes some seconds.
"""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

import dc
from dc import limits
from tests.system.memory_world import Wire, World, running_world

BIG = random.Random(1).randbytes(3 * limits.MIB + 12_345)
DIGEST = hashlib.sha256(BIG).hexdigest()
CUTS = 10


class Cutter:
    """Cuts what a client has open each time that a transfer has got on by a tenth.

    Attributes:
        cuts: how many there were.
    """

    def __init__(self, world: World, client: dc.AsyncClient, wires: list[Wire]) -> None:
        self.cuts = 0
        self._world = world
        self._client = client
        self._wires = wires

    async def run(self, restart: int = -1) -> None:
        """Cut CUTS times; the server is killed and started again in the place of one."""
        while self.cuts < CUTS:
            await trio.sleep(0.01)
            going = self._client.connector.transfers.going
            if going and going[0].moved > len(BIG) * (self.cuts + 1) / (CUTS + 2):
                self.cuts += 1
                if self.cuts == restart:
                    await self._world.kill_server()
                    await self._world.start_server()
                for wire in self._wires:
                    wire.cut()
                self._wires.clear()


@asynccontextmanager
async def slow(folder: Path) -> AsyncIterator[tuple[World, dc.AsyncClient, Cutter]]:
    wires: list[Wire] = []
    async with running_world(folder, workers=0) as world:
        world.make_wire = lambda: Wire(lambda: 0.05, room=64 * limits.KIB)  # type: ignore[method-assign]
        async with world.client(wires) as client:
            yield world, client, Cutter(world, client, wires)


def here(path: Path) -> Path:
    """Return a path to be used in this very step: the simulated clock does not wait for threads."""
    return Path(path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "big"
    path.write_bytes(BIG)
    return path


async def test_a_file_arrives_through_cuts_and_a_restart(
    tmp_path: Path, file: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with slow(tmp_path) as (world, client, cutter), trio.open_nursery() as nursery:
        nursery.start_soon(cutter.run, 5)
        ref = await client.put(file)
        assert (ref.digest, cutter.cuts) == (DIGEST, CUTS)
        path = world.app.blobs.path(bytes.fromhex(ref.digest))
        assert path is not None
        assert here(path).read_bytes() == BIG


async def test_it_is_saved_through_cuts_and_a_restart(
    tmp_path: Path, file: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with slow(tmp_path) as (_, client, cutter), trio.open_nursery() as nursery:
        ref = await client.put(file)
        handle = await client.blob(ref)
        nursery.start_soon(cutter.run, 5)
        to = await handle.save(tmp_path / "back")
        assert cutter.cuts == CUTS
        assert here(to).read_bytes() == BIG
        assert not [name for name in os.listdir(tmp_path) if name.endswith(".part")]  # noqa: PTH208


async def test_what_was_cancelled_is_gone_on_with(
    tmp_path: Path, file: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with slow(tmp_path) as (_, client, _):
        handle = await client.blob(await client.put(file))
        part = here(tmp_path / "back.part")
        with trio.move_on_after(0.3) as scope:
            await handle.save(tmp_path / "back")
        assert scope.cancelled_caught
        assert 0 < part.stat().st_size < len(BIG)
        begin = trio.current_time()
        await handle.save(tmp_path / "back")
        rest = trio.current_time() - begin
        assert here(tmp_path / "back").read_bytes() == BIG
        begin = trio.current_time()
        await handle.save(tmp_path / "again")
        assert rest < trio.current_time() - begin
        assert not part.exists()


async def test_a_payload_that_the_server_has_is_not_sent_again(
    tmp_path: Path, file: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with slow(tmp_path) as (_, client, _):
        begin = trio.current_time()
        await client.put(file)
        first, begin = trio.current_time() - begin, trio.current_time()
        await client.put(file)
        assert trio.current_time() - begin < first / 5


async def test_a_server_that_does_not_come_back_is_told(
    tmp_path: Path, file: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with slow(tmp_path) as (world, client, _):
        handle = await client.blob(await client.put(file))
        await world.kill_server()
        with pytest.raises(dc.ConnectionLost):
            await handle.save(tmp_path / "back")
        with pytest.raises(dc.ConnectionLost):
            await client.put(b"other" * 100_000)
        await world.start_server()
        assert await handle.read() == BIG


async def test_a_removed_blob_is_told(
    tmp_path: Path, file: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with slow(tmp_path) as (world, client, _):
        handle = await client.blob(await client.put(file))
        path = world.app.blobs.path(bytes.fromhex(handle.digest))
        assert path is not None
        here(path).unlink()
        for use in (handle.read(), handle.save(tmp_path / "back"), handle.open().read()):
            with pytest.raises(dc.DcError, match="there is no blob"):
                await use
        with pytest.raises(dc.DcError, match="there is no blob"):
            await client.blob(handle.ref)
        assert "back.part" not in os.listdir(tmp_path)  # noqa: PTH208
