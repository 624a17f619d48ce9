"""Lets go on what stands still, when the program that has stopped it is gone.

What stands still does not see that its agent was killed, and would keep its memory for good. So a
shell waits at the end of a pipe whose other end the agent has: when that closes, however the agent
has ended, it lets control groups and processes go on, and they see to the rest themselves. It is
in the group of the agent, and does not mind Ctrl-C: what ends by that ends its executors itself.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

SHELL: Final = "/bin/sh"

_SCRIPT: Final = """\
trap '' HUP INT TERM
read -r _
for one; do
    case $one in
    /*) echo 0 > "$one" ;;
    *) kill -s CONT "$one" ;;
    esac
done
"""


class Waker:
    """Waits beside what stands still.

    Args:
        still: files named `cgroup.freeze`, by their absolute paths, and numbers of processes.
        shell: the program that waits; where there is none, nobody does.
    """

    def __init__(self, still: Sequence[str], shell: str = SHELL) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        with suppress(OSError):
            self._process = subprocess.Popen(
                [shell, "-c", _SCRIPT, "dc-waker", *still],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def dismiss(self) -> None:
        """End it: it is not needed any more. It wakes nobody."""
        if self._process is not None:
            self._process.kill()
            self.hang_up()

    def hang_up(self) -> None:
        """Do as if this program had gone, and wait until that has come about."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()
