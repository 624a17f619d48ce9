"""Where a server listens, and so how it is reached: the rules of which are these.

On a loopback address, only this computer reaches it, and nobody has to show anything. On any other
one it has TLS, and everybody has to show who they are. There is nothing between: no option takes
away either of them.
"""

from __future__ import annotations

import argparse
import errno
import ipaddress
import socket
from pathlib import Path
from typing import Final

import trio
from msgspec import Struct

from dc import limits
from dc.dial import Server, is_loopback, read_url
from dc.errors import StartError

EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104  # nosec B104  # what is asked for
_NOWHERE: Final = (("192.0.2.1", socket.AF_INET), ("2001:db8::1", socket.AF_INET6))
"""Addresses that are nobody's: what is on the way to them tells which own address is used."""


class Listening(Struct, frozen=True):
    """What was asked for.

    Attributes:
        host: where to listen, a name or an address.
        port: 0 for a free one.
        secure: TLS and signing in, on a loopback address as well.
        behind_proxy: a proxy on this computer speaks TLS for the server.
        address: how others reach it; None for what `host` says.
        certificate: a file of a chain in PEM; None for one that is made here.
        key: a file of its private key in PEM; None if that is in the same file.
        announce: whether to answer who looks for servers in the network.
    """

    host: str
    port: int
    secure: bool = False
    behind_proxy: bool = False
    address: Server | None = None
    certificate: Path | None = None
    key: Path | None = None
    announce: bool = False


class Entry(Struct, frozen=True):
    """How connections are taken in.

    Attributes:
        secure: whether everybody has to show who they are.
        tls: whether the server itself speaks TLS.
        behind_proxy: whether a proxy says whose requests it passes on.
    """

    secure: bool
    tls: bool
    behind_proxy: bool


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what says where to listen."""
    default = f"{limits.DEFAULT_HOST}:{limits.DEFAULT_PORT}"
    add = parser.add_argument
    add(
        "--listen",
        metavar="HOST:PORT",
        default=default,
        help=f"where to listen (default {default}); port 0 takes a free one. On any address but "
        "this computer's own there is TLS, and everybody has to sign in",
    )
    add("--secure", action="store_true", help="have TLS, and all sign in, on loopback as well")
    add(
        "--behind-proxy",
        action="store_true",
        help="have all sign in, but leave TLS to a proxy on this computer; with a loopback address "
        "alone, and with --address",
    )
    add(
        "--address",
        metavar="URL",
        help="how others reach this server, if --listen does not say it: https://dc.example.org",
    )
    add(
        "--certificate",
        metavar="FILE",
        type=Path,
        help="a certificate with its chain, in PEM, read again when it changes and at SIGHUP "
        "(default: one made at the first start, whose key workers and clients remember)",
    )
    add(
        "--announce",
        action="store_true",
        help="answer workers that look for a server in the network, by UDP at the same port and by "
        "mDNS (_dc._tcp); what they are told is no secret",
    )
    add("--key", metavar="FILE", type=Path, help="its private key (default: in the same file)")


def read(values: argparse.Namespace) -> Listening:
    """Return what was asked for.

    Raises:
        StartError: some of it does not go together, or is no address.
    """
    host, port = split_address(values.listen)
    address = None if values.address is None else read_url(values.address)
    if values.key is not None and values.certificate is None:
        raise StartError("--key: give the file of its certificate as well, by --certificate")
    if values.behind_proxy and values.certificate is not None:
        raise StartError("--behind-proxy: the certificate is the proxy's, not --certificate")
    if values.behind_proxy and values.secure:
        raise StartError("--behind-proxy and --secure: either the proxy speaks TLS or the server")
    if values.behind_proxy and address is None:
        raise StartError("--behind-proxy: say by --address how others reach this server")
    if address is not None and not address.tls:
        raise StartError(f"--address {values.address}: give one that begins with https://")
    files = values.certificate, values.key
    return Listening(
        *(host, port, values.secure, values.behind_proxy, address, *files), values.announce
    )


def split_address(text: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`, `:PORT`, `HOST` or `[HOST]:PORT`; StartError else."""
    host, colon, port = text.rpartition(":")
    if not colon or port.endswith("]") or (":" in host and not host.startswith("[")):
        host, port = text, str(limits.DEFAULT_PORT)
    host = host.strip("[]") or limits.DEFAULT_HOST
    if not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise StartError(f"--listen {text}: {port!r} is no port; give HOST:PORT, as 127.0.0.1:8220")
    return host, int(port)


def entry_of(asked: Listening, *, loopback: bool) -> Entry:
    """Return how connections are taken in.

    Args:
        asked: what was asked for.
        loopback: whether only this computer can reach the address.

    Raises:
        StartError: what signs in would cross a network for all to read.
    """
    if asked.behind_proxy and not loopback:
        raise StartError(
            f"--behind-proxy: with --listen {asked.host} what the proxy sends would cross the "
            "network unencrypted; listen on 127.0.0.1, or have the proxy speak TLS to the server"
        )
    wanted = asked.secure or asked.behind_proxy or asked.certificate is not None
    secure = wanted or not loopback
    return Entry(secure, secure and not asked.behind_proxy, asked.behind_proxy)


def is_only_here(host: str) -> bool:
    """Whether only this computer can reach a host, by name or address.

    Raises:
        StartError: there is no such host.
    """
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError) as error:
        text = getattr(error, "strerror", None) or str(error)
        raise StartError(f"--listen {host}: no such host ({text})") from None
    return all(is_loopback(address) for address in found)


async def listen(host: str, port: int) -> list[trio.SocketListener]:
    """Open the listening sockets, all at one port.

    Raises:
        StartError: the address cannot be had.
    """
    listeners = await _listen(host, port)
    if host != EVERYWHERE[1]:
        return listeners
    try:  # those of IPv6 take nothing over IPv4
        port = listeners[0].socket.getsockname()[1]
        return listeners + await _listen(EVERYWHERE[0], port)
    except BaseException:
        for listener in listeners:
            listener.socket.close()
        raise


async def _listen(host: str, port: int) -> list[trio.SocketListener]:
    try:
        return await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        if error.errno == errno.EADDRINUSE or "in use" in str(error):
            text = "another program listens there (another dc.server?); stop it, or choose another"
            raise StartError(f"--listen {host}:{port}: {text} port, 0 for a free one") from None
        raise StartError(f"--listen {host}:{port}: {error.strerror or error}") from None


def reached_at(asked: Listening, entry: Entry, port: int) -> Server:
    """Return how others reach a server, as far as can be told.

    Args:
        asked: what was asked for.
        entry: how connections are taken in.
        port: that it listens on.
    """
    if asked.address is not None:
        return asked.address
    host = own_address(asked.host) if asked.host in EVERYWHERE else asked.host
    return Server(host, port, entry.tls)


def own_address(host: str) -> str:
    """Return the address of this computer in the network that it reaches others by.

    Args:
        host: one of EVERYWHERE; of IPv4 if that is.
    """
    for nowhere, family in _NOWHERE:
        if family == socket.AF_INET6 and host != EVERYWHERE[1]:
            continue
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.connect((nowhere, 9))  # nothing is sent
                return str(sock.getsockname()[0])
        except OSError:
            continue
    return socket.gethostname()


def certificate_names(asked: Listening, hostname: str) -> list[str]:
    """Return the names that a certificate made here is to have: those that stay."""
    names = ["localhost", "127.0.0.1", "::1", hostname]
    if asked.host not in EVERYWHERE:
        names.append(asked.host)
    if asked.address is not None:
        names.append(asked.address.host)
    return [name for name in dict.fromkeys(names) if name]


def shown_peer(name: tuple[object, ...]) -> str:
    """Return the address of a peer as HOST:PORT, of what a socket calls it."""
    host, port = str(name[0]), name[1]
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return f"{host}:{port}"
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        host = str(mapped) if mapped is not None else f"[{host}]"
    return f"{host}:{port}"
