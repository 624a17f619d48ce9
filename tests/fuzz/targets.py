"""What is fuzzed: each target is given any bytes, and raises only if dc has a mistake.

A target takes bytes to what first meets them in dc, and checks what holds for all: only dc's own
error comes out, what was taken reads the same after it was written again, and how the bytes are cut
makes no difference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec
import trio
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dc import (
    _frames,
    discovery,
    http_conditions,
    http_head,
    invites,
    limits,
    pins,
    tokens,
    worker_proof,
)
from dc.errors import ProtocolError, StartError
from dc.http import Request, Response, Upgrade, serve_requests
from dc.messages import Codec, FromPeer, FromWorker, Heartbeat, Hello
from dc.messages_parts import Blob, Failure, Message
from dc.messages_worker import About, Appliance, Done, Failed, Held, TypeId
from dc.server.gate import shown
from dc.server.networks import is_loopback, network_of

Target = Callable[[bytes], None]


class Bytes(trio.abc.Stream):
    """Gives bytes in pieces whose sizes the bytes themselves say; keeps what is sent."""

    def __init__(self, data: bytes, step: int) -> None:
        self._data = data
        self._step = step
        self.sent = bytearray()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        size = min(self._step, max_bytes or self._step)
        piece, self._data = self._data[:size], self._data[size:]
        return piece

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        self.sent += data

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


async def _answer(request: Request) -> Response | Upgrade:
    """Look at all of a request, and say what it was."""
    body = await request.body(1000) if request.path != "/unread" else b""
    seen = [request.method, request.path, request.segments, request.pairs, request.headers]
    http_conditions.status(request.headers, "tag")
    http_conditions.accepts(request.headers, "gzip")
    http_head.byte_range(request.headers.get("range", ""), 100)
    shown(request.headers)
    return Response.json([*seen, len(body)])


def _undated(sent: bytes) -> bytes:
    """Return what depends neither on the time nor on whether a body was waited for."""
    lines = sent.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"").split(b"\n")
    return b"\n".join(line for line in lines if not line.startswith(b"Date: "))


def http(data: bytes) -> None:
    """The server's side of a connection: the same answers, however the bytes are cut."""

    async def run() -> list[bytes]:
        found = []
        for step in (1 << 20, 1 + data[0] % 7):
            stream = Bytes(data[1:], step)
            await serve_requests(stream, _answer)
            found.append(_undated(bytes(stream.sent)))
        return found

    if data:
        whole, cut = trio.run(run)
        assert whole == cut, "it depends on how the bytes are cut"
        assert b" 500 " not in whole.partition(b"\r\n")[0]
        assert not whole or whole.startswith(b"HTTP/1.1 ")


decoder_of: Any = _frames.FrameDecoder
"""What decodes frames: that which is compiled, or the same interpreted."""


def _events(data: bytes, step: int, *, client: bool) -> list[Any]:
    decoder = decoder_of(client=client, limit=1000)
    found: list[Any] = []
    try:
        for start in range(0, len(data), step):
            decoder.receive_data(data[start : start + step])
            while (event := decoder.next_event()) is not None:
                found.append(event)
                assert len(event[1]) <= 1000
        decoder.receive_eof()
        while (event := decoder.next_event()) is not None:
            found.append(event)
    except ProtocolError as error:
        found.append((str(error), error.close_code))
    return found


def frames(data: bytes) -> None:
    """Frames of a WebSocket: the same messages, however the bytes are cut."""
    if data:
        client, step = bool(data[0] & 1), 1 + (data[0] >> 1) % 9
        assert _events(data[1:], 1 << 20, client=client) == _events(data[1:], step, client=client)


def messages(data: bytes) -> None:
    """Batches of messages: taken or refused, and the same after they are written again."""
    for codec in (_PEER, _WORKER):
        try:
            batch = codec.decode(data)
        except ProtocolError:
            continue
        packed = codec.encode(batch)
        assert codec.encode(codec.decode(packed)) == packed
        assert len(batch) <= limits.BATCH_MESSAGES


def codes(data: bytes) -> None:
    """Join codes, and tokens."""
    text = data.decode("utf-8", "surrogateescape")
    for said in (text, invites.PREFIX + text):
        try:
            invite = invites.read(said)
        except StartError:
            continue
        assert invites.read(invite.text) == invite
    for said in (text, f"{tokens.PREFIX}_{text}"):
        if (token := tokens.read(said)) is not None:
            assert tokens.read(token.text) == token


def made_codes(data: bytes) -> None:
    """Join codes whose checksum is right, whatever is in them."""
    try:
        invite = invites.read(invites.sealed(data))
    except StartError:
        return
    assert invites.read(invite.text) == invite


def proof(data: bytes) -> None:
    """What a worker shows and is asked, in headers; and addresses."""
    text = data.decode("latin-1")
    for said in (text, f"{worker_proof.SCHEME} {text}"):
        challenge, answer = worker_proof.read_challenge(said), worker_proof.read_proof(said)
        if challenge is not None:
            assert worker_proof.read_challenge(challenge.header) == challenge
        if answer is not None:
            assert worker_proof.read_proof(answer.header) == answer
            answer.holds("a server")
        shown({"authorization": said})
        shown({"cookie": said})
    is_loopback(text)
    assert network_of(network_of(text)) == network_of(text)


def discovery_answers(data: bytes) -> None:
    """What servers are said to be by whoever answers in a network, by UDP and by mDNS."""
    nonce = b"12345678"
    asked = discovery.read_question(data)
    if asked is not None:
        assert discovery.read_question(discovery.question(asked)) == asked
    facts = discovery.read_answer(b"dc!1" + nonce + data, nonce)
    said = dict(part.partition("=")[::2] for part in data.decode("latin-1").split("\0"))
    for one in (facts, discovery.read_txt(said, 8220)):
        if one is not None:
            assert discovery.read_txt(discovery.txt_of(one), one.port) == one
            assert (one.server + one.version + one.name).isprintable()


def certificates(data: bytes) -> None:
    """Certificates of servers: the pin that `cryptography` would find, or none."""
    try:
        pin = pins.pin_of(data)
        key = x509.load_der_x509_certificate(data).public_key()
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        return
    written = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert pin == hashlib.sha256(written).digest()
    assert pins.matches(pin, data)


_PEER: Final = Codec(FromPeer)
_WORKER: Final = Codec(FromWorker)

TARGETS: Final[Mapping[str, Target]] = MappingProxyType(
    {
        "http": http,
        "frames": frames,
        "messages": messages,
        "invites": codes,
        "invites-sealed": made_codes,
        "proof": proof,
        "discovery": discovery_answers,
        "certificates": certificates,
    }
)


def _said_by_workers() -> list[list[Message]]:
    """Return batches of messages, as workers say them."""
    appliance = Appliance("1.0", ["52:54:00:12:34:56"], ["off", "reboot"])
    about = About(
        *("w", "key", 2, [TypeId("a", "1")], {"arch": "x"}, {"gpu": "1"}, "run"),
        appliance=appliance,
    )
    failure = Failure("error", "no", "a traceback")
    return [
        [Heartbeat(), Hello(1, "worker", "dc", ["a"], about)],
        [Done(1, 1, [0, 1], [1, 1], [0.5, 0.5], [b"a", Blob(bytes(32), 5)])],
        [Failed(2, 1, 3, 1, 0.5, failure), Held(1, [1], [1])],
    ]


def _certificate() -> bytes:
    """Return a small certificate (Ed25519) without names or extensions."""
    algorithm, date = "300506032b6570", "170d3236303130313030303030305a"
    before = f"305fa003020102020101{algorithm}3000301e{date}{date}3000"
    return bytes.fromhex(f"306b{before}302a{algorithm}032100{'00' * 32}{algorithm}030100")


def seeds() -> dict[str, list[bytes]]:
    """Return what a fuzzer begins with: whole things of each kind."""
    get = b"GET /a%20b?c=d&e HTTP/1.1\r\nHost: x\r\nRange: bytes=0-5\r\nIf-None-Match: *\r\n\r\n"
    put = b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello"
    post = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    post += b"5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n"
    mask, frame = b"abcd", _frames.encode_frame
    parts = frame(2, b"a", mask, fin=False) + frame(9, b"b", mask) + frame(0, b"c", mask)
    hello = [["hello", 1, "client", "x", []], ["submit", 1, "a", "", {}]]
    challenge = worker_proof.Challenge("server", "n" * 20)
    proof = worker_proof.prove(bytes(range(32)), challenge)
    invite = invites.Invite(bytes(10), bytes(16), [("192.0.2.1", 1), ("::1", 2), ("a.b", 3)])
    return {
        "http": [b"\x00" + get, b"\x01" + put + get, b"\x02" + post + get],
        "frames": [
            b"\x02" + frame(2, b"hello", mask) + _frames.encode_close(1000, "a", mask),
            b"\x04" + parts,
            b"\x01" + frame(1, b"text") + frame(10, b""),
        ],
        "messages": [msgspec.msgpack.encode(hello), *map(_WORKER.encode, _said_by_workers())],
        "invites": [invite.text.encode(), tokens.make(bytes(30)).text.encode()],
        "invites-sealed": [b"\x01" + bytes(26) + b"\x04\xc0\x00\x02\x01\x1f\x90"],
        "discovery": [
            msgspec.msgpack.encode(["a server", 8220, True, bytes(16), "1", "pc"]),
            b"dc=1\0id=a\0tls=1\0pin=" + b"00" * 16 + b"\0version=1\0name=pc",
            discovery.question(bytes(8)),
        ],
        "certificates": [_certificate()],
        "proof": [challenge.header.encode(), proof.header.encode()],
    }
