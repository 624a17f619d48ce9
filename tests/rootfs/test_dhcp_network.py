"""Cards of a computer in a network of namespaces, with dnsmasq for its DHCP server: real programs.

The computer's root is a folder; its /sys and /proc are those of a namespace of its own, so that
links are real, and `ip` and `udhcpc` are busybox's.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.rootfs.fake_root import SCRIPTS, FakeRoot, busybox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")

CODE = "dc1-a-code"
SECONDS = 60.0
LIFETIME = "300"

BUILD = f"""\
set -e
ip link set lo up
ip link add near type veth peer name far
ip address add 10.66.0.1/24 dev far
ip link set far up
mount -t sysfs sys "$1/sys"
exec sleep {LIFETIME}
"""


class Computer:
    """A computer with one card, `near`; the other end of its cable is `far`.

    Args:
        path: an empty folder for its root.
    """

    def __init__(self, path: Path) -> None:
        self.root = FakeRoot(path)
        self.root.write("bin/busybox", f'#!/bin/sh\nexec {busybox()} "$@"\n', runs=True)
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        command = ["unshare", *user, "--net", "--mount", "sh", "-c", BUILD, "sh", str(path)]
        self._anchor = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        self._programs = [self._anchor]
        self.wait(lambda: self.has_card() or self._anchor.poll() is not None)
        assert self._anchor.poll() is None, "no namespaces can be made here"

    def has_card(self) -> bool:
        """Whether it has been put together."""
        return not self.ran(["ls", f"{self.root.path}/sys/class/net/near"])

    def wait(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + SECONDS
        while not is_so():
            assert time.monotonic() < deadline, self.state()
            time.sleep(0.02)

    def state(self) -> str:
        """Return the line for people on its card."""
        with contextlib.suppress(FileNotFoundError):
            return self.root.state("near")
        return ""

    def _in(self, command: list[str]) -> list[str]:
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        where = ["nsenter", "--target", str(self._anchor.pid), "--net", "--mount", *user, "--"]
        root = ["env", f"DC_ROOT={self.root.path}"]
        return [*where, *root, *command]

    def ran(self, command: list[str]) -> int:
        """Run a command there; return its status."""
        quiet = subprocess.DEVNULL
        done = subprocess.run(
            self._in(command), stdin=quiet, stdout=quiet, stderr=quiet, timeout=30, check=False
        )
        return done.returncode

    def said(self, command: list[str]) -> str:
        """Run a command there; return what it said."""
        return subprocess.run(
            self._in(command), capture_output=True, text=True, timeout=30, check=True
        ).stdout

    def start(self, command: list[str]) -> subprocess.Popen[bytes]:
        """Start a program there, that ends with the test."""
        quiet = subprocess.DEVNULL
        program = subprocess.Popen(
            self._in(command), stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
        )
        self._programs.append(program)
        return program

    def serve(self, *options: str) -> subprocess.Popen[bytes]:
        """Start a DHCP server at the other end of the cable; return once it listens."""
        server = shutil.which("dnsmasq", path="/usr/sbin:/usr/bin:/sbin")
        assert server is not None, "the tests need dnsmasq: apt install dnsmasq-base"
        words = ["--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root"]
        words += [
            "--interface=far",
            "--bind-interfaces",
            "--leasefile-ro",
            "--dhcp-authoritative",
            "--no-ping",
        ]
        words += ["--dhcp-range=10.66.0.50,10.66.0.60,1h", f"--pid-file={self.root.path}/dnsmasq"]
        program = self.start([server, *words, *options])
        self.wait(lambda: not self.ran(["grep", "-q", ":0043 ", "/proc/net/udp"]))
        return program

    def end(self) -> None:
        """End all that was started, and what that has started."""
        for program in reversed(self._programs):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGTERM)
            program.wait(30)


@pytest.fixture
def computer(tmp_path: Path) -> Iterator[Computer]:
    computer = Computer(tmp_path)
    try:
        yield computer
    finally:
        computer.end()


def supervise(computer: Computer) -> subprocess.Popen[bytes]:
    script = computer.root.path / SCRIPTS / "netif"
    return computer.start([busybox(), "ash", str(script), "near"])


def test_a_card_gets_its_address_and_the_server_s_option(computer: Computer) -> None:
    computer.root.write("run/dc/named", "")
    computer.serve(f"--dhcp-option-force=224,{CODE}", "--dhcp-option=option:dns-server,10.66.0.1")
    supervise(computer)
    computer.wait(lambda: computer.state().startswith("10.66.0."))
    lease = computer.root.lease("near")
    assert bytes.fromhex(lease["opt224"]).decode() == CODE
    assert (lease["router"], lease["serverid"], lease["mask"]) == ("10.66.0.1", "10.66.0.1", "24")
    assert "nameserver 10.66.0.1" in computer.root.read("etc/resolv.conf")
    assert "default via 10.66.0.1 dev near" in computer.said(["ip", "route"])


def test_it_asks_until_there_is_an_answer(computer: Computer) -> None:
    supervise(computer)
    computer.wait(lambda: computer.state() == "no answer to DHCP, asking again")
    computer.serve()
    computer.wait(lambda: computer.state().startswith("10.66.0."))


def test_a_cable_that_is_pulled_and_put_back(computer: Computer) -> None:
    computer.serve()
    computer.said(["ip", "link", "set", "far", "down"])
    supervise(computer)
    computer.wait(lambda: computer.state() == "no link: is the cable in?")
    computer.said(["ip", "link", "set", "far", "up"])
    computer.wait(lambda: computer.state().startswith("10.66.0."))
    before = computer.state()
    computer.said(["ip", "link", "set", "far", "down"])
    computer.wait(lambda: computer.state() == "no link: is the cable in?")
    computer.wait(lambda: not computer.root.has("run/dc/net/near.lease"))
    computer.wait(lambda: "10.66.0." not in computer.said(["ip", "addr", "show", "dev", "near"]))
    computer.said(["ip", "link", "set", "far", "up"])
    computer.wait(lambda: computer.state() == before)


def test_a_renewal_brings_another_option(computer: Computer) -> None:
    """As an order to read the configuration anew makes it."""
    first = computer.serve(f"--dhcp-option-force=224,{CODE}")
    supervise(computer)
    computer.wait(lambda: computer.root.has("run/dc/net/near.lease"))
    first.terminate()
    first.wait(30)
    computer.serve("--dhcp-option-force=224,10.66.0.1:4000")
    pid = computer.root.read("run/dc/net/near.pid").strip()

    computer.wait(lambda: computer.ran(["ip", "route", "get", "10.66.0.1"]) == 0)
    computer.said(["kill", "-USR1", pid])  # once: twice in a row means all over again
    computer.wait(lambda: option(computer) == b"10.66.0.1:4000")


def option(computer: Computer) -> bytes:
    with contextlib.suppress(FileNotFoundError):
        return bytes.fromhex(computer.root.lease("near")["opt224"])
    return b""


def test_a_card_that_is_taken_out_leaves_nothing_behind(computer: Computer) -> None:
    computer.serve()
    program = supervise(computer)
    computer.wait(lambda: computer.state().startswith("10.66.0."))
    computer.said(["ip", "link", "delete", "near"])
    program.wait(30)
    assert not list((computer.root.path / "run/dc/net").glob("near.*"))
