"""Networks of computers inside this one: network namespaces, switches and a router between them.

    lan A  10.77.1.0/24   server (.2), desk (.3), router (.1)
    lan B  10.77.2.0/24   laptop (.2), clockless (.3), router (.1)
    lan C  10.77.3.0/24   guarded (.2), proxy (.1)         no way out but by the proxy
    lan A                 proxy (.4)

Each computer is a process that sleeps in a network namespace of its own; what runs "on" it enters
that namespace. So nothing is left behind once these processes have ended, and whoever may make user
namespaces can run it without being root.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from pathlib import Path
from typing import Final, Self

LIFETIME_SECONDS: Final = 600
"""Of a computer, should nobody end it."""

READY_SECONDS: Final = 60.0

HOSTS: Final[dict[str, list[tuple[str, str]]]] = {
    "server": [("A", "10.77.1.2")],
    "desk": [("A", "10.77.1.3")],
    "router": [("A", "10.77.1.1"), ("B", "10.77.2.1")],
    "laptop": [("B", "10.77.2.2")],
    "clockless": [("B", "10.77.2.3")],
    "proxy": [("A", "10.77.1.4"), ("C", "10.77.3.1")],
    "guarded": [("C", "10.77.3.2")],
}
GATEWAYS: Final = {"A": "10.77.1.1", "B": "10.77.2.1"}
SWITCH: Final = "switch"


class Networks:
    """The computers. Use as a context manager."""

    def __init__(self) -> None:
        self._anchors: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._end()

    def on(self, host: str) -> list[str]:
        """Return what is put before a command so that it runs on a computer."""
        pid = str(self._anchors[host].pid)
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        return ["nsenter", "--target", pid, "--net", *user, "--"]

    def run(self, host: str, *command: str) -> str:
        """Run a command on a computer; return what it says."""
        done = subprocess.run(
            [*self.on(host), *command], capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == 0, f"{host}: {' '.join(command)}: {done.stderr}"
        return done.stdout

    def _build(self) -> None:
        for name in (SWITCH, *HOSTS):
            self._anchor(name)
        for lan in "ABC":
            self._ip(SWITCH, "link", "add", f"br{lan}", "type", "bridge", "forward_delay", "0")
            self._ip(SWITCH, "link", "set", f"br{lan}", "up")
        for name, places in HOSTS.items():
            for lan, address in places:
                self._plug_in(name, lan, address)
        self.run("router", "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        self._ip("proxy", "route", "add", "10.77.2.0/24", "via", GATEWAYS["A"])

    def _anchor(self, name: str) -> None:
        """Start the process that a computer is, and wait until it has its namespace."""
        first = next(iter(self._anchors.values()), None)
        prefix: list[str] = []
        user: list[str] = []
        if os.geteuid() != 0 and first is None:
            user = ["--user", "--map-root-user"]
        elif os.geteuid() != 0 and first is not None:
            prefix = ["nsenter", "--target", str(first.pid), "--user", "--preserve-credentials"]
        command = [*prefix, "unshare", *user, "--net", "sleep", str(LIFETIME_SECONDS)]
        self._anchors[name] = anchor = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        mine, deadline = str(Path("/proc/self/ns/net").readlink()), time.monotonic() + READY_SECONDS
        while _namespace(anchor.pid) in ("", mine):
            assert anchor.poll() is None, "no network namespaces can be made here"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        self._ip(name, "link", "set", "lo", "up")

    def _plug_in(self, host: str, lan: str, address: str) -> None:
        port, pid = f"{host[:8]}{lan}", str(self._anchors[host].pid)
        end = f"eth{lan}"
        self._ip(SWITCH, "link", "add", port, "type", "veth", "peer", "name", end, "netns", pid)
        self._ip(SWITCH, "link", "set", port, "master", f"br{lan}", "up")
        self._ip(host, "address", "add", f"{address}/24", "brd", "+", "dev", end)
        self._ip(host, "link", "set", end, "up")
        gateway = GATEWAYS.get(lan)
        if gateway not in (None, address) and len(HOSTS[host]) == 1:
            self._ip(host, "route", "add", "default", "via", str(gateway))

    def _ip(self, host: str, *arguments: str) -> None:
        self.run(host, "ip", *arguments)

    def _end(self) -> None:
        for anchor in self._anchors.values():
            anchor.kill()
            anchor.wait()
        self._anchors = {}


def _namespace(pid: int) -> str:
    with contextlib.suppress(OSError):
        return str(Path(f"/proc/{pid}/ns/net").readlink())
    return ""
