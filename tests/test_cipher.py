"""TLS without IO: in whatever pieces it comes, what was meant comes out; and nothing else does."""

from __future__ import annotations

import ssl

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from dc.cipher import RECORD_BYTES, Cipher
from tests import tls


def read(cipher: Cipher, room: int = 1 << 16) -> bytes | None:
    """Return what has come: b"" at the end, None for nothing."""
    view = memoryview(bytearray(room))
    got = bytearray()
    while True:
        count = cipher.decrypt_into(view)
        if not count:
            return bytes(got) if got or count == 0 else None
        got += view[:count]


@pytest.mark.parametrize("each", [1, 7, 1 << 20])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_handshake_in_pieces(each: int, version: ssl.TLSVersion) -> None:
    client = Cipher(tls.client_context(version), server=False)
    server = Cipher(tls.server_context(), server=True)
    tls.shake(client, server, each)
    assert client.version == server.version == version.name.replace("_", ".")
    assert client.certificate == tls.der()
    assert server.certificate == b""
    server.take(client.encrypt(b"hello"))
    assert read(server) == b"hello"
    assert read(server) is None


@given(
    st.lists(st.binary(max_size=3 * RECORD_BYTES), max_size=5),
    st.integers(1, 40_000),
    st.integers(1, 70_000),
)
@settings(max_examples=25, deadline=None)
def test_what_goes_in_comes_out(said: list[bytes], each: int, room: int) -> None:
    client, server = tls.ciphers()
    wire = b"".join(client.encrypt(one) for one in said)
    got = bytearray()
    for start in range(0, len(wire), each):
        server.take(wire[start : start + each])
        got += read(server, room) or b""
    assert bytes(got) == b"".join(said)
    assert not server.holds


def test_what_was_received_is_not_kept_once_it_was_returned() -> None:
    """A connection that waits would hold all that it was last sent at once."""
    client, server = tls.ciphers()
    wire = bytearray(client.encrypt(b"x" * 3 * RECORD_BYTES))
    server.take(memoryview(wire))
    with pytest.raises(BufferError):
        wire.clear()
    assert read(server) == b"x" * 3 * RECORD_BYTES
    wire.clear()


def read_to_the_end(cipher: Cipher, got: bytearray) -> None:
    while piece := read(cipher):
        got += piece


def test_a_stream_that_is_cut_has_no_end() -> None:
    size = sum(map(len, last_words(*tls.ciphers())))
    for cut in [*range(0, size, 5), size - 1]:
        client, server = tls.ciphers()
        server.take(b"".join(last_words(client, server))[:cut])
        server.take(b"")
        got = bytearray()
        with pytest.raises(trio.BrokenResourceError, match="TLS"):
            read_to_the_end(server, got)
        assert bytes(got) in (b"", b"last")


def last_words(client: Cipher, server: Cipher) -> tuple[bytes, bytes]:
    return client.encrypt(b"last"), client.end()


def test_after_the_last_word_the_other_side_may_still_speak() -> None:
    client, server = tls.ciphers()
    server.take(b"".join(last_words(client, server)))
    got = bytearray()
    read_to_the_end(server, got)
    assert got == b"last"
    assert server.is_over
    client.take(server.encrypt(b"an answer") + server.end())
    assert read(client) == b"an answer"
    assert read(client) == b""


@pytest.mark.parametrize("room", [0, 10, RECORD_BYTES])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_last_word_loses_nothing_that_came_before_it(
    room: int, version: ssl.TLSVersion
) -> None:
    """What was received, and not asked for yet, wholly or cut in the midst of a record."""
    data = bytes(range(256)) * 300
    for cut in (0, 3, 200, 30_000):
        client, server = tls.ciphers(version)
        wire = server.encrypt(data[:100]) + server.encrypt(data[100:])
        client.take(wire[: len(wire) - cut])
        view = memoryview(bytearray(room))
        count = client.decrypt_into(view) or 0
        server.take(client.end())
        got = bytes(view[:count]) + (read(client, 1000) or b"")
        client.take(wire[len(wire) - cut :] + server.end())
        assert got + (read(client) or b"") == data
        assert client.is_over
        assert not client.holds
        assert read(server) == b""


def test_what_was_changed_on_the_way_is_found() -> None:
    client, server = tls.ciphers()
    wire = bytearray(client.encrypt(b"pay 1") + client.encrypt(b"pay 2"))
    wire[-1] ^= 1
    server.take(bytes(wire))
    view = memoryview(bytearray(100))
    assert server.decrypt_into(view) == 5
    assert bytes(view[:5]) == b"pay 1"
    with pytest.raises(trio.BrokenResourceError, match="TLS"):
        read(server)
    with pytest.raises(trio.BrokenResourceError, match="TLS"):
        read(server)
    assert server.output()  # an alert


@pytest.mark.parametrize(
    "junk", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"\0" * 50]
)
def test_what_is_no_tls(junk: bytes) -> None:
    server = Cipher(tls.server_context(), server=True)
    server.take(junk)
    with pytest.raises(trio.BrokenResourceError, match="TLS"):
        server.shake()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_is_refused(version: ssl.TLSVersion) -> None:
    context = tls.client_context(version)
    context.set_ciphers("ALL:@SECLEVEL=0")
    client = Cipher(context, server=False)
    with pytest.raises(trio.BrokenResourceError, match="TLS"):
        tls.shake(client, Cipher(tls.server_context(), server=True))
