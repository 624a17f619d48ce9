"""What a computer that was booted from the image is to do: put together from all that says so.

Where the server is comes from the first of these that says it: the kernel line, the configuration
file, DHCP option 224; otherwise it is looked for in the network. Of one source a join code goes
before an address, which is then one more place to look for the server of the code. Of all else,
what stands in an earlier source counts.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from dc import boot_words, invites, limits, limits_appliance, limits_image
from dc.dial import read_url
from dc.errors import StartError
from dc.invites import Invite
from dc.worker.appliance_words import OPTION, Said, of_option, shown
from dc.worker.finding import Where

YES: Final = frozenset(("1", "yes", "true", "on", "y"))
NO: Final = frozenset(("0", "no", "false", "off", "n"))
OPTION_KEY: Final = "opt224"
HINT_KEYS: Final = ("serverid", "siaddr", "router")
"""Of a lease: addresses at which a server may be, as they are written by udhcpc's script."""

Lease = Mapping[str, str]


class Settings(Struct, frozen=True):
    """What is to be done.

    Attributes:
        where: where to go.
        source: what says so, for people; empty if nothing does.
        slots: tasks at one time, 0 for as many as there are processors.
        name: of the worker; empty for the computer's.
        labels: of the worker.
        shell: whether there is a shell on the second console.
        trusts_network: whether the yes on a server's page is enough, where no code names it.
        remarks: sentences on what was wrong.
    """

    where: Where = Where()
    source: str = ""
    slots: int = 0
    name: str = ""
    labels: dict[str, str] = {}
    shell: bool = False
    trusts_network: bool = False
    remarks: list[str] = []


def settings_of(sources: Sequence[Said], leases: Sequence[Lease] = ()) -> Settings:
    """Return the settings; never raises, whatever was said.

    Args:
        sources: the kernel line and the configuration file.
        leases: of all networks, in the order in which they count.
    """
    options = [of_option(lease[OPTION_KEY]) for lease in leases if lease.get(OPTION_KEY)]
    found = _Found()
    for said in [*sources, *options]:
        found.take(said)
    remarks = list(dict.fromkeys([*found.urgent, *found.remarks]))
    return replace(found.settings, remarks=remarks[: limits_appliance.REMARKS])


def hints(leases: Sequence[Lease]) -> list[str]:
    """Return the addresses of those that DHCP has named: they may be servers, or know one."""
    found: dict[str, None] = {}
    for lease in leases:
        for word in " ".join(lease.get(key, "") for key in HINT_KEYS).split():
            with suppress(ValueError):
                address = ipaddress.IPv4Address(word)
                if not (address.is_unspecified or address.is_multicast or address.is_loopback):
                    found[str(address)] = None
    return list(found)[: limits_appliance.HINTS]


class _Found:
    """Puts the settings together, the source that counts most first."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.urgent: list[str] = []  # remarks on where to go
        self.remarks: list[str] = []
        self._seen: set[str] = set()

    def take(self, said: Said) -> None:
        """Add what another source says."""
        self.remarks += said.remarks
        readers: Mapping[str, Callable[[str], object]] = {
            "slots": _slots,
            "name": _name,
            "shell": _flag,
            "trust-network": _flag,
        }
        for name, value in said.words:
            if name == "label":
                self._label(said.source, value)
            elif name in ("ip", "gw", "dns"):
                self._check(said.source, name, _NETWORK[name], value)
            elif name in readers and name not in self._seen:
                read = self._check(said.source, name, readers[name], value)
                if read is not None:
                    self._seen.add(name)
                    field = "trusts_network" if name == "trust-network" else name
                    self.settings = replace(self.settings, **{field: read})
        self._where(said)

    def _check(
        self, source: str, name: str, read: Callable[[str], object], value: str
    ) -> object | None:
        """Return a value as it was read; None if it cannot be, which is remarked on."""
        try:
            return read(value)
        except ValueError as error:
            self.remarks.append(f"dc.{name} in {source}: {error}; it is left out")
            return None

    def _label(self, source: str, value: str) -> None:
        key, equals, text = value.partition("=")
        labels = self.settings.labels
        if not (key and equals) or max(len(key), len(text)) > limits.TEXT_CHARS:
            self.remarks.append(f"dc.label in {source}: give dc.label=KEY=VALUE; it is left out")
        elif key not in labels and len(labels) >= limits.LABELS // 2 - 1:
            self.remarks.append(f"dc.label: {limits.LABELS // 2 - 1} labels at most")
        elif key not in labels:
            self.settings = replace(self.settings, labels={**labels, key: text})

    # --- where ----------------------------------------------------------------------------------

    def _where(self, said: Said) -> None:
        codes = [one for one in self._codes(said) if one is not None]
        urls = [one for one in self._urls(said) if one is not None]
        if not (codes or urls):
            return
        for found, what in ((codes, "join codes"), (urls, "servers")):
            if len(set(map(str, found))) > 1:
                self.urgent.append(f"{said.source} names several {what}: the first one counts")
        where = Where(codes[0]) if codes else Where(url=urls[0])
        if codes and urls:
            where = Where(_with_address(codes[0], urls[0]))
        if not self.settings.source:
            self.settings = replace(self.settings, where=where, source=said.source)
        elif said.source != OPTION:  # a network may well say what is for others
            text = f"{self.settings.source} says where to go: {said.source} is not heeded in it"
            self.urgent.append(text)
        elif self.settings.source == OPTION and where != self.settings.where:
            self.urgent.append(f"two networks name different servers by {OPTION}: the first counts")

    def _codes(self, said: Said) -> Iterator[Invite | None]:
        for name, value in said.words:
            if name == "invite":
                try:
                    yield invites.read(value)
                except StartError as error:
                    self.urgent.append(f"dc.invite in {said.source}: {error}")

    def _urls(self, said: Said) -> Iterator[str | None]:
        for name, value in said.words:
            if name == "server":
                try:
                    yield _url(value)
                except StartError:
                    text = f"dc.server in {said.source}: {shown(value)!r} is no address"
                    self.urgent.append(f"{text}; give HOST:PORT")


def _url(text: str) -> str:
    """Return an address with its scheme: that of TLS, if it has none."""
    server = read_url(text)
    return text.strip() if "://" in text else f"https://{server.authority}"


def _with_address(invite: Invite, url: str) -> Invite:
    """Return a code with one more address of its server, which is tried first."""
    server = read_url(url)
    addresses = dict.fromkeys([(server.host, server.port), *invite.addresses])
    return Invite(invite.secret, invite.pin, list(addresses)[: invites.MOST_ADDRESSES])


def _slots(value: str) -> int:
    if not (slots := boot_words.slots_of(value)):
        raise ValueError(f"give a number from 1 to {limits_image.SLOTS}")
    return slots


def _name(value: str) -> str:
    if not value.isprintable() or len(value) > limits.TEXT_CHARS:
        raise ValueError(f"give 1 to {limits.TEXT_CHARS} characters")
    return value


def _flag(value: str) -> bool:
    if value.lower() in YES | NO:
        return value.lower() in YES
    raise ValueError("give 1 or 0")


def _ip(value: str) -> str:
    if not boot_words.is_own_address(value):
        raise ValueError("give ADDRESS/PREFIX, as 192.168.1.20/24")
    return value


def _addresses(most: int, value: str) -> list[str]:
    if not (found := boot_words.addresses_of(value, most)):
        raise ValueError("give an address in figures, as 192.168.1.1")
    return found


_NETWORK: Final[Mapping[str, Callable[[str], object]]] = MappingProxyType(
    {"ip": _ip} | {name: partial(_addresses, most) for name, most in boot_words.MOST.items()}
)
"""What netif reads; here it is only looked whether it is right."""
