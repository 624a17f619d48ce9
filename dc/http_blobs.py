"""Moves blobs between files here and a server, over one HTTP connection.

How it works:
- What has come of a download is in a file beside its place, with `.part` behind the name. It stays
  when the connection breaks, and the next call goes on behind it (Range, If-Range).
- What the server has of an upload, it says (`Upload-Offset`), and the upload goes on from there
  (Content-Range). See docs/protocol.md.
- Within one call a transfer goes on by itself over a new connection, as long as each got some bytes
  across. When one did not, ConnectionLost is the caller's, as are the pauses between tries.
- The receiver always compares the SHA-256, which it makes while the bytes come in.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import AsyncIterable, Container, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import trio

from dc import limits, limits_store
from dc.blobs_incoming import Incoming, Sink, Source, Told, fill, hash_file, in_hashers
from dc.blobs_zstd import Compressed, Decompressed, pays
from dc.errors import (
    BlobMismatch,
    ConnectionLost,
    DcError,
    HttpError,
    ProtocolError,
    UnknownBlob,
)
from dc.http_conditions import repr_digest
from dc.messages_parts import Blob

Headers = list[tuple[str, str]]

_SPAN: Final = re.compile(r"bytes ([0-9]{1,19})-[0-9]{1,19}/([0-9]{1,19})")


class Answer(Protocol):
    """The answer to a request, whose body may be read."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> dict[str, str]:
        """By lower-cased name."""

    @property
    def is_framed(self) -> bool:
        """Whether a broken off body can be told from a whole one."""

    async def body(self, limit: int) -> bytes:
        """Return the whole body."""

    async def move_to(self, sink: Sink) -> int:
        """Give more of the body to a sink, in a thread; return how many bytes, 0 at its end."""


class Http(Protocol):
    """What makes requests: `dc.http_client.HttpClient`.

    Attributes:
        host: the server's name, and its port.
    """

    host: str

    def exchange(
        self,
        method: str,
        path: str,
        headers: Headers | None = None,
        source: Path | bytes | AsyncIterable[bytes] = b"",
        *,
        start: int = 0,
        told: Told | None = None,
        accepted: Container[int] = (),
    ) -> AbstractAsyncContextManager[Answer]:
        """Make a request; within the block its answer may be read."""


class BlobTransport:
    """Moves blobs over one HTTP connection; transfers take turns on it.

    Both ways raise ConnectionLost for a connection that cannot be made, or broke before it moved a
    byte, or moved none for limits_store.BLOB_IDLE_SECONDS; HttpError for what the server refuses.

    Args:
        http: the way to the server.
        compress: whether what is worth it is compressed on its way; None for yes unless the server
            is on this computer.
    """

    def __init__(self, http: Http, *, compress: bool | None = None) -> None:
        self._http = http
        self._compress = not _is_here(http.host) if compress is None else compress

    # --- down -----------------------------------------------------------------------------------

    async def download(self, path: str, blob: Blob, to: Path, told: Told | None = None) -> None:
        """Write a blob to a file, which is then whole and right; it is not flushed to the disk.

        Args:
            path: an encoded path of the server, such as `/blobs/SHA256`.
            blob: what is there.
            to: the file. Beside it, `NAME.part` stays when the connection breaks; what an earlier
                call has left there is gone on with.
            told: is told how many bytes are here by now.

        Raises:
            BlobMismatch: what came has another digest or size; nothing of it stays.
            UnknownBlob: the same, and it is the server's disk that has damaged it.
            OSError: the file cannot be written.
        """
        part = to.with_name(f"{to.name}.part")
        kept = await _kept(part, blob.size)
        incoming = Incoming(part, blob.digest, blob.size, kept, lasting=False)
        try:
            if incoming.written:
                try:
                    await self._fetch(path, incoming, to, told)
                    return
                except BlobMismatch:  # what an earlier call has left may not be on disk as it was
                    incoming.begin_anew()
            await self._fetch(path, incoming, to, told)
        except BlobMismatch:
            await trio.to_thread.run_sync(partial(part.unlink, missing_ok=True))
            await self._complain(path)
            raise
        finally:
            incoming.close()

    async def _fetch(self, path: str, incoming: Incoming, to: Path, told: Told | None) -> None:
        """Fetch what is missing; if all of it is right, give the file its name."""
        while incoming.written < (incoming.expected or 0) or not incoming.written:
            before = incoming.written
            try:
                await self._fetch_rest(path, incoming, told)
            except ConnectionLost:
                if incoming.written <= before:
                    raise
            else:
                break
        await in_hashers(_settle, incoming, to)

    async def _fetch_rest(self, path: str, incoming: Incoming, told: Told | None) -> None:
        start, headers = incoming.written, Headers()
        if start:
            headers = [("Range", f"bytes={start}-"), ("If-Range", f'"{incoming.digest.hex()}"')]
        elif self._compress:
            headers = [("Accept-Encoding", "zstd")]
        with _watched(told) as watch:
            exchange = partial(self._http.exchange, told=watch.begun, accepted=(416,))
            async with exchange("GET", path, headers) as answer:
                if not answer.is_framed:
                    text = "the server's answer has no length; it cannot be known to be whole"
                    raise ProtocolError(text)
                if answer.status == 200:
                    incoming.begin_anew()
                elif _span(answer) != (start, incoming.expected):
                    raise BlobMismatch(f"blob {incoming.digest.hex()} has another size there")
                await fill(incoming, _plain(answer), watch.moved)

    async def _complain(self, path: str) -> None:
        """Have the server look at a blob of which other bytes came: it hashes it before it answers.

        Raises:
            UnknownBlob: the server's blob was damaged; it is gone there.
        """
        with suppress(ConnectionLost, ProtocolError), _watched() as watch:
            asked: Headers = [("Want-Repr-Digest", "sha-256=1")]
            exchange = partial(self._http.exchange, told=watch.begun, accepted=range(100, 600))
            async with exchange("HEAD", path, asked) as answer:
                if answer.status == 404:
                    raise UnknownBlob("this blob is damaged on the server's disk, or gone there")

    # --- up -------------------------------------------------------------------------------------

    async def upload(self, blob: Blob, source: Path | bytes, told: Told | None = None) -> bool:
        """Put a blob to the server, unless it is there; it is on disk there on return.

        Args:
            blob: what `source` has, see `blob_of`.
            source: a file that does not change meanwhile, or bytes.
            told: is told how many bytes are there by now.

        Returns:
            Whether it was sent; False if it was there.

        Raises:
            BlobMismatch: `source` has other bytes than `blob` says.
            OSError: the file cannot be read, or became shorter.
        """
        start = 0
        if blob.size > limits_store.BLOB_ASK_BYTES:
            if (found := await self._offset(blob)) is None:
                return False
            start = found
        tries = 0
        while tries < limits_store.BLOB_TRIES:
            try:
                return await self._put(blob, source, start, told)
            except ConnectionLost:
                found = await self._offset(blob)
                if found is not None and found <= start:
                    # The server may still be about to read what it got before the cut.
                    await trio.sleep(limits_store.BLOB_AGAIN_SECONDS)
                    found = await self._offset(blob)
                if found is None:
                    return True
                if found <= start:
                    raise
                at = found
            except _ElsewhereError as error:
                if (named := error.offset) is None:
                    await trio.sleep(limits_store.BLOB_AGAIN_SECONDS)
                    if (named := await self._offset(blob)) is None:
                        return False
                at = named
            tries = 0 if at > start else tries + 1
            start = at
        raise HttpError("the server names another place to go on from, again and again", status=409)

    async def _offset(self, blob: Blob) -> int | None:
        """Return how many bytes of a blob the server has, or None if it is there."""
        with _watched() as watch:
            exchange = partial(self._http.exchange, told=watch.begun, accepted=(404,))
            async with exchange("HEAD", f"/blobs/{blob.name}") as answer:
                if answer.status != 404:
                    return None
                offset = _offset_in(answer)
                return offset if offset <= blob.size else 0

    async def _put(self, blob: Blob, source: Path | bytes, start: int, told: Told | None) -> bool:
        """Send what is missing; return whether it was new."""
        seconds = blob.size / limits_store.BLOB_FINISH_BYTES_PER_SECOND
        with _watched(told, start, seconds) as watch:
            headers, body = await self._body(blob, source, start, watch.moved)
            sending = partial(self._http.exchange, start=start, told=watch.moved)
            exchange = partial(sending, accepted=(400, 408, 409))
            async with exchange("PUT", f"/blobs/{blob.name}", headers, body) as answer:
                text = (await answer.body(limits.ERROR_CHARS)).decode(errors="replace")
                if answer.status == 409:
                    named = "upload-offset" in answer.headers
                    raise _ElsewhereError(_offset_in(answer) if named else None)
                if answer.status in (400, 408):
                    raise _refused(blob, answer.status, text.strip())
                return answer.status == 201

    async def _body(
        self, blob: Blob, source: Path | bytes, start: int, told: Told
    ) -> tuple[Headers, Path | bytes | Compressed]:
        """Return what is sent of a blob, and what is said of it; only a whole is compressed."""
        headers = [("Content-Type", "application/octet-stream")]
        if start:
            span = f"{start}-{blob.size - 1}" if start < blob.size else "*"
            headers.append(("Content-Range", f"bytes {span}/{blob.size}"))
        elif self._compress and isinstance(source, Path) and await pays(source, blob.size):
            headers += [("Content-Encoding", "zstd"), ("Upload-Length", str(blob.size))]
            return headers, Compressed(source, told)
        return [*headers, repr_digest(blob.digest)], source


class _ElsewhereError(Exception):
    """The server wants an upload to go on from another byte; None for one that it does not name."""

    def __init__(self, offset: int | None) -> None:
        super().__init__(offset)
        self.offset = offset


class _Watch:
    """Sees to it that a transfer does not stand still, from its first word on.

    Args:
        told: is told how many bytes have been moved.
        before: bytes that had been moved before.
        seconds: for which more than usual the next byte may be waited for.
    """

    def __init__(self, told: Told | None, before: int = 0, seconds: float = 0) -> None:
        self.scope = trio.CancelScope()
        self._told = told
        self._before = before
        self._patience = limits_store.BLOB_IDLE_SECONDS + seconds

    def begun(self, _: int) -> None:
        """Note that the request is being sent."""
        self.scope.deadline = trio.current_time() + self._patience

    def moved(self, size: int) -> None:
        """Note how many bytes have been moved in this exchange."""
        self.begun(size)
        if self._told is not None:
            self._told(self._before + size)


@contextmanager
def _watched(told: Told | None = None, before: int = 0, seconds: float = 0) -> Iterator[_Watch]:
    """Give a transfer up that stands still."""
    watch = _Watch(told, before, seconds)
    with watch.scope:
        yield watch
    if watch.scope.cancelled_caught:
        raise ConnectionLost("nothing moves on the connection to the server")


async def blob_of(source: Path | bytes) -> Blob:
    """Return the name and the size of what a file or bytes hold; a thread makes the SHA-256.

    Raises:
        OSError: the file cannot be read.
    """
    if isinstance(source, Path):
        return Blob(*await in_hashers(hash_file, source))
    found = await in_hashers(hashlib.sha256, source)
    return Blob(found.digest(), len(source))


def _refused(blob: Blob, status: int, text: str) -> DcError:
    """Return what a server's 400 or 408 means: other bytes, a body that broke off, or else."""
    if f'"{BlobMismatch.code}"' in text:
        return BlobMismatch(f"the server refuses blob {blob.name}: {text}")
    if status == 408 or "broken off" in text:
        return ConnectionLost(f"the server has not got all of blob {blob.name}: {text}")
    return HttpError(text, status=status)


def _plain(answer: Answer) -> Source:
    """Return an answer's body as it was before it was compressed.

    Raises:
        ProtocolError: in a coding that was not asked for.
    """
    coding = answer.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", "zstd"):
        raise ProtocolError(f"the server's answer is coded as {coding[:80]!r}")
    return Decompressed(answer) if coding == "zstd" else answer


def _is_here(host: str) -> bool:
    """Whether a host with its port is this computer."""
    name = host.rpartition(":")[0].strip("[]")
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _offset_in(answer: Answer) -> int:
    text = answer.headers.get("upload-offset", "0")
    return int(text) if text.isdecimal() and len(text) < 20 else 0


def _span(answer: Answer) -> tuple[int, int] | None:
    """Return where the body of an answer begins, and the size of the whole."""
    match = _SPAN.fullmatch(answer.headers.get("content-range", ""))
    return (int(match[1]), int(match[2])) if match else None


def _settle(incoming: Incoming, to: Path) -> None:
    incoming.check()
    incoming.close()
    incoming.path.replace(to)


async def _kept(part: Path, size: int) -> int:
    """Return how many bytes an earlier call has left in a file."""
    try:
        status = await trio.to_thread.run_sync(part.stat)
    except FileNotFoundError:
        return 0
    return status.st_size if status.st_size <= size else 0
