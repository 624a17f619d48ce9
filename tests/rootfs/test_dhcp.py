"""What is made of a DHCP answer, which comes from whoever answers first."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rootfs.fake_root import FakeRoot

ANSWER = {
    "interface": "eth0",
    "ip": "192.168.7.20",
    "mask": "24",
    "subnet": "255.255.255.0",
    "router": "192.168.7.1 192.168.7.2",
    "dns": "192.168.7.1 9.9.9.9",
    "serverid": "192.168.7.1",
    "siaddr": "192.168.7.9",
    "opt224": "6463312d616263",
    "lease": "3600",
    "domain": "example.org",
}
KEYS = ["method", "ip", "mask", "router", "dns", "serverid", "siaddr", "ntpsrv"]
KEYS += ["domain", "hostname", "lease", "opt224"]


@pytest.fixture
def root(tmp_path: Path) -> FakeRoot:
    return with_card(tmp_path)


def with_card(path: Path) -> FakeRoot:
    root = FakeRoot(path)
    root.write("sys/class/net/eth0/ifindex", "3\n")
    return root


def ip_calls(root: FakeRoot) -> list[str]:
    return [" ".join(one[1:]) for one in root.calls("ip")]


def test_an_answer_is_set_and_told(root: FakeRoot) -> None:
    assert root.run("dhcp", "bound", **ANSWER) == 0
    assert root.state("eth0") == "192.168.7.20/24"
    assert list(root.lease("eth0")) == KEYS
    assert root.lease("eth0")["router"] == ANSWER["router"]
    assert root.lease("eth0")["opt224"] == ANSWER["opt224"]
    assert "-4 addr replace 192.168.7.20/24 dev eth0" in ip_calls(root)
    assert "route replace default via 192.168.7.1" not in " ".join(ip_calls(root))
    route = "route replace 0.0.0.0/0 via 192.168.7.1 dev eth0 metric 103"
    assert route in ip_calls(root)
    assert "nameserver 192.168.7.1\nnameserver 9.9.9.9\n" in root.read("etc/resolv.conf")


def test_a_renewal_of_the_same_address_does_not_take_it_away(root: FakeRoot) -> None:
    root.run("dhcp", "bound", **ANSWER)
    root.write("calls", "")
    root.run("dhcp", "renew", **ANSWER)
    assert "-4 addr flush dev eth0" not in ip_calls(root)
    root.run("dhcp", "renew", **{**ANSWER, "ip": "192.168.7.21"})
    assert "-4 addr flush dev eth0" in ip_calls(root)


def test_routes_of_option_121_come_before_routers(root: FakeRoot) -> None:
    routes = "10.0.0.0/8 192.168.7.3 0.0.0.0/0 192.168.7.4 bad 1.2.3.4 9.0.0.0/8 x"
    root.run("dhcp", "bound", **ANSWER, staticroutes=routes)
    calls = [one for one in ip_calls(root) if one.startswith("route replace")]
    assert [one.split()[2:5:2] for one in calls] == [
        ["10.0.0.0/8", "192.168.7.3"],
        ["0.0.0.0/0", "192.168.7.4"],
    ]


def test_routes_of_the_answer_before_are_taken_back(root: FakeRoot) -> None:
    root.run("dhcp", "bound", **ANSWER, staticroutes="10.0.0.0/8 192.168.7.3")
    root.write("calls", "")
    root.run("dhcp", "renew", **ANSWER)
    assert "route delete 10.0.0.0/8 dev eth0 metric 103" in ip_calls(root)
    assert not any("flush" in one for one in ip_calls(root))


def test_a_lost_lease_is_taken_back(root: FakeRoot) -> None:
    root.run("dhcp", "bound", **ANSWER)
    root.run("dhcp", "deconfig", interface="eth0")
    assert not root.has("run/dc/net/eth0.lease")
    assert "nameserver" not in root.read("etc/resolv.conf")


def test_of_two_cards_with_answers_at_once_both_count(root: FakeRoot) -> None:
    root.run("dhcp", "bound", **ANSWER)
    held = root.path / "run/dc/net/z.lease"  # which holds up whoever reads the leases
    os.mkfifo(held)

    def come_meanwhile() -> None:
        with held.open("w"):
            root.write("run/dc/net/eth1.lease", "dns=10.1.1.1\n")
            held.unlink()

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(come_meanwhile)
        root.run("dhcp", "renew", **ANSWER)
        done.result()
    assert "nameserver 10.1.1.1\n" in root.read("etc/resolv.conf")


def test_no_answer_is_told_with_the_address_that_ipv6_gave(root: FakeRoot) -> None:
    root.run("dhcp", "leasefail", interface="eth0")
    assert root.state("eth0") == "no answer to DHCP, asking again"
    root.answer("ip", "echo '    inet6 2001:db8::5/64 scope global dynamic'")
    root.run("dhcp", "leasefail", interface="eth0")
    assert root.state("eth0") == "2001:db8::5/64; no answer to DHCP, asking again"


def test_servers_that_were_told_come_before_those_of_dhcp(root: FakeRoot) -> None:
    root.write("run/dc/words", "dc.dns=10.1.1.1,bad;rm,2001:db8::1\n")
    root.run("dhcp", "bound", **ANSWER)
    found = re.findall("^nameserver (.*)$", root.read("etc/resolv.conf"), re.MULTILINE)
    assert found == ["10.1.1.1", "2001:db8::1", "192.168.7.1"]  # libc reads three


@pytest.mark.parametrize("name", ["", "../../etc/x", "a b", ".", "much-too-long-a-name", "e;x"])
def test_a_name_that_is_no_interface_s_is_not_heeded(root: FakeRoot, name: str) -> None:
    assert root.run("dhcp", "bound", **{**ANSWER, "interface": name}) == 1
    assert root.calls() == []


@pytest.mark.parametrize(
    "address", ["", "1.2.3", "1.2.3.4;x", "256.1.1.1", "-1.2.3.4", "1.2.3.4\n"]
)
def test_an_answer_without_an_address_is_none(root: FakeRoot, address: str) -> None:
    assert root.run("dhcp", "bound", **{**ANSWER, "ip": address}) == 1
    assert not root.has("run/dc/net/eth0.lease")


anything = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"])
    | st.sampled_from("$`;|\n '\"*1."),
    max_size=40,
)
FIELDS = sorted(
    {*ANSWER, "staticroutes", "mtu", "ntpsrv", "hostname", "broadcast"} - {"interface", "ip"}
)


@settings(max_examples=25, deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(FIELDS, anything)))
def test_whatever_is_in_an_answer(
    tmp_path_factory: pytest.TempPathFactory, fields: dict[str, str]
) -> None:
    root = with_card(tmp_path_factory.mktemp("root"))
    assert root.run("dhcp", "bound", **fields, interface="eth0", ip="10.0.0.2") == 0
    lines = root.read("run/dc/net/eth0.lease").splitlines()
    assert [line.split("=", 1)[0] for line in lines] == KEYS
    assert all(re.fullmatch(r"[ -~]*", line) for line in lines)
    for words in root.calls("ip"):
        assert all(re.fullmatch(r"[a-z0-9./-]+", word) for word in words)
    for line in root.read("etc/resolv.conf").splitlines():
        assert re.fullmatch(r"nameserver [0-9.]+|options .*", line)
