"""Network cards: which there are, what the computer is called, and how one is looked after."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rootfs.fake_root import FakeRoot

LOOKS = """\
tries=0
while grep -q '(DHCP)' "$root/run/dc/net/eth0.state" && [ ! -e "$root/has-asked" ] &&
    [ $tries -lt 3000 ]; do
    tries=$((tries + 1))
    /bin/sleep 0.02
done
read -r step <"$root/steps" || step=gone
sed -i 1d "$root/steps"
case $step in
gone) rm -rf "$root/sys/class/net/eth0" ;;
*) echo "$step" >"$root/sys/class/net/eth0/carrier" ;;
esac
[ "$step" = 0 ] && rm -f "$root/has-asked" # with the link the client goes, and another one comes
cat "$root/run/dc/net/eth0.state" >>"$root/states"
"""
"""What the stand-in of `sleep` does: another look of the card's supervisor, another link.

A client that was started is not ended before it has left word of that, and its lease.
"""

CLIENT = """\
: >"$root/has-asked"
exec sleep 1000
"""


@pytest.fixture
def root(tmp_path: Path) -> Iterator[FakeRoot]:
    root = FakeRoot(tmp_path)
    root.answer("sleep", LOOKS)
    root.answer("udhcpc", CLIENT)
    yield root
    root.close()


def add_card(root: FakeRoot, name: str, mac: str, *, kind: int = 1, real: bool = True) -> None:
    folder = f"sys/class/net/{name}"
    root.write(f"{folder}/type", f"{kind}\n")
    root.write(f"{folder}/address", f"{mac}\n")
    root.write(f"{folder}/carrier", "0\n")
    root.write(f"{folder}/ifindex", "2\n")
    if real:
        root.write(f"{folder}/device/x", "")


def add_pci(root: FakeRoot, slot: str, kind: str, *, driver: bool) -> None:
    folder = f"sys/bus/pci/devices/{slot}"
    root.write(f"{folder}/class", f"{kind}\n")
    root.write(f"{folder}/vendor", "0x8086\n")
    root.write(f"{folder}/device", f"0x{slot}\n")
    if driver:
        root.write(f"{folder}/driver/x", "")


def looks(root: FakeRoot, *links: int) -> list[str]:
    """Let a supervisor look at a link so often; return the lines for people, one of each kind."""
    root.write("steps", "".join(f"{link}\n" for link in links))
    assert root.run("netif", "eth0") == 0
    states = root.read("states").splitlines()
    return [one for n, one in enumerate(states) if n == 0 or one != states[n - 1]]


# --- all cards -----------------------------------------------------------------------------------


def test_the_computer_is_named_after_its_lowest_address(root: FakeRoot) -> None:
    root.stub("netif")
    add_card(root, "eth0", "52:54:00:12:34:57")
    add_card(root, "eth1", "52:54:00:12:34:56")
    add_card(root, "br0", "02:00:00:00:00:01", real=False)
    add_card(root, "ib0", "00:00:00:00:00:02", kind=32)
    root.run("network")
    assert root.calls("hostname") == [["hostname", "dc-525400123456"]]
    assert "127.0.1.1 dc-525400123456\n" in root.read("etc/hosts")
    add_card(root, "eth2", "00:00:00:00:00:09")
    root.run("network")
    assert len(root.calls("hostname")) == 1  # and keeps its name


@pytest.mark.parametrize(
    ("told", "name"),
    [("upper-2.floor", "upper-2.floor"), ("a $(reboot)", "a-reboot-"), ("x" * 99, "x" * 63)],
)
def test_the_name_that_was_told(root: FakeRoot, told: str, name: str) -> None:
    root.write("run/dc/words", f"dc.name={told}\n")
    root.run("network")
    assert root.calls("hostname") == [["hostname", name]]


def test_every_card_has_one_supervisor(root: FakeRoot) -> None:
    root.stub("netif", 'echo "$1" >>"$DC_ROOT/supervised"; sleep 0.2')
    for name in ("eth0", "eth1"):
        add_card(root, name, "52:54:00:12:34:57")
    add_card(root, "lo", "00:00:00:00:00:00", kind=772, real=False)
    root.run("network")
    while len(root.read("supervised").splitlines() if root.has("supervised") else []) < 2:
        time.sleep(0.01)
    assert sorted(root.read("supervised").split()) == ["eth0", "eth1"]


def test_a_second_supervisor_ends_itself(root: FakeRoot) -> None:
    add_card(root, "eth0", "52:54:00:12:34:57")
    root.write("run/dc/net/eth0.supervisor", "77\n")
    (root.path / "proc/77").mkdir()
    assert root.run("netif", "eth0") == 0
    assert root.calls() == []
    (root.path / "proc/77").rmdir()  # that one was killed
    assert looks(root, 0) == ["no link yet"]


def test_cards_without_a_driver_are_listed_once_all_were_loaded(root: FakeRoot) -> None:
    add_pci(root, "15b7", "0x020000", driver=False)
    add_pci(root, "15b8", "0x020000", driver=True)
    add_pci(root, "1111", "0x030000", driver=False)
    root.run("network")
    assert not root.has("run/dc/net/cards")
    root.write("run/dc/devices-done", "")
    root.run("network")
    assert root.read("run/dc/net/cards") == "8086:15b7\n"
    root.write("sys/bus/pci/devices/15b7/driver/x", "")
    root.run("network")
    assert not root.has("run/dc/net/cards")


def test_that_there_is_no_card_is_told(root: FakeRoot) -> None:
    root.write("sys/class/tty/console/active", "ttyS0")
    root.run("network", "none")
    assert root.read("dev/ttyS0").startswith("no network card was found: ")
    add_pci(root, "15b7", "0x028000", driver=False)
    root.run("network", "none")
    assert (
        root.read("dev/ttyS0").splitlines()[-1].startswith("no driver for network card 8086:15b7 (")
    )
    add_card(root, "eth0", "52:54:00:12:34:57")
    root.write("dev/ttyS0", "")
    root.run("network", "none")
    assert root.read("dev/ttyS0") == ""


# --- one card ------------------------------------------------------------------------------------


def test_a_card_with_a_link_asks_for_an_address(root: FakeRoot) -> None:
    add_card(root, "eth0", "52:54:00:12:34:57")
    assert looks(root, 0, 1, 1, 1) == ["no link yet", "asking for an address (DHCP)"]
    (client,) = root.calls("udhcpc")
    assert client[client.index("-i") + 1] == "eth0"
    assert client[client.index("-O") + 1] == "224"
    assert not list((root.path / "run/dc/net").glob("eth0.*"))  # the card has gone


def test_a_card_without_a_link_is_told_of_after_some_seconds(root: FakeRoot) -> None:
    add_card(root, "eth0", "52:54:00:12:34:57")
    assert looks(root, *[0] * 39) == ["no link yet"]
    add_card(root, "eth0", "52:54:00:12:34:57")
    (root.path / "states").unlink()
    assert looks(root, *[0] * 42) == ["no link yet", "no link: is the cable in?"]


def test_a_lost_link_is_told_and_asked_over_again_for_the_same_address(root: FakeRoot) -> None:
    add_card(root, "eth0", "52:54:00:12:34:57")
    root.answer("udhcpc", f'echo ip=10.0.0.5 >"$root/run/dc/net/eth0.lease"\n{CLIENT}')
    states = looks(root, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1)
    asking = "asking for an address (DHCP)"
    assert states[-3:] == [asking, "no link: is the cable in?", asking]
    assert [one[-2:] == ["-r", "10.0.0.5"] for one in root.calls("udhcpc")] == [False, True]


def test_a_client_that_ended_is_started_anew(root: FakeRoot) -> None:
    add_card(root, "eth0", "52:54:00:12:34:57")
    root.answer("udhcpc", ': >"$root/has-asked"\nexit 1')
    looks(root, *[1] * 60)
    assert len(root.calls("udhcpc")) > 1


def ips(root: FakeRoot) -> list[str]:
    return [" ".join(one) for one in root.calls("ip")]


@pytest.mark.parametrize("told", ["10.0.0.5/8", "10.0.0.5/8@eth0"])
def test_an_address_that_was_told_is_set(root: FakeRoot, told: str) -> None:
    add_card(root, "eth0", "52:54:00:12:34:57")
    root.write("run/dc/words", f"dc.ip={told}\ndc.gw=10.0.0.1\ndc.dns=10.0.0.2,10.0.0.3\n")
    root.answer("ip", 'cp "$root/etc/resolv.conf" "$root/kept" 2>/dev/null')
    assert looks(root, 1, 1)[-1] == "10.0.0.5/8, set by dc.ip"
    assert "ip addr add 10.0.0.5/8 dev eth0" in ips(root)
    assert "ip route replace default via 10.0.0.1 dev eth0 metric 102" in ips(root)
    assert root.read("kept").startswith("nameserver 10.0.0.2\nnameserver 10.0.0.3\n")
    assert root.calls("udhcpc") == []


def test_an_address_for_another_card_is_not_taken(root: FakeRoot) -> None:
    add_card(root, "eth0", "52:54:00:12:34:57")
    root.write("run/dc/words", "dc.ip=10.0.0.5/8@eth1\n")
    looks(root, 1, 1)
    assert len(root.calls("udhcpc")) == 1
    assert not any("addr add" in one for one in ips(root))


@pytest.mark.parametrize("told", ["10.0.0.5", "10.0.0.5/33", "$(reboot)/8", "10.0.0/8", "/", ":/9"])
def test_garbage_for_an_address_is_told(root: FakeRoot, told: str) -> None:
    add_card(root, "eth0", "52:54:00:12:34:57")
    root.write("run/dc/words", f"dc.ip={told}\n")
    assert looks(root, 1, 1)[-1] == "dc.ip is not ADDRESS/PREFIX: asking for an address (DHCP)"
    assert len(root.calls("udhcpc")) == 1


def test_a_gateway_out_of_reach_is_told(root: FakeRoot) -> None:
    add_card(root, "eth0", "52:54:00:12:34:57")
    root.write("run/dc/words", "dc.ip=10.0.0.5/24\ndc.gw=10.9.0.1\n")
    root.answer("ip", '[ "$1" = route ] && exit 2')
    told = "10.0.0.5/24, set by dc.ip; the gateway 10.9.0.1 is not within reach of it"
    assert looks(root, 1, 1)[-1] == told
