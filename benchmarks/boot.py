"""How long a bare computer takes from its power switch to the result of its first task.

    python -m benchmarks.boot [--image os/out] [--repeat 3] [--ways direct cd]

A real server and an emulated computer (QEMU without help of the processor: some twenty times
slower than one of today), which boots an image that was made before (make -C os os-image). Prints a
JSON line for each figure: the median, with the extremes beside it. The image is up when its first
script has said so; the worker is when it tells the computer's address. `worked` is the time of
processors that the emulator took until then.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from benchmarks import figures
from tests.boot.hardware import Hardware
from tests.boot.machine import Machine, switched_on
from tests.boot.media import configured
from tests.boot.site import Site, opened

WAYS: Final = {
    "direct": Hardware(),
    "cd": Hardware("cd"),
    "stick": Hardware("stick"),
    "uefi-cd": Hardware("cd", uefi=True),
    "uefi-stick": Hardware("stick", uefi=True),
}
IMAGE: Final = "dc worker image"
WORKER: Final = "dc: eth0: "
BOOT_SECONDS: Final = 300.0
ROOT: Final = Path(__file__).parent.parent


@dataclass
class Times:
    """Seconds since a computer was switched on; of processors those that were worked for it."""

    image: float = 0.0
    worker: float = 0.0
    task: float = 0.0
    worked: float = 0.0


async def boot(way: str, image: Path, folder: Path) -> Times:
    """Boot a computer once."""
    async with opened(folder) as site:
        code, hardware, medium = await site.invite(), WAYS[way], None
        if way == "direct":
            hardware = Hardware(words=(f"dc.invite={code}",))
        else:
            medium = configured(image, folder / "medium.iso", code, "--slots", "1")
        async with switched_on(hardware, image, medium) as machine:
            return await watched(site, machine)


async def watched(site: Site, machine: Machine) -> Times:
    """Note when what happens on a computer."""
    times = Times()

    async def follow() -> None:
        await machine.says(re.escape(IMAGE), BOOT_SECONDS)
        times.image = machine.seconds
        await machine.says(re.escape(WORKER), BOOT_SECONDS)
        times.worker = machine.seconds

    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow)
        await site.look(BOOT_SECONDS)
        times.task, times.worked = machine.seconds, machine.worked
    return times


def show(way: str, found: list[Times]) -> None:
    """Print the figures of one way to boot."""
    for name in ("image", "worker", "task"):
        spans = [getattr(one, name) for one in found]
        more = {"least": round(min(spans), 2), "slowest": round(max(spans), 2)}
        if name == "task":
            more["worked"] = round(statistics.median(one.worked for one in found), 2)
        figures.show(f"boot, {way}, {name}", statistics.median(spans), "s", compared=False, **more)


def main() -> None:
    """Boot a computer several times in several ways, and say how long it took."""
    parser = argparse.ArgumentParser(prog="benchmarks.boot", description=main.__doc__)
    parser.add_argument("--image", type=Path, default=ROOT / "os/out", help="of a build")
    parser.add_argument("--repeat", type=int, default=3, help="how often each way")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=["direct", "cd", "uefi-cd"])
    values = parser.parse_args()
    if not (values.image / "worker.iso").exists():
        raise SystemExit(f"no image is in {values.image}: make one by make -C os os-image")
    for way in values.ways:
        found = []
        for _ in range(values.repeat):
            with tempfile.TemporaryDirectory() as folder:
                found.append(trio.run(boot, way, values.image, Path(folder)))
        show(way, found)


if __name__ == "__main__":
    main()
