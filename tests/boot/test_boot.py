"""A computer without a disk becomes a worker, and stays one: from its kernel to its power-off."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.boot.hardware import Card, Hardware
from tests.boot.machine import Machine, switched_on
from tests.boot.site import STEP_SECONDS, Site, opened

NAME = f"dc-{Card().mac.replace(':', '')}"
BOOT_SECONDS = 400.0  # 12 s where nothing else runs
CLOCK_SECONDS = 30.0  # the server says the time in whole seconds, and may be slow to say it
LONG_AGO = "2001-02-03T04:05:06"

pytestmark = pytest.mark.seconds(1500.0)


async def test_a_computer_is_booted_into_a_worker(image: Path, tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        code = await site.invite()
        words = f"dc.invite={code}", "dc.slots=2", "dc.shell=1"
        async with switched_on(Hardware(clock=LONG_AGO, words=words), image) as machine:
            await it_joins(site, machine, code)
            await it_survives_a_crash(site, machine)
            await it_survives_a_restart_of_the_server(site)
            await it_is_powered_off(site, machine)


async def it_joins(site: Site, machine: Machine, code: str) -> None:
    found = await site.here([NAME], BOOT_SECONDS)
    assert found[NAME]["own_slots"] == 2
    assert (await site.count_words())["dc"] > 1
    before = time.time()
    seen = await site.look()
    assert before - CLOCK_SECONDS < seen.time < time.time() + CLOCK_SECONDS
    assert seen.user != 0
    assert code not in seen.line
    assert code not in machine.serial.text


async def it_survives_a_crash(site: Site, machine: Machine) -> None:
    before = (await site.workers())[NAME]["connected_at"]
    boot = (await site.look()).boot
    await machine.open_shell(STEP_SECONDS)
    await machine.shell("kill -9 $(cat /run/dc/worker.pid)")
    await machine.close_shell()
    await site.here([NAME], after=before)
    assert (await site.look()).boot == boot


async def it_survives_a_restart_of_the_server(site: Site) -> None:
    before = (await site.workers())[NAME]["connected_at"]
    await site.stop()
    await site.start_again()
    await site.here([NAME], after=before)
    assert (await site.count_words())["dc"] > 1


async def it_is_powered_off(site: Site, machine: Machine) -> None:
    await site.order("power-off", NAME)
    await machine.off(STEP_SECONDS)
    await machine.monitor.until("SHUTDOWN", STEP_SECONDS)  # it may not have been read yet
    (end,) = machine.monitor.told("SHUTDOWN")
    assert end["reason"] == "guest-shutdown"
    await site.gone(NAME)
