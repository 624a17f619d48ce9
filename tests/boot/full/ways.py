"""From the power switch to a task's result, and off again, with what that takes."""

from __future__ import annotations

import time
from pathlib import Path

import trio

from tests.boot.figures import Figures
from tests.boot.hardware import Card, Hardware
from tests.boot.machine import Machine, switched_on
from tests.boot.site import STEP_SECONDS, Site

BOOT_SECONDS = 400.0  # 10 to 30 s where nothing else runs
NAME = f"dc-{Card().mac.replace(':', '')}"


async def first_task(
    site: Site, machine: Machine, what: str, figures: Figures, *, off: bool = True
) -> None:
    """Wait for a computer's first task, and power it off by an order; note how long it took."""
    await site.look(BOOT_SECONDS)
    took, worked = machine.seconds, machine.worked
    figures.note(f"first task done, {what}", f"{took:.1f} s ({worked:.1f} s of processors)")
    if off:
        begin = time.monotonic()
        await site.order("power-off", NAME)
        await machine.off(STEP_SECONDS)
        figures.note("powered off after the order", f"{time.monotonic() - begin:.1f} s")


async def boots(
    site: Site,
    hardware: Hardware,
    image: Path,
    figures: Figures,
    what: str,
    medium: Path | None = None,
) -> None:
    """Boot a computer, have it do a task, power it off; note how long it took."""
    async with switched_on(hardware, image, medium) as machine:
        with trio.fail_after(BOOT_SECONDS + STEP_SECONDS):
            await first_task(site, machine, what, figures)
