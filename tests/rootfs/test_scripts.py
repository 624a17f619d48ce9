"""All scripts of the image: they can be read by its shell, and call only what its busybox has."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.rootfs.fake_root import SCRIPTS, SOURCE, busybox

FIRST = SOURCE.parent / "initramfs" / "init"
BUTTON = SOURCE / "etc/acpi/PWRF/00000080"
FILES = [path for path in sorted((SOURCE / SCRIPTS).iterdir()) if path.suffix != ".awk"]
ALL = [FIRST, BUTTON, *FILES]
WIDTH = 100


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_its_shell_can_read_it(path: Path) -> None:
    subprocess.run([busybox(), "ash", "-n", str(path)], check=True)
    assert all(len(line) <= WIDTH for line in path.read_text().splitlines())


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_it_can_be_started_unless_it_is_for_others(path: Path) -> None:
    starts = path.read_text().startswith("#!/bin/")
    assert starts == os.access(path, os.X_OK) == (path.name != "lib")


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_busybox_has_what_it_calls(path: Path) -> None:
    done = subprocess.run([busybox(), "--list"], capture_output=True, text=True, check=True)
    called = set(re.findall(r'"?(?:\$BUSYBOX|/bin/busybox)"? ([a-z_]+)', path.read_text()))
    assert called <= set(done.stdout.split())


def test_init_starts_scripts_that_are_there() -> None:
    lines = (SOURCE / "etc/inittab").read_text().splitlines()
    programs = [line.split(":")[3].split()[0] for line in lines if not line.startswith("#")]
    assert len(programs) == 4
    for program in programs:
        assert os.access(SOURCE / program.lstrip("/"), os.X_OK)
