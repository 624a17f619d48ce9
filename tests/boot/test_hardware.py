"""Computers to emulate, as arguments of QEMU."""

from __future__ import annotations

from pathlib import Path

from tests.boot.hardware import Card, Hardware, quoted

IMAGE = Path("/image")


def command(hardware: Hardware) -> str:
    return " ".join(hardware.arguments(IMAGE, IMAGE / "worker.iso", Path("/scratch")))


def test_a_direct_start_has_the_words_on_the_kernels_line() -> None:
    line = Hardware(words=("dc.slots=2", "dc.label=room=upper floor")).arguments(
        IMAGE, IMAGE, IMAGE
    )
    words = line[line.index("-append") + 1]
    assert words.endswith(' dc.slots=2 "dc.label=room=upper floor"')
    assert line[line.index("-kernel") + 1] == "/image/vmlinuz"


def test_nothing_is_run_by_hardware_that_may_be_dead() -> None:
    for arch in ("amd64", "arm64"):
        assert "-accel tcg " in command(Hardware(arch=arch))


def test_media() -> None:
    assert "media=cdrom,format=raw" in command(Hardware("cd"))
    assert "-device usb-storage,bus=usb.0,drive=medium" in command(Hardware("stick"))
    assert "/scratch/vars.fd" in command(Hardware("disk", uefi=True))
    assert "OVMF" not in command(Hardware("disk"))


def test_cards() -> None:
    two = Hardware(cards=(Card("e1000e"), Card("usb-net", "silent", 2)), bootfile="bootfile=x")
    text = command(two)
    assert (
        "-netdev user,bootfile=x,id=net0 -device e1000e,id=card0,netdev=net0,mac=52:54:00:dc"
        in text
    )
    assert "hubport,hubid=1,id=net1" in text
    assert text.count("romfile=") == 1


def test_words_with_blanks_are_quoted() -> None:
    assert quoted("dc.name=a b") == '"dc.name=a b"'
    assert quoted("dc.name=ab") == "dc.name=ab"
