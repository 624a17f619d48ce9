"""Which of the servers that were found a worker joins."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Sequence

from msgspec import Struct

from dc import limits_join
from dc.discovery import Facts, Found


class Candidate(Struct, frozen=True):
    """A server that was found, and all addresses it has answered from, in the order they came."""

    facts: Facts
    hosts: list[str]

    @property
    def text(self) -> str:
        """For people: where it is, what it is called, and how its key begins."""
        facts = self.facts
        host = self.hosts[0]
        where = f"[{host}]:{facts.port}" if ":" in host else f"{host}:{facts.port}"
        name = f"  {facts.name}" if facts.name else ""
        key = f"  key {facts.pin.hex()[:16]}" if facts.pin else "  without TLS"
        return f"{'https' if facts.tls else 'http'}://{where}{name}{key}"


def candidates(found: Sequence[Found]) -> list[Candidate]:
    """Return the servers that may be joined, each with all its addresses.

    One without TLS counts only on this computer: a server lets no other computer in without it, so
    whatever says so is none.
    """
    merged: dict[Facts, list[str]] = {}
    for one in found[: limits_join.DISCOVERED]:
        if one.facts.tls or _is_loopback(one.host):
            hosts = merged.setdefault(one.facts, [])
            if one.host not in hosts and len(hosts) < limits_join.ADDRESSES:
                hosts.append(one.host)
    return [Candidate(facts, hosts) for facts, hosts in merged.items()]


def choose(servers: Sequence[Candidate], pins: Collection[bytes]) -> Candidate | None:
    """Return the one to join: whose pin is known, else the only one; None if a person is to say.

    Args:
        servers: those that were found.
        pins: of servers that were joined before, or of the code; whole, or their beginnings.
    """
    known = [one for one in servers if is_known(one.facts.pin, pins)]
    if known:
        return known[0]
    return servers[0] if len(servers) == 1 else None


def is_known(pin: bytes, pins: Collection[bytes]) -> bool:
    """Whether a pin that was told is the beginning of one of these, or one of them its."""
    return len(pin) >= 16 and any(one.startswith(pin) or pin.startswith(one) for one in pins if one)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
