"""The wire spoken by hand: with somebody else's WebSocket, with literal MessagePack, with bytes."""

from __future__ import annotations

import base64
import socket
import struct
from typing import Any

import msgspec
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.system.processes import Server

SECONDS = 60.0
DC_V1 = Subprotocol("dc.v1")
pack = msgspec.msgpack.encode
unpack = msgspec.msgpack.decode
KEY = base64.b64encode(bytes(16)).decode()
HELLO: list[Any] = ["hello", 1, "client", "by hand", [], None]


def url(server: Server) -> str:
    return server.address.replace("http://", "ws://") + "/socket"


def opened(server: Server, **options: Any) -> ClientConnection:
    options = {"subprotocols": [DC_V1], "compression": None, "proxy": None, **options}
    link: ClientConnection = connect(
        url(server), open_timeout=SECONDS, close_timeout=SECONDS, **options
    )
    return link


class Hand:
    """A client whose messages are written by hand."""

    def __init__(self, link: ClientConnection) -> None:
        self.link = link
        self._waiting: list[Any] = []

    def say(self, *messages: list[Any]) -> None:
        self.link.send(pack(list(messages)))

    def hear_any(self) -> list[Any]:
        """Return the next message that is no heartbeat."""
        while True:
            while not self._waiting:
                self._waiting = unpack(self.link.recv(timeout=SECONDS, decode=False))
            message: list[Any] = self._waiting.pop(0)
            if message[0] != "heartbeat":
                return message

    def hear(self, name: str) -> list[Any]:
        """Return the next message, which must have this name."""
        message = self.hear_any()
        assert message[0] == name, message
        return message

    def closed(self) -> tuple[int, str]:
        """Wait for the server to close; return its code and reason."""
        try:
            while True:
                self.link.recv(timeout=SECONDS)
        except ConnectionClosed as error:
            close = error.rcvd
        assert close is not None, "no close frame came"
        return close.code, close.reason


def raw(server: Server, **changed: str | None) -> tuple[socket.socket, bytes]:
    """Ask for the upgrade by bytes; return the socket, and the head of the answer."""
    headers = {
        "Host": f"127.0.0.1:{server.port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": "dc.v1",
        **{name.replace("_", "-"): value for name, value in changed.items()},
    }
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    peer = socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS)
    peer.sendall("\r\n".join(["GET /socket HTTP/1.1", *lines, "", ""]).encode())
    head = b""
    while b"\r\n\r\n" not in head:
        piece = peer.recv(1)
        assert piece, head
        head += piece
    return peer, head.lower()


def frame(opcode: int, payload: bytes, mask: bytes = b"\1\2\3\4", bits: int = 0x80) -> bytes:
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload)) if mask else payload
    return bytes([bits | opcode, (0x80 if mask else 0) | len(payload)]) + mask + masked


def close_code(peer: socket.socket) -> int:
    """Return the code of the close frame that ends the connection."""
    data = b""
    while piece := peer.recv(65536):
        data += piece
    peer.close()
    at = 0
    while at < len(data):
        opcode, size = data[at] & 0x0F, data[at + 1]
        at += 2
        if size == 126:
            size = struct.unpack_from(">H", data, at)[0]
            at += 2
        if opcode == 8:
            code: int = struct.unpack_from(">H", data, at)[0]
            return code
        at += size
    raise AssertionError(f"no close frame: {data!r}")
