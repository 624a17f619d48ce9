"""How much memory it takes."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.boot.figures import Figures
from tests.boot.full.ways import BOOT_SECONDS
from tests.boot.hardware import Hardware
from tests.boot.machine import Machine, switched_on
from tests.boot.site import Site, opened

pytestmark = pytest.mark.seconds(3600.0)

GOAL_MIB = 256
STEP_MIB = 16


async def works(site: Site, image: Path, memory: int) -> float | None:
    """Whether a computer of so many MiB does a task: what is free for it then, in MiB."""
    words = f"dc.invite={await site.invite()}", "dc.slots=1"
    free: float | None = None
    async with (
        switched_on(Hardware(words=words, memory=memory), image) as machine,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(fails, machine, nursery.cancel_scope)
        with trio.move_on_after(BOOT_SECONDS):
            free = (await site.look(BOOT_SECONDS)).free / 2**20
        nursery.cancel_scope.cancel()
    return free


async def fails(machine: Machine, waiting: trio.CancelScope) -> None:
    """End the waiting for a computer as soon as it says that it has not enough memory."""
    await machine.says("it needs at least|Kernel panic", 2 * BOOT_SECONDS)
    waiting.cancel()


async def test_free_memory(image: Path, figures: Figures, tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        free = await works(site, image, 512)
    assert free is not None
    figures.note("free for a task, of 512 MB", f"{free:.0f} MB")


async def test_smallest_memory(image: Path, figures: Figures, tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        works_with, fails_with = 512, 128
        while works_with - fails_with > STEP_MIB:
            middle = (works_with + fails_with) // 2 // STEP_MIB * STEP_MIB
            if await works(site, image, middle) is None:
                fails_with = middle
            else:
                works_with = middle
    figures.note("smallest memory in which a task is done", f"{works_with} MB")
    assert works_with <= GOAL_MIB
