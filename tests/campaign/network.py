"""A network of the campaign's own: a namespace for all of it, and another one at the end of a link.

The campaign runs in a fresh network namespace (`isolated` starts it again there). A second one, the
far side, is joined to it by a pair of virtual interfaces, and is kept by a process that ends when
the campaign does; both vanish with the last process in them, so nothing is left behind.

On a loopback address the server asks nobody who they are, and nothing is encrypted. So the link has
addresses of 127.1.0.0/24, which the kernel routes as any others once `route_localnet` is on and
`lo` has nothing but 127.0.0.1.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn, Self

import trio

NEAR: Final = "127.1.0.1"
FAR: Final = "127.1.0.2"
NEAR_LINK: Final = "campaign0"
FAR_LINK: Final = "campaign1"
SECONDS: Final = 10.0
SWITCH: Final = Path("/proc/sys/net/ipv4/conf/all/route_localnet")


def isolating() -> list[str]:
    """Return the command that runs another in a namespace of its own."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user, "--net"]


def missing() -> str:
    """Return what this computer lacks for namespaces, in a sentence; empty if it lacks nothing."""
    for tool in ("unshare", "nsenter", "ip"):
        if shutil.which(tool) is None:
            return f"the command {tool} is not there (packages util-linux and iproute2)"
    add = f"ip link add {NEAR_LINK} type veth peer name {FAR_LINK} && test -w {SWITCH}"
    done = subprocess.run(
        [*isolating(), "sh", "-c", add],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode == 0:
        return ""
    why = (done.stderr.strip() or f"{SWITCH} cannot be written").splitlines()[-1]
    return f"a network namespace with a pair of virtual interfaces cannot be made: {why}"


def isolated(arguments: Sequence[str]) -> NoReturn:
    """Go on as `python -m ARGUMENTS` in a network namespace of one's own, in this process."""
    command = [*isolating(), sys.executable, "-m", *arguments]
    os.execvp(command[0], command)


class Link:
    """The far side, and the way there. To be used as a context."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo here && exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"here\n", "the far namespace cannot be made"
        self.is_up = True

    def __enter__(self) -> Self:
        try:
            self._connect()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._end()

    def beyond(self, command: Sequence[str]) -> list[str]:
        """Return the command that runs this one on the far side; its pid is the same."""
        return ["nsenter", "--target", str(self._holder.pid), "--net", *command]

    def set(self, *, up: bool) -> None:
        """Take the link up or down."""
        _run("ip", "link", "set", NEAR_LINK, "up" if up else "down")
        self.is_up = up

    async def cut(self, seconds: float) -> None:
        """Take the link down for so long."""
        self.set(up=False)
        try:
            await trio.sleep(seconds)
        finally:
            self.set(up=True)

    def _connect(self) -> None:
        pid = str(self._holder.pid)
        _run("ip", "link", "add", NEAR_LINK, "type", "veth", "peer", FAR_LINK, "netns", pid)
        sides: list[tuple[list[str], str, str]] = [
            ([], NEAR_LINK, NEAR),
            (self.beyond([]), FAR_LINK, FAR),
        ]
        for there, name, address in sides:
            for command in (
                ["ip", "link", "set", "lo", "up"],
                ["ip", "address", "flush", "dev", "lo"],
                ["ip", "address", "add", "127.0.0.1/32", "dev", "lo"],
                ["sh", "-c", f"echo 1 > {SWITCH}"],
                ["ip", "address", "add", f"{address}/24", "dev", name],
                ["ip", "link", "set", name, "up"],
            ):
                _run(*there, *command)

    def _end(self) -> None:
        assert self._holder.stdin is not None
        assert self._holder.stdout is not None
        self._holder.stdin.close()
        try:
            self._holder.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self._holder.kill()
            self._holder.wait()
        self._holder.stdout.close()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}"
