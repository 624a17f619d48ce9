"""All ways in which a computer can be started."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.boot.figures import Figures
from tests.boot.full.ways import NAME, boots
from tests.boot.hardware import Card, Hardware
from tests.boot.machine import switched_on
from tests.boot.media import configured
from tests.boot.site import STEP_SECONDS, opened

pytestmark = pytest.mark.seconds(900.0)

MEDIA = [
    ("BIOS, CD", Hardware("cd")),
    ("BIOS, stick", Hardware("stick")),
    ("UEFI, CD", Hardware("cd", uefi=True)),
    ("UEFI, stick", Hardware("stick", uefi=True)),
]
ROMS = ["virtio-net-pci", "e1000e", "e1000"]
CARDS = ["e1000e", "e1000", "rtl8139", "vmxnet3", "pcnet", "usb-net"]


async def test_direct(image: Path, figures: Figures, tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        words = (f"dc.invite={await site.invite()}",)
        await boots(site, Hardware(words=words), image, figures, "direct")


@pytest.mark.parametrize(("what", "hardware"), MEDIA, ids=[what for what, _ in MEDIA])
async def test_media(
    image: Path, figures: Figures, tmp_path: Path, what: str, hardware: Hardware
) -> None:
    async with opened(tmp_path) as site:
        medium = configured(image, tmp_path / "medium.iso", await site.invite(), "--slots", "1")
        await boots(site, hardware, image, figures, what, medium)
        assert (await site.workers())[NAME]["state"] == "gone"


@pytest.mark.parametrize("model", CARDS)
async def test_network_cards(image: Path, figures: Figures, tmp_path: Path, model: str) -> None:
    async with opened(tmp_path) as site:
        words = (f"dc.invite={await site.invite()}",)
        hardware = Hardware(words=words, cards=(Card(model),))
        await boots(site, hardware, image, figures, f"direct, {model}")


@pytest.mark.parametrize("uefi", [False, True], ids=["BIOS", "UEFI"])
@pytest.mark.parametrize("model", ROMS)
async def test_network_boot(
    image: Path, figures: Figures, tmp_path: Path, model: str, uefi: bool
) -> None:
    async with opened(tmp_path, "--os-image", image) as site:
        where = await site.boot_script()
        hardware = Hardware(
            "network", uefi=uefi, memory=1024, cards=(Card(model),), bootfile=f"bootfile={where}"
        )
        firmware = "UEFI" if uefi else "BIOS"
        await boots(site, hardware, image, figures, f"iPXE, {firmware}, {model}")


ARM = Hardware(arch="arm64", memory=1024)


async def test_arm_direct(arm_image: Path, figures: Figures, tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        hardware = replace(ARM, words=(f"dc.invite={await site.invite()}",))
        await boots(site, hardware, arm_image, figures, "ARM, direct")


async def test_arm_stick(arm_image: Path, figures: Figures, tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        medium = configured(arm_image, tmp_path / "medium.iso", await site.invite())
        hardware = replace(ARM, start="stick", uefi=True)
        await boots(site, hardware, arm_image, figures, "ARM, UEFI, stick", medium)


async def test_two_computers_at_once(image: Path, tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        words = (f"dc.invite={await site.invite(uses=2)}",)
        one, two = (Hardware(words=words, cards=(Card(number=number),)) for number in (1, 2))
        other = NAME[:-1] + "2"
        async with switched_on(one, image) as first, switched_on(two, image) as second:
            await site.here([NAME, other], 600.0)
            await site.count_words()
            await site.order("power-off", NAME, other)
            await first.off(STEP_SECONDS)
            await second.off(STEP_SECONDS)
