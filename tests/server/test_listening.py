"""Where a server listens decides what its visitors have to show; no option takes that away."""

from __future__ import annotations

import argparse

import pytest
import trio

from dc.dial import Server
from dc.errors import StartError
from dc.server import listening
from dc.server.listening import Entry, Listening


def asked(*argv: str) -> Listening:
    parser = argparse.ArgumentParser()
    listening.add_options(parser)
    return listening.read(parser.parse_args(argv))


PLAIN = Entry(secure=False, tls=False, behind_proxy=False)
SECURE = Entry(secure=True, tls=True, behind_proxy=False)
PROXY = ("--behind-proxy", "--address", "https://dc.example.org")


@pytest.mark.parametrize(
    ("argv", "loopback", "entry"),
    [
        ((), True, PLAIN),
        (("--listen", "0.0.0.0"), False, SECURE),
        (("--secure",), True, SECURE),
        (("--listen", "h", "--secure"), False, SECURE),
        (("--certificate", "c.pem"), True, SECURE),
        (PROXY, True, Entry(secure=True, tls=False, behind_proxy=True)),
    ],
)
def test_how_connections_are_taken_in(argv: tuple[str, ...], loopback: bool, entry: Entry) -> None:
    assert listening.entry_of(asked(*argv), loopback=loopback) == entry


def test_a_proxy_elsewhere_is_refused() -> None:
    with pytest.raises(StartError, match="would cross the network unencrypted"):
        listening.entry_of(asked("--listen", "0.0.0.0", *PROXY), loopback=False)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--behind-proxy",), "say by --address"),
        ((*PROXY, "--secure"), "either the proxy speaks TLS or the server"),
        ((*PROXY, "--certificate", "c"), "the certificate is the proxy's"),
        (("--key", "k"), "give the file of its certificate"),
        (("--address", "http://dc.example.org"), "begins with https://"),
        (("--address", "ftp://x"), "not a server's address"),
        (("--listen", "x:y"), "is no port"),
        (("--listen", "x:70000"), "is no port"),
    ],
)
def test_what_does_not_go_together(argv: tuple[str, ...], said: str) -> None:
    with pytest.raises(StartError, match=said):
        asked(*argv)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("h:1", ("h", 1)),
        ("h", ("h", 8220)),
        (":7", ("127.0.0.1", 7)),
        ("[::1]:7", ("::1", 7)),
        ("[::1]", ("::1", 8220)),
        ("::1", ("::1", 8220)),
        ("::", ("::", 8220)),
    ],
)
def test_addresses_to_listen_on(text: str, address: tuple[str, int]) -> None:
    assert listening.split_address(text) == address


@pytest.mark.parametrize(
    ("host", "only_here"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False),
     ("192.0.2.1", False)],
)  # fmt: skip
def test_who_reaches_an_address(host: str, only_here: bool) -> None:
    assert listening.is_only_here(host) is only_here


@pytest.mark.parametrize("host", ["a" * 64, "no such host!"])
def test_a_host_that_is_none(host: str) -> None:
    with pytest.raises(StartError, match="no such host"):
        listening.is_only_here(host)


def test_how_others_reach_it() -> None:
    assert listening.reached_at(asked(), PLAIN, 7) == Server("127.0.0.1", 7)
    said = asked("--listen", "[2001:db8::1]:7")
    assert listening.reached_at(said, SECURE, 8).url == "https://[2001:db8::1]:8"
    said = asked("--address", "https://dc.example.org")
    assert listening.reached_at(said, SECURE, 8).url == "https://dc.example.org:443"
    everywhere = listening.reached_at(asked("--listen", "0.0.0.0"), SECURE, 8)
    assert everywhere.host not in ("", "0.0.0.0")
    assert (everywhere.port, everywhere.tls) == (8, True)


async def test_everywhere_is_over_ipv4_as_well() -> None:
    """The address that is printed, and that is in join codes, may be of either."""
    listeners = await listening.listen("::", 0)
    ports = {listener.socket.getsockname()[1] for listener in listeners}
    try:
        assert len(ports) == 1
        for host in ("127.0.0.1", "::1"):
            await (await trio.open_tcp_stream(host, *ports)).aclose()
        with pytest.raises(StartError, match="another program listens there"):
            await listening.listen("::", *ports)
    finally:
        for listener in listeners:
            await listener.aclose()


async def test_everywhere_but_where_somebody_listens_over_ipv4() -> None:
    (wide,) = await listening.listen("0.0.0.0", 0)
    port = wide.socket.getsockname()[1]
    with pytest.raises(StartError, match="another program listens there"):
        await listening.listen("::", port)
    await wide.aclose()
    for listener in await listening.listen("::", port):
        await listener.aclose()


def test_names_of_its_certificate() -> None:
    assert listening.certificate_names(asked("--listen", "0.0.0.0"), "desk") == [
        "localhost", "127.0.0.1", "::1", "desk",
    ]  # fmt: skip
    said = asked("--listen", "192.0.2.7", "--address", "https://dc.example.org")
    assert listening.certificate_names(said, "localhost") == [
        "localhost", "127.0.0.1", "::1", "192.0.2.7", "dc.example.org",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (("127.0.0.1", 7), "127.0.0.1:7"),
        (("::1", 7, 0, 0), "[::1]:7"),
        (("fe80::1%eth0", 7, 0, 2), "[fe80::1%eth0]:7"),
        (("::ffff:192.0.2.1", 7, 0, 0), "192.0.2.1:7"),
        (("odd", 7), "odd:7"),
    ],
)
def test_addresses_of_peers(name: tuple[object, ...], shown: str) -> None:
    assert listening.shown_peer(name) == shown
