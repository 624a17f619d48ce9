"""How long nobody has used keyboard or mouse, as the X server knows: a few words of its protocol.

The library that is there for it ends the whole program when the X server goes away, which a worker
outlives. All that is said here is who asks, which number the extension for screen savers has, and
what it knows. The server is on this computer; what it answers is believed as far as it makes sense.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from dc import limits_neighbour as limits

FOLDER: Final = Path("/tmp/.X11-unix")  # noqa: S108  # nosec B108  # where X servers are
COOKIE: Final = b"MIT-MAGIC-COOKIE-1"
EXTENSION: Final = b"MIT-SCREEN-SAVER"

_DISPLAY: Final = re.compile(r":(\d{1,5})(?:\.\d+)?")
_QUERY_EXTENSION: Final = 98
_QUERY_INFO: Final = 1
_REPLY_BYTES: Final = 32


class X11Idle:
    """Asks the X server of this user, if there is one; connects again when that was lost.

    Args:
        environment: tells which it is, and where the key to it is.
        connect: opens a socket to it.
        clock: the time in seconds.
    """

    name = "the X server"

    def __init__(
        self,
        environment: Mapping[str, str] = os.environ,
        connect: Callable[[str], socket.socket] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._environment = environment
        self._connect = connect or _socket_of
        self._clock = clock
        self._socket: socket.socket | None = None
        self._ask = b""
        self._again = 0.0

    def idle(self) -> float | None:
        """Return the seconds since the last input; None if it cannot be asked."""
        found = _DISPLAY.fullmatch(self._environment.get("DISPLAY", ""))
        if found is None or self._clock() < self._again:
            return None
        try:
            if self._socket is None:
                self._open(found[1])
            return self._answer(self._ask)[2] / 1000.0
        except (OSError, ValueError, struct.error, IndexError):
            self.close()
            self._again = self._clock() + limits.X11_AGAIN_SECONDS
            return None

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _open(self, display: str) -> None:
        """Connect, and find out how the extension is asked."""
        self._socket = self._connect(display)
        self._socket.settimeout(limits.X11_SECONDS)
        root = self._greet(self._cookie(display))
        padding = -len(EXTENSION) % 4
        words = 2 + (len(EXTENSION) + padding) // 4
        head = struct.pack("<BxHHxx", _QUERY_EXTENSION, words, len(EXTENSION))
        answer = self._reply(head + EXTENSION + bytes(padding))
        if not answer[8]:
            raise ValueError("it has no screen saver")
        self._ask = struct.pack("<BBHI", answer[9], _QUERY_INFO, 2, root)

    def _greet(self, cookie: bytes) -> int:
        """Say who asks; return the number of the first screen's root window."""
        name = COOKIE if cookie else b""
        head = struct.pack("<BxHHHHxx", ord("l"), 11, 0, len(name), len(cookie))
        parts = [one + bytes(-len(one) % 4) for one in (name, cookie)]
        self._send(head + b"".join(parts))
        status, words = struct.unpack("<B5xH", self._receive(8))
        body = self._receive(4 * words)
        if status != 1:
            raise ValueError("it lets nobody in")
        vendor, formats = struct.unpack_from("<H", body, 16)[0], body[21]
        at = 32 + vendor + -vendor % 4 + 8 * formats
        return int(struct.unpack_from("<I", body, at)[0])

    def _answer(self, request: bytes) -> tuple[int, int, int]:
        """Return the window, the time until or since it was saved, and the idle time: both ms."""
        found = struct.unpack_from("<III", self._reply(request), 8)
        return found[0], found[1], found[2]

    def _reply(self, request: bytes) -> bytes:
        self._send(request)
        reply = self._receive(_REPLY_BYTES)
        if reply[0] != 1:
            raise ValueError("it refuses that")
        self._receive(4 * int(struct.unpack_from("<I", reply, 4)[0]))
        return reply

    def _send(self, data: bytes) -> None:
        assert self._socket is not None
        self._socket.sendall(data)

    def _receive(self, count: int) -> bytes:
        """Return so many bytes.

        Raises:
            OSError, ValueError: they do not come, or are far too many.
        """
        assert self._socket is not None
        if count > limits.X11_BYTES:
            raise ValueError("that is no X server")
        data = bytearray()
        while len(data) < count:
            more = self._socket.recv(count - len(data))
            if not more:
                raise ValueError("it has hung up")
            data += more
        return bytes(data)

    def _cookie(self, display: str) -> bytes:
        """Return the key to the server; nothing if there is none, which many do without."""
        place = self._environment.get("XAUTHORITY") or str(Path.home() / ".Xauthority")
        with suppress(OSError, struct.error, RuntimeError):
            for number, name, data in _entries(Path(place).read_bytes()[: limits.WORDS_BYTES]):
                if name == COOKIE and number in (b"", display.encode()):
                    return data
        return b""


def _entries(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield the display, the name of the method and the key, of each entry of an authority file."""
    at = 0
    while at + 2 <= len(data):
        at += 2
        fields = []
        for _ in range(4):
            size = struct.unpack_from(">H", data, at)[0]
            fields.append(data[at + 2 : at + 2 + size])
            at += 2 + size
        yield fields[1], fields[2], fields[3]


def _socket_of(display: str) -> socket.socket:
    if sys.platform == "win32":
        raise OSError("no X server is there")
    found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        found.settimeout(limits.X11_SECONDS)
        found.connect(str(FOLDER / f"X{display}"))
    except OSError:
        found.close()
        raise
    return found
