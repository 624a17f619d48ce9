"""A folder that stands for the image's root, in which its scripts run without an effect outside.

Whatever has an effect they call as /bin/busybox NAME. Here that is a stand-in that writes down how
it was called, and does what a test says. Scripts run by busybox's own shell, as in the image.
"""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).parent.parent.parent / "os" / "rootfs"
SCRIPTS: Final = "usr/lib/dc-image"
SECONDS: Final = 60.0
"""That a script may take before it is one that hangs; the machine may be busy."""

_BUSYBOX: Final = """\
#!{shell} ash
root=${{0%/bin/busybox}}
printf '%s\\036' "$(printf '%s\\037' "$@")" >>"$root/calls" # whole, or not at all
name=$1
shift
[ -e "$root/answers/$name" ] && . "$root/answers/$name"
exit 0
"""


def busybox() -> str:
    """Return the path of busybox, which the tests need (see tests/needs.sh)."""
    found = shutil.which("busybox")
    assert found is not None, "the tests need busybox: apt install busybox-static"
    return found


def wait(is_so: Callable[[], bool]) -> None:
    """Wait until something is so that goes on in the background."""
    deadline = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class FakeRoot:
    """The folder.

    Args:
        path: an empty folder for it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._groups: list[int] = []
        shutil.copytree(SOURCE, path, dirs_exist_ok=True)
        for script in (path / SCRIPTS).iterdir():
            text = script.read_text()
            if text.startswith("#!/bin/sh\n"):
                self.write(f"{SCRIPTS}/{script.name}", text, runs=True)
        for folder in ("bin", "dev", "proc", "sys/class/net", "run/dc/net", "answers", "etc"):
            (path / folder).mkdir(parents=True, exist_ok=True)
        self.write("bin/busybox", _BUSYBOX.format(shell=busybox()), runs=True)
        self.write("proc/uptime", "100.00 200.00\n")
        self.write("calls", "")

    def write(self, name: str, text: str, *, runs: bool = False) -> Path:
        """Write a file; one that runs is run by busybox's shell."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if runs:
            text = text.replace("#!/bin/sh\n", f"#!{busybox()} ash\n", 1)
        file.write_text(text)
        if runs:
            file.chmod(file.stat().st_mode | stat.S_IXUSR)
        return file

    def read(self, name: str) -> str:
        """Return what a file has."""
        return (self.path / name).read_text()

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        return (self.path / name).exists()

    def answer(self, applet: str, commands: str) -> None:
        """Say what the stand-in does for an applet, in words of the shell."""
        self.write(f"answers/{applet}", commands)

    def stub(self, script: str, commands: str = "exit 0") -> None:
        """Put something else in the place of one of the scripts."""
        self.write(f"{SCRIPTS}/{script}", f"#!/bin/sh\n{commands}\n", runs=True)

    def run(self, script: str, *words: str, **environment: str) -> int:
        """Run one of the scripts to its end; return its status."""
        file = self.path / SCRIPTS / script
        process = subprocess.Popen(
            [busybox(), "ash", str(file), *words],
            env={"DC_ROOT": str(self.path), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environment},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._groups.append(process.pid)
        return process.wait(SECONDS)

    def close(self) -> None:
        """End what scripts have left running in the background."""
        for group in self._groups:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def calls(self, applet: str = "") -> list[list[str]]:
        """Return how busybox was called, of one applet or of all."""
        found = [line.split("\037")[:-1] for line in self.read("calls").split("\036")[:-1]]
        return [one for one in found if applet in ("", one[0])]

    def lease(self, card: str) -> dict[str, str]:
        """Return what a card's lease has."""
        lines = self.read(f"run/dc/net/{card}.lease").splitlines()
        return dict(line.split("=", 1) for line in lines)

    def state(self, card: str) -> str:
        """Return the line for people on a card."""
        return self.read(f"run/dc/net/{card}.state").rstrip("\n")
