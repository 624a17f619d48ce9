"""Answers that are bytes: blobs, payloads and results, archives; and blobs that are put.

What they say of themselves lets whoever gets them check and go on: ETag and Repr-Digest are the
SHA-256, parts are answered. See docs/protocol.md.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from dc import http_conditions
from dc.blobs import BlobFolder
from dc.blobs_incoming import Source
from dc.blobs_zstd import Compressed, Decompressed, pays
from dc.errors import BlobMismatch, ProtocolError, UnknownBlob
from dc.http import Request, Response
from dc.messages_parts import Payload
from dc.server.problems import not_allowed
from dc.server.uploads import Uploads
from dc.view_jobs import BlobView

Headers = list[tuple[str, str]]

FOR_EVER: Final = ("Cache-Control", "private, max-age=31536000, immutable")
"""Of what is named by its digest."""

ASK_AGAIN: Final = ("Cache-Control", "private, no-cache")
"""Of what a path may have other bytes of later."""

OCTETS: Final = "application/octet-stream"


class BlobAnswers:
    """Answers requests for bytes.

    Args:
        blobs: where they are.
        uploads: says whether more may come in; without it, all may.
    """

    def __init__(self, blobs: BlobFolder, uploads: Uploads | None = None) -> None:
        self._blobs = blobs
        self._uploads = uploads

    async def blob(self, request: Request, name: str) -> Response:
        """Answer a request for `/blobs/NAME`.

        Raises:
            UnknownBlob: there is none of this name, or it was damaged.
            BlobMismatch: what was put has other bytes.
            WrongOffset: what was put does not go on where the last part ended.
            QuotaExceeded: nothing may be as large as what is put.
            StoreFull: there is no room for it.
            StoreError: it cannot be written.
        """
        digest = digest_named(name)
        if request.method == "PUT":
            new = await self._take(request, digest)
            return Response.text(201 if new else 200, "stored\n" if new else "was here already\n")
        if request.method not in ("GET", "HEAD"):
            return not_allowed(["GET", "HEAD", "PUT"])
        if request.method == "HEAD" and self._blobs.claim(digest) is None:
            return await self._missing(digest)
        return await self.file(request, digest)

    async def post(self, request: Request) -> Response:
        """Answer a request for `/blobs`: take a blob in, and say its SHA-256.

        Raises:
            QuotaExceeded, StoreFull, StoreError: as `blob`.
        """
        if request.method != "POST":
            return not_allowed(["POST"])
        if "content-encoding" in request.headers:
            raise ProtocolError("a blob is posted as it is", status=415)
        source: Source = request
        if self._uploads is not None:
            if request.content_length is None:
                source = self._uploads.bounded(request)
            else:
                self._uploads.check(request.content_length)
        digest, size, new = await self._blobs.take(request.content_length, source)
        answer = Response.json(BlobView(digest.hex(), size), 201 if new else 200)
        answer.headers.append(("Location", f"/blobs/{digest.hex()}"))
        return answer

    async def file(
        self,
        request: Request,
        digest: bytes,
        cache: tuple[str, str] = FOR_EVER,
        kind: str = OCTETS,
    ) -> Response:
        """Answer GET or HEAD with a blob, of a content type.

        Raises:
            UnknownBlob: it is not here, or was damaged.
        """
        if "want-repr-digest" in request.headers and self._blobs.path(digest) is not None:
            await self._check(digest)
        path, etag = self._blobs.read(digest), digest.hex()
        if path is None:
            raise UnknownBlob(f"there is no blob {etag}")
        vary = ("Vary", "Accept-Encoding")
        if self._may_compress(request) and await self._pays(path, digest):
            coded: Headers = [cache, vary, ("Content-Encoding", "zstd")]
            return Response(200, Compressed(path), kind, coded, etag=f"{etag}-zstd")
        headers = [cache, vary, http_conditions.repr_digest(digest)]
        return Response(200, path, kind, headers, etag=etag)

    async def _pays(self, path: Path, digest: bytes) -> bool:
        try:
            return await pays(path, self._blobs.size(digest) or 0)
        except FileNotFoundError:  # it was removed just now
            raise UnknownBlob(f"there is no blob {digest.hex()}") from None

    def _may_compress(self, request: Request) -> bool:
        whole = request.method == "GET" and "range" not in request.headers
        return whole and http_conditions.accepts(request.headers, "zstd")

    async def payload(self, request: Request, payload: Payload) -> Response:
        """Answer GET or HEAD with a payload or a result.

        Raises:
            UnknownBlob: its blob is not here.
        """
        if not isinstance(payload, bytes):
            return await self.file(request, payload.digest, ASK_AGAIN)
        digest = hashlib.sha256(payload).digest()
        headers = [ASK_AGAIN, http_conditions.repr_digest(digest)]
        return Response(200, payload, OCTETS, headers, etag=digest.hex())

    async def _check(self, digest: bytes) -> None:
        """Hash a blob for somebody who has got other bytes."""
        if not await self._blobs.is_right(digest):
            text = f"blob {digest.hex()} is damaged on the server's disk: its log says more"
            raise UnknownBlob(text)

    async def _missing(self, digest: bytes) -> Response:
        offset = await self._blobs.offset(digest)
        headers = [("Upload-Offset", str(offset))] if offset else []
        return Response(404, headers=[*headers, ("Cache-Control", "no-store")])

    async def _take(self, request: Request, digest: bytes) -> bool:
        """Take a blob, or a part of it, that is put; return whether it was new."""
        headers, size = request.headers, request.content_length
        source: Source = request
        part = http_conditions.sent_part(headers)
        if "content-encoding" in headers:
            return await self._take_coded(request, digest)
        if http_conditions.sent_digest(headers) not in (None, digest):
            raise BlobMismatch(f"blob {digest.hex()} is said to have another SHA-256")
        if part is not None:
            self._let_in(digest, part.size, part.start)
            return await self._blobs.receive(digest, part.size, source, part.start)
        if size is None:
            if self._uploads is not None:
                source = self._uploads.bounded(source)
            return await self._blobs.put(digest, None, source)
        self._let_in(digest, size)
        return await self._blobs.receive(digest, size, source)

    def _let_in(self, digest: bytes, size: int, here: int = 0) -> None:
        if self._uploads is not None and self._blobs.size(digest) is None:
            self._uploads.check(size, here)

    async def _take_coded(self, request: Request, digest: bytes) -> bool:
        """Take a compressed blob, whose size must be said: what is longer is refused there."""
        if request.headers["content-encoding"].strip().lower() != "zstd":
            raise ProtocolError("a blob comes as it is, or as zstd", status=415)
        length = request.headers.get("upload-length", "")
        if not (length.isdecimal() and len(length) < 19) or "content-range" in request.headers:
            raise ProtocolError("a compressed blob comes whole, and Upload-Length says its size")
        self._let_in(digest, int(length))
        return await self._blobs.receive(digest, int(length), Decompressed(request))


def digest_named(name: str) -> bytes:
    """Return the digest that a path names.

    Raises:
        UnknownBlob: it names none.
    """
    try:
        digest = bytes.fromhex(name)
    except ValueError:
        digest = b""
    if len(digest) != 32 or len(name) != 64:
        raise UnknownBlob("a blob's name is its SHA-256 in 64 hexadecimal digits")
    return digest
