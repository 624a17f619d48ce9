"""Which of the servers that were found is joined, and what networks are asked for them."""

from __future__ import annotations

from dc import limits_join
from dc.discovery import Facts, Found
from dc.worker.choosing import candidates, choose, is_known
from dc.worker.networks import (
    Asked,
    all_asked,
    gateways_of_linux,
    gateways_of_netstat,
    of_address,
)

ONE = Facts("one", 8220, True, b"1" * 16, name="desk")
TWO = Facts("two", 8220, True, b"2" * 16)
PLAIN = Facts("plain", 8220, False)


def test_a_server_that_was_found_twice_is_one() -> None:
    found = [Found("192.0.2.1", ONE), Found("fe80::1%2", ONE), Found("192.0.2.1", ONE)]
    (one,) = candidates(found)
    assert one.hosts == ["192.0.2.1", "fe80::1%2"]
    assert one.text == "https://192.0.2.1:8220  desk  key 3131313131313131"


def test_a_server_without_tls_is_one_on_this_computer_alone() -> None:
    found = [Found("192.0.2.1", PLAIN), Found("name", PLAIN), Found("127.0.0.1", PLAIN)]
    (one,) = candidates(found)
    assert one.hosts == ["127.0.0.1"]
    assert one.text == "http://127.0.0.1:8220  without TLS"
    assert candidates(found[:2]) == []


def test_there_are_not_too_many() -> None:
    found = [Found(f"192.0.2.{number}", ONE) for number in range(200)]
    (one,) = candidates(found)
    assert len(one.hosts) == limits_join.ADDRESSES
    many = [Found("192.0.2.1", Facts(f"s{n}", 8220, True, bytes(16))) for n in range(200)]
    assert len(candidates(many)) == limits_join.DISCOVERED


def test_the_one_that_is_known_is_taken_and_else_the_only_one() -> None:
    both = candidates([Found("192.0.2.1", ONE), Found("192.0.2.2", TWO)])
    assert choose(both, []) is None
    assert choose(both, [b"3" * 32]) is None
    assert choose(both, [b"2" * 32]) is both[1]
    assert choose(both[:1], [b"2" * 32]) is both[0]
    assert choose([], []) is None


def test_a_pin_is_known_by_sixteen_bytes() -> None:
    assert is_known(b"1" * 16, [b"1" * 32])
    assert is_known(b"1" * 32, [b"1" * 16])
    assert not is_known(b"1" * 15, [b"1" * 32])
    assert not is_known(b"", [b"", b"1" * 16])
    assert not is_known(b"1" * 16, [b""])


def test_all_of_a_network_is_asked_from_the_address_in_it() -> None:
    assert list(of_address("192.0.2.7", 24, 2)) == [Asked("192.0.2.255", "192.0.2.7")]
    assert list(of_address("10.1.2.3", 8, 2)) == [Asked("10.255.255.255", "10.1.2.3")]
    assert list(of_address(("fe80::1", 0, 3), 64, 3)) == [Asked("ff02::1%3")]
    for address, prefix in [("127.0.0.1", 8), ("192.0.2.7", 32), ("nonsense", 24)]:
        assert list(of_address(address, prefix, 2)) == []
    assert list(of_address(("2001:db8::1", 0, 0), 64, 3)) == []
    assert list(of_address(("fe80::1", 0, 0), 64, None)) == []


def test_this_computer_is_always_asked() -> None:
    found = all_asked()
    assert found[0] == Asked("127.0.0.1")
    assert len(set(found)) == len(found)


def test_gateways_of_linux() -> None:
    text = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask
eth0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000
eth1\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000
eth0\t0002A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF
ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000
short
eth2\t00000000\tzz
"""
    assert gateways_of_linux(text) == ["192.168.2.1"]
    assert gateways_of_linux("") == []


def test_gateways_of_macos_and_windows() -> None:
    macos = """\
Routing tables

Internet:
Destination        Gateway            Flags           Netif Expire
default            192.168.64.1       UGScg             en0
default            link#15            UCSIg       bridge100
127                127.0.0.1          UCS               lo0

Internet6:
default            fe80::%utun0       UGcIg           utun0
"""
    windows = """\
Network Destination        Netmask          Gateway       Interface  Metric
          0.0.0.0          0.0.0.0      192.168.1.1     192.168.1.20     25
        127.0.0.0        255.0.0.0         On-link         127.0.0.1    331
          0.0.0.0          0.0.0.0          On-link
"""
    assert gateways_of_netstat(macos) == ["192.168.64.1"]
    assert gateways_of_netstat(windows) == ["192.168.1.1"]
    assert gateways_of_netstat("") == []
