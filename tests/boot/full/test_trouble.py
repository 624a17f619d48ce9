"""Each sort of trouble has its line on the screen, and the computer goes on by itself."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from dc import invites
from dc.invites import Invite
from tests.boot.full.ways import BOOT_SECONDS, NAME
from tests.boot.hardware import Card, Hardware
from tests.boot.machine import Machine, switched_on
from tests.boot.media import garbled
from tests.boot.site import HOST, STEP_SECONDS, opened

pytestmark = pytest.mark.seconds(900.0)

CLOCK_SECONDS = 30.0  # the server says the time in whole seconds, and may be slow to say it
VANISHED_SECONDS = 45.0


@asynccontextmanager
async def told(image: Path, *words: str) -> AsyncIterator[Machine]:
    """Give a computer that was told something."""
    async with switched_on(Hardware(words=words), image) as machine:
        yield machine


async def test_no_network_card(image: Path) -> None:
    async with switched_on(Hardware(cards=()), image) as machine:
        await machine.says("no network card was found: plug one in", BOOT_SECONDS)


async def test_card_without_a_driver(image: Path) -> None:
    # A switch that only QEMU has: a network card on PCI for which there is no driver.
    hardware = Hardware(cards=(), more=("-device", "rocker,name=switch"))
    async with switched_on(hardware, image) as machine:
        await machine.says("no driver for network card 1b36:0006", BOOT_SECONDS)


async def test_no_cable(image: Path, tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        words = (f"dc.invite={await site.invite()}",)
        hardware = Hardware(words=words, cards=(Card(plugged=False),))
        async with switched_on(hardware, image) as machine:
            await machine.says("eth0: no link", BOOT_SECONDS)
            await machine.plug(0, into=True)
            await site.here([NAME])


async def test_no_answer_to_dhcp(image: Path) -> None:
    async with switched_on(Hardware(cards=(Card(network="silent"),)), image) as machine:
        await machine.says("no answer to DHCP, asking again", BOOT_SECONDS)


async def test_nothing_told_and_no_server_found(image: Path) -> None:
    async with switched_on(Hardware(), image) as machine:
        await machine.says("No server is known. Tell this computer where it is", BOOT_SECONDS)
        await machine.says("dc os-image configure", STEP_SECONDS)


async def test_no_server_there_and_then_one(image: Path, tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        code = await site.invite()
        await site.stop()
        async with told(image, f"dc.invite={code}") as machine:
            await machine.says(f"cannot reach https://{HOST}:{site.port}", BOOT_SECONDS)
            await site.start_again()
            await site.here([NAME])


async def test_server_vanishes_for_long(image: Path, tmp_path: Path) -> None:
    async with opened(tmp_path) as site, told(image, f"dc.invite={await site.invite()}") as machine:
        await machine.says("connected to .* as dc-", BOOT_SECONDS)
        begin = len(machine.serial.text)
        await site.stop()
        await machine.says("is lost", STEP_SECONDS, begin)
        await trio.sleep(VANISHED_SECONDS)
        await site.start_again()
        await site.here([NAME], STEP_SECONDS * 2)
        await machine.says("connected to .* as dc-", STEP_SECONDS, begin)


async def test_code_that_is_not_whole(image: Path, tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        code = await site.invite()
        async with told(image, f"dc.invite={code[:-9]}") as machine:
            await machine.says("join code", BOOT_SECONDS)
            assert code[:-9] not in machine.serial.text


async def test_code_that_was_taken_back(image: Path, tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        code = await site.invite()
        await site.revoke_all()
        async with told(image, f"dc.invite={code}") as machine:
            await machine.says("does not take this join code", BOOT_SECONDS)


async def test_server_with_another_key(image: Path, tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        said = invites.read(await site.invite())
        wrong = Invite(said.secret, b"x" * invites.PIN_BYTES, said.addresses).text
        async with told(image, f"dc.invite={wrong}") as machine:
            await machine.says("shows another key", BOOT_SECONDS)


async def test_server_of_another_version(image: Path, tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        code = await site.invite()
        await site.stop()
        await site.start_other_version()
        async with told(image, f"dc.invite={code}") as machine:
            await machine.says(r"speaks version \d+ of the protocol", BOOT_SECONDS)
            await site.stop()
            await site.start_again()
            await site.here([NAME], BOOT_SECONDS)


@pytest.mark.parametrize("clock", ["2001-02-03T04:05:06", "2099-02-03T04:05:06"])
async def test_clock_that_is_wrong(image: Path, tmp_path: Path, clock: str) -> None:
    async with opened(tmp_path) as site:
        words = (f"dc.invite={await site.invite()}",)
        async with switched_on(Hardware(clock=clock, words=words), image):
            await site.here([NAME], BOOT_SECONDS)
            before = time.time()
            seen = await site.look()
            assert before - CLOCK_SECONDS < seen.time < time.time() + CLOCK_SECONDS


async def test_configuration_of_garbage(image: Path, tmp_path: Path) -> None:
    noise = bytes(range(256)) * 4 + b"\ndc.invite=nonsense\ndc.colour=red\n\x1b[2J\n"
    medium = garbled(image, tmp_path / "medium.iso", noise)
    async with switched_on(Hardware("cd"), image, medium) as machine:
        await machine.says("dc.colour is no word that is known", BOOT_SECONDS)
        await machine.says("eth0: 10", STEP_SECONDS)
        assert machine.alive


async def test_little_memory(image: Path) -> None:
    async with switched_on(Hardware(memory=200), image) as machine:
        await machine.says(
            "needs at least 256 MB of memory, and this computer has 200 MB", BOOT_SECONDS
        )
        await machine.monitor.until("RESET", STEP_SECONDS * 4)
