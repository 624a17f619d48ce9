"""Takes pictures of a booted computer's screen: `python -m tests.boot.screenshot [FOLDER]`.

They are boot-*.png in docs/screenshots. No two runs give the same bytes.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

import trio

from tests.boot.hardware import Hardware
from tests.boot.image import built
from tests.boot.machine import switched_on
from tests.boot.site import Site, opened
from tests.system.processes import ROOT

PLACE: Final = ROOT / "docs" / "screenshots"
BOOT_SECONDS: Final = 300.0
SETTLED_SECONDS: Final = 12.0  # until each slot has a task that has run for a while
TASK_SECONDS: Final = 90.0
COMPUTER: Final = Hardware(words=("dc.name=lab-07", "dc.slots=2"))


async def at_work(site: Site, image: Path, place: Path) -> None:
    """Take a picture of a computer that works."""
    words = *COMPUTER.words, f"dc.invite={await site.invite()}"
    async with (
        switched_on(replace(COMPUTER, words=words), image) as machine,
        site.client() as client,
    ):
        await site.here(["lab-07"], BOOT_SECONDS)
        await site.count_words()
        await client.submit("compute", [TASK_SECONDS] * 8)
        await site.until(lambda found: len(found["lab-07"]["running"]) == 2, "two tasks")
        await trio.sleep(SETTLED_SECONDS)
        await machine.picture(place)


async def untold(image: Path, place: Path) -> None:
    """Take a picture of a computer that does not know where its server is."""
    async with switched_on(COMPUTER, image) as machine:
        await machine.says("No server is known", BOOT_SECONDS)
        await trio.sleep(2.0)
        await machine.picture(place)


async def main(place: Path) -> None:
    """Take all of them."""
    image = built("dev")
    with tempfile.TemporaryDirectory() as name:
        async with opened(Path(name)) as site:
            await at_work(site, image, place / "boot-at-work.png")
    await untold(image, place / "boot-untold.png")


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]) if len(sys.argv) > 1 else PLACE)
