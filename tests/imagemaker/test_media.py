"""The media: GRUB's menu, the commands that make an ISO, the script for iPXE."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from imagemaker import grub, ipxe, kernel_line
from imagemaker.iso import Medium, xorriso

from dc import limits_image
from dc.server import boot_script

ARCHITECTURES = kernel_line.ARCHITECTURES
X86_LINE_BYTES = 2047  # of a kernel's command line; ARM's has as many


def medium(arch: str) -> Medium:
    return Medium(arch, "1.2", Path("vmlinuz"), Path("initrd.img"), Path("grub"), 1_764_000_000)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_screen_is_the_console_of_a_usual_start(arch: str) -> None:
    assert kernel_line.normal(arch).startswith(
        "quiet panic=30 cryptomgr.notests console=ttyS0,115200 "
    )
    assert kernel_line.normal(arch).endswith(" console=tty0")
    assert not kernel_line.serial(arch).endswith(" console=tty0")
    assert sorted(kernel_line.serial(arch).split()) == sorted(kernel_line.normal(arch).split())
    assert "quiet" not in kernel_line.verbose(arch).split()


def test_the_servers_script_starts_a_computer_as_the_images_does() -> None:
    kernels = [
        [line for line in text.splitlines() if " initrd=" in line]
        for text in (ipxe.script(), boot_script.script("${words}", arm64=True))
    ]
    assert kernels[0] == kernels[1]
    assert len(kernels[0]) == len(ARCHITECTURES)


@pytest.mark.parametrize("arm64", [False, True])
def test_the_longest_line_fits_into_the_kernel(arm64: bool) -> None:
    text = boot_script.script("x" * limits_image.LINE_BYTES, arm64=arm64)
    lines = [line.partition(" || ")[0] for line in text.splitlines() if " initrd=" in line]
    assert len(lines) == 1 + arm64
    assert all(len(line.removeprefix("kernel ")) <= X86_LINE_BYTES for line in lines)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_each_entry_loads_the_configuration_before_the_image(arch: str) -> None:
    lines = [line.strip() for line in grub.menu(arch, "1.2").splitlines()]
    initrds = [line for line in lines if line.startswith("initrd")]
    assert initrds == ["initrd /boot/dcconf.cpio /boot/initrd.img"] * 3
    assert f"linux /boot/vmlinuz {kernel_line.normal(arch)}" in lines


def test_the_first_entry_starts_by_itself() -> None:
    menu = grub.menu("amd64", "1.2")
    first = menu[menu.index("menuentry") :].partition("\n")[0]
    assert first == "menuentry 'dc worker 1.2' --id worker {"
    assert "\nset default=0\nset timeout=2" in "\n" + menu


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_grub_understands_its_files(arch: str) -> None:
    for script in (grub.menu(arch, "1.2"), grub.finder("/boot/dc-worker-0123")):
        subprocess.run(["grub-script-check"], input=script.encode(), check=True, timeout=30)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_menu_fits_on_a_screen_of_80_columns(arch: str) -> None:
    shown = [
        line.split(" ", 1)[1] if line.startswith("echo ") else line.partition("'")[2]
        for line in map(str.strip, grub.menu(arch, "1.2").splitlines())
        if line.startswith(("echo ", "menuentry "))
    ]
    assert len(shown) > 8
    assert max(map(len, shown)) < 80


def test_the_medium_of_the_running_program_is_looked_at_first() -> None:
    script = grub.finder("/boot/dc-worker-0123")
    places = [script.index(one) for one in ("($root)/boot", "($disk)/boot", "search ")]
    assert places == sorted(places)


def test_programs_are_made_of_the_modules_that_are_given() -> None:
    command = grub.mkimage(grub.BIOS, "unpacked/grub", "eltorito.img")
    assert command[:5] == [
        "grub-mkimage", "--directory", "unpacked/grub/i386-pc", "--format", "i386-pc-eltorito",
    ]  # fmt: skip
    assert command[-1] in grub.BIOS.modules
    assert "gzio" in grub.EFI["arm64"].modules


def test_an_iso_starts_by_bios_where_there_is_one() -> None:
    for_pc = xorriso(medium("amd64"), Path("tree"), Path("efi.img"), Path("out.iso"))
    for_arm = xorriso(medium("arm64"), Path("tree"), Path("efi.img"), Path("out.iso"))
    assert "grub/i386-pc/boot_hybrid.img" in for_pc
    assert "--grub2-mbr" not in for_arm
    for command in (for_pc, for_arm):
        assert "-R" not in command
        assert command[-3:] == ["-o", "out.iso", "tree"]


def test_ipxe_loads_what_fits_the_computer_and_says_what_went_wrong() -> None:
    lines = ipxe.script().splitlines()
    assert lines[0] == "#!ipxe"
    kernels = [line for line in lines if line.startswith("kernel")]
    assert [line.split()[1] for line in kernels] == ["vmlinuz", "arm64/vmlinuz"]
    assert all("initrd=initrd.img" in line and line.endswith("|| goto failed") for line in kernels)
    assert [line for line in lines if line.startswith(":")] == [":arm64", ":failed"]
