"""Who opens a link shows who it is: headers, a proof of a key, and what comes of neither."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import memory_stream_pair

from dc.errors import ConnectionLost, NotPermitted, NotSignedIn, ProtocolError
from dc.link_open import check_upgrade, connect
from dc.worker_proof import Challenge, prove, public_of, read_proof
from tests.test_link import read_request

PRIVATE = b"k" * 32


async def asked(stream: Any) -> dict[str, str]:
    request, _ = await read_request(stream)
    return {name.decode(): value.decode() for name, value in request.headers}


async def let_in(stream: Any, headers: dict[str, str], *more: str) -> None:
    lines = [f"{name}: {value}" for name, value in check_upgrade("GET", headers)]
    head = ["HTTP/1.1 101 Switching Protocols", *lines, *more, "", ""]
    await stream.send_all("\r\n".join(head).encode())


def challenging(nonce: str, body: bytes = b"sign this", *more: str) -> bytes:
    challenge = Challenge("the server", nonce).header
    lines = [f"WWW-Authenticate: {challenge}", f"Content-Length: {len(body)}", *more]
    return "\r\n".join(["HTTP/1.1 401 Unauthorized", *lines, "", ""]).encode() + body


async def test_a_key_is_proved_and_a_session_given() -> None:
    ours, theirs = memory_stream_pair()

    async def serve() -> None:
        first = await asked(theirs)
        assert first["cookie"] == "a=b"
        assert "authorization" not in first
        await theirs.send_all(challenging("n" * 20))
        second = await asked(theirs)
        assert second["cookie"] == "a=b"
        proof = read_proof(second["authorization"])
        assert proof is not None
        assert (proof.key, proof.nonce) == (public_of(PRIVATE), "n" * 20)
        assert proof.holds("the server")
        await let_in(theirs, second, "DC-Session: secret")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        link = await connect(
            ours, "server", "/socket", [("Cookie", "a=b")], partial(prove, PRIVATE)
        )
    assert link.session == "secret"


async def test_a_server_that_asks_for_nothing_is_shown_nothing() -> None:
    ours, theirs = memory_stream_pair()

    async def serve() -> None:
        await let_in(theirs, await asked(theirs))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        link = await connect(ours, "server", "/socket", prover=partial(prove, PRIVATE))
    assert link.session == ""


PROBLEM = b'{"type":"","title":"","status":403,"detail":"only workers","code":"not_permitted"}'
REFUSALS = {
    "nothing said": (b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", NotSignedIn, "join it"),
    "a problem": (
        b"HTTP/1.1 403 No\r\nContent-Length: %d\r\n\r\n" % len(PROBLEM) + PROBLEM,
        NotPermitted,
        "^only workers$",
    ),
    "no problem": (b"HTTP/1.1 403 No\r\nContent-Length: 1\r\n\r\n{", NotPermitted, "permit"),
    "too much": (
        b"HTTP/1.1 403 No\r\nContent-Length: 99999\r\n\r\n" + b"x" * 99_999,
        ProtocolError,
        "says too much",
    ),
    "cut": (b"HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\nx", ConnectionLost, "."),
}


@pytest.mark.parametrize(("answer", "kind", "text"), REFUSALS.values(), ids=REFUSALS)
async def test_who_is_not_let_in_is_told(answer: bytes, kind: type[Exception], text: str) -> None:
    ours, theirs = memory_stream_pair()
    await theirs.send_all(answer)
    await theirs.send_eof()
    with pytest.raises(kind, match=text):
        await connect(ours, "server", "/socket")


async def test_a_second_challenge_is_not_answered() -> None:
    ours, theirs = memory_stream_pair()
    await theirs.send_all(challenging("n" * 20) + challenging("m" * 20))
    with pytest.raises(NotSignedIn):
        await connect(ours, "server", "/socket", prover=partial(prove, PRIVATE))


async def test_a_challenge_on_a_connection_that_ends() -> None:
    ours, theirs = memory_stream_pair()
    await theirs.send_all(challenging("n" * 20, b"", "Connection: close"))
    await theirs.send_eof()
    with pytest.raises(ConnectionLost):
        await connect(ours, "server", "/socket", prover=partial(prove, PRIVATE))
