"""What happens to a computer while it works: buttons, cables, orders, and programs that hang."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.boot.figures import Figures
from tests.boot.full.ways import BOOT_SECONDS, NAME
from tests.boot.hardware import Card, Hardware
from tests.boot.machine import Machine, switched_on
from tests.boot.site import STEP_SECONDS, Site, opened

pytestmark = pytest.mark.seconds(900.0)

WATCHDOG_SECONDS = 240.0  # it waits for 60 s of the emulated clock, which may be slow


@asynccontextmanager
async def at_work(
    folder: Path, image: Path, *words: str, hardware: Hardware | None = None
) -> AsyncIterator[tuple[Site, Machine]]:
    """Give a computer that has become a worker by a code that is good for one."""
    async with opened(folder) as site:
        told = f"dc.invite={await site.invite()}", "dc.shell=1", *words
        computer = replace(hardware or Hardware(), words=told)
        async with switched_on(computer, image) as machine:
            await site.here([NAME], BOOT_SECONDS)
            yield site, machine


async def connected_at(site: Site) -> float:
    found: float = (await site.workers())[NAME]["connected_at"]
    return found


async def test_power_button(image: Path, figures: Figures, tmp_path: Path) -> None:
    async with at_work(tmp_path, image) as (site, machine):
        await machine.press_power()
        seconds = await machine.off(STEP_SECONDS)
        figures.note("powered off by its button", f"{seconds:.1f} s")
        await site.gone(NAME)


async def test_worker_crashes(image: Path, figures: Figures, tmp_path: Path) -> None:
    async with at_work(tmp_path, image) as (site, machine):
        await machine.open_shell(STEP_SECONDS)
        before, begin = await connected_at(site), time.monotonic()
        await machine.shell("kill -9 $(cat /run/dc/worker.pid)")
        await site.here([NAME], after=before)
        figures.note("back after a crash of the worker", f"{time.monotonic() - begin:.1f} s")


async def test_watchdog(image: Path, figures: Figures, tmp_path: Path) -> None:
    hardware = Hardware(watchdog="reset")
    async with at_work(tmp_path, image, hardware=hardware) as (site, machine):
        before = await connected_at(site)
        await machine.open_shell(STEP_SECONDS)
        assert "i6300" in await machine.shell("cat /sys/class/watchdog/watchdog0/identity")
        begin = time.monotonic()
        await machine.shell("kill -STOP $(cat /run/dc/worker.pid)")
        await machine.monitor.until("WATCHDOG", WATCHDOG_SECONDS)
        figures.note("reset by the watchdog after", f"{time.monotonic() - begin:.1f} s")
        # It boots again, and is the same worker, though its code was good for one.
        await site.here([NAME], BOOT_SECONDS, after=before)


async def test_orders(image: Path, tmp_path: Path) -> None:
    async with at_work(tmp_path, image) as (site, machine):
        before, boot = await connected_at(site), (await site.look()).boot
        await site.order("reread", NAME)
        await site.here([NAME], after=before)
        assert (await site.look()).boot == boot
        before = await connected_at(site)
        await site.order("reboot", NAME)
        await machine.monitor.until("RESET", STEP_SECONDS)
        await site.here([NAME], BOOT_SECONDS, after=before)
        assert (await site.look()).boot != boot
        assert machine.alive


async def test_cable_is_pulled_and_put_in_again(image: Path, tmp_path: Path) -> None:
    async with at_work(tmp_path, image) as (site, machine):
        begin = len(machine.serial.text)
        await machine.plug(0, into=False)
        await machine.says("eth0: no link", STEP_SECONDS, begin)
        await machine.plug(0, into=True)
        await machine.says(r"eth0: 10\.0\.2\.15/24", STEP_SECONDS, begin)
        await site.look(STEP_SECONDS * 2)  # a task is done there


async def test_card_that_comes_late(image: Path, tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        words = (f"dc.invite={await site.invite()}",)
        more = "-netdev", "user,id=late"
        bare = Hardware(words=words, cards=(), more=more)
        async with switched_on(bare, image) as machine:
            await machine.says("no network card was found", BOOT_SECONDS)
            card = {"driver": "usb-net", "id": "late0", "netdev": "late", "mac": Card().mac}
            await machine.monitor.ask("device_add", bus="usb.0", **card)
            await site.here([NAME], BOOT_SECONDS)  # the name is of that card
            assert (await site.look()).user != 0


async def test_two_cards_one_of_them_without_a_cable(image: Path, tmp_path: Path) -> None:
    cards = Card(number=1, plugged=False), Card("e1000", number=2)
    async with at_work(tmp_path, image, hardware=Hardware(cards=cards)) as (site, machine):
        assert (await site.look()).user != 0
        await machine.says("eth.: no link", STEP_SECONDS)
