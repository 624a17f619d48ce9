"""mDNS and DNS-SD (`_dc._tcp`), by zeroconf, in a process of its own.

    python -m dc.mdns announce    facts as one line of JSON on standard input; until that ends
    python -m dc.mdns browse      servers as lines of JSON on standard output; until its input ends

zeroconf runs on asyncio and threads, and takes long to import. So neither a server nor a worker
that does not need it has any of it; and what a strange network does to it, it does to nobody else.
"""

from __future__ import annotations

import ipaddress
import sys
from typing import Final, TextIO

import ifaddr
import msgspec
from zeroconf import ServiceBrowser, ServiceInfo, ServiceListener, Zeroconf

from dc.discovery import SERVICE, Facts, Found, read_txt, txt_of

COMMAND: Final = "-m", "dc.mdns"


class Listener(ServiceListener):
    """Writes down each server that is heard of.

    Args:
        out: where to.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def add_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        """Look at a service that is new."""
        if (info := zc.get_service_info(type_, name, timeout=1000)) is not None:
            for found in found_of(info):
                self._out.write(msgspec.json.encode(found).decode() + "\n")
            self._out.flush()

    def update_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        """Look at a service that is other than it was."""
        self.add_service(zc, type_, name)

    def remove_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        """See a service go."""


def found_of(info: ServiceInfo) -> list[Found]:
    """Return the server that a service is, once for each of its addresses; none if it is no dc."""
    facts = read_txt(info.decoded_properties, info.port or 0)
    return [Found(host, facts) for host in info.parsed_scoped_addresses()] if facts else []


def info_of(facts: Facts, addresses: list[str]) -> ServiceInfo:
    """Return the service that a server is, at these addresses of its computer."""
    label = f"dc-{facts.server[:32]}-{facts.port}"
    packed = [ipaddress.ip_address(one).packed for one in addresses]
    return ServiceInfo(
        SERVICE,
        f"{label}.{SERVICE}",
        port=facts.port,
        addresses=packed,
        properties=dict(txt_of(facts)),
        server=f"{label}.local.",
    )


def own_addresses() -> list[str]:
    """Return the addresses of this computer that others may reach."""
    found = []
    for adapter in ifaddr.get_adapters():
        for one in adapter.ips:
            text = one.ip if isinstance(one.ip, str) else one.ip[0]
            address = ipaddress.ip_address(text.partition("%")[0])
            if not (address.is_loopback or address.is_link_local):
                found.append(text)
    return found


def announce(source: TextIO) -> None:
    """Announce the server whose facts the first line says, until there are no more lines."""
    facts = msgspec.json.decode(source.readline(), type=Facts)
    with Zeroconf() as zeroconf:
        zeroconf.register_service(info_of(facts, own_addresses()), allow_name_change=True)
        source.read()


def browse(source: TextIO, out: TextIO) -> None:
    """Write down servers as they are heard of, until the source ends."""
    with Zeroconf() as zeroconf:
        ServiceBrowser(zeroconf, SERVICE, Listener(out))
        source.read()


def main(argv: list[str] | None = None) -> int:
    """Do what the only argument says; return the exit status."""
    match sys.argv[1:] if argv is None else argv:
        case ["announce"]:
            announce(sys.stdin)
        case ["browse"]:
            browse(sys.stdin, sys.stdout)
        case _:
            print("give one of: announce, browse", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
