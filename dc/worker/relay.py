"""Passes on what executors ask of the server, over a socket that this user alone reaches.

A task may ask for results of other jobs (`context.result`), at any time, in a process that has no
Trio. Where the server wants TLS and to know who asks, that process would need the server's pin and
the agent's session, which changes: so the agent asks for it. Nothing secret is in the environment
of tasks; on systems without Unix sockets, a word that lets in here and nowhere else.

Only GETs of what `context.result` needs are passed on. An answer is passed on as it comes.
"""

from __future__ import annotations

import hmac
import logging
import re
import secrets
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import trio
from trio.abc import Stream

from dc import limits_http, limits_worker
from dc.errors import DcError

log: Final = logging.getLogger("dc.worker")

HAS_UNIX: Final = hasattr(socket, "AF_UNIX")
SOCKET: Final = "server.sock"
PASSED: Final = ("range", "if-range")
"""Headers that are passed on."""

_HEAD: Final = re.compile(
    r"GET (/api/jobs/[0-9]{1,10}|/jobs/[0-9]{1,10}/tasks/[0-9]{1,10}/result) HTTP/1\.1"
)
_BROKEN: Final = (
    OSError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
    trio.TooSlowError,
    DcError,
)


class Relay:
    """Of one worker.

    Args:
        open_stream: opens a connection to the server.
        host: the server, as the header Host names it.
        access: headers that let in there, looked at for each request anew.
        unix: whether to use a Unix socket.
    """

    def __init__(
        self,
        open_stream: Callable[[], Awaitable[Stream]],
        host: str,
        access: Sequence[tuple[str, str]],
        *,
        unix: bool = HAS_UNIX,
    ) -> None:
        self._open_stream, self._host, self._access = open_stream, host, access
        self._unix = unix
        self._secret = ""  # nosec B105
        self._sock: socket.socket | None = None

    @contextmanager
    def listening(
        self, scratch: Path, *, needed: bool, give: Callable[[Path], object] = str
    ) -> Iterator[str]:
        """Listen within the block, and give the address for executors; empty if not needed.

        Args:
            scratch: a folder of this process; another one is made if its name is too long.
            needed: whether to listen at all.
            give: makes a file or a folder that of the user whom executors are.
        """
        if not needed:
            yield ""
            return
        with tempfile.TemporaryDirectory(prefix="dc-relay-", ignore_cleanup_errors=True) as other:
            address = self._listen(give, scratch / SOCKET, Path(other) / SOCKET)
            give(Path(other))  # not before: that user could put a link in the socket's place
            try:
                yield address
            finally:
                if self._sock is not None:
                    self._sock.close()

    def _listen(self, give: Callable[[Path], object], *places: Path) -> str:
        for place in places if self._unix else ():
            if sys.platform == "win32":
                break
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                place.unlink(missing_ok=True)
                sock.bind(str(place))
                place.chmod(0o600)
                give(place)
                sock.listen()
            except OSError:  # the name may be too long
                sock.close()
            else:
                self._sock = sock
                return f"unix:{place}"
        self._sock = sock = socket.create_server(("127.0.0.1", 0))
        self._secret = secrets.token_urlsafe(24)
        return f"http://:{self._secret}@127.0.0.1:{sock.getsockname()[1]}"

    async def run(self) -> None:
        """Serve until cancelled; return at once if nobody listens."""
        if self._sock is None:
            return
        self._sock.setblocking(False)
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(self._sock))
        await trio.serve_listeners(self._serve, [listener])

    async def _serve(self, asker: Stream) -> None:
        with suppress(*_BROKEN):
            async with asker:
                with trio.fail_after(limits_worker.TRANSFER_SECONDS):
                    head = await _head_of(asker)
                if (request := self._request(head)) is None:
                    await asker.send_all(_answer("403 Forbidden", "this is for results of jobs"))
                    return
                await self._pass_on(asker, request)

    def _request(self, head: bytes) -> bytes | None:
        """Return the request to the server for one of an executor; None if it is not passed on."""
        line, *fields = head.decode("latin-1").split("\r\n")
        found = _HEAD.fullmatch(line)
        pairs = [(name.lower(), value.strip()) for name, _, value in map(_cut, fields)]
        shown = dict(pairs).get("authorization", "").encode()
        if found is None or not hmac.compare_digest(shown, self._wanted):
            return None
        kept = [pair for pair in pairs if pair[0] in PASSED]
        if not all(value.isprintable() for _, value in kept):  # else it might be several lines
            return None
        headers = [("Host", self._host), ("Connection", "close"), *self._access, *kept]
        lines = [f"GET {found[1]} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    @property
    def _wanted(self) -> bytes:
        return f"Bearer {self._secret}".encode() if self._secret else b""

    async def _pass_on(self, asker: Stream, request: bytes) -> None:
        try:
            with trio.fail_after(limits_worker.CONNECT_SECONDS):
                stream = await self._open_stream()
        except _BROKEN as error:
            log.warning("a task asked for a result; the server cannot be reached: %s", error)
            await asker.send_all(_answer("502 Bad Gateway", str(error)))
            return
        async with stream:
            await stream.send_all(request)
            data = b"."
            while data:
                with trio.fail_after(limits_worker.TRANSFER_SECONDS):
                    data = bytes(await stream.receive_some(limits_http.RECEIVE_BYTES))
                    await asker.send_all(data)


def _cut(field: str) -> tuple[str, str, str]:
    return field.partition(":")


async def _head_of(asker: Stream) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head and len(head) < limits_http.HEAD_BYTES:
        piece = await asker.receive_some(limits_http.HEAD_BYTES)
        if not piece:
            break
        head += piece
    return head.partition(b"\r\n\r\n")[0]


def _answer(status: str, text: str) -> bytes:
    body = text.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body
