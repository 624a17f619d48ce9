"""The page's files, and the one document that all its addresses show.

The files are those of `dc/web`. All are read, and compressed, at the start: nothing that a request
says is ever a path on the disk. A browser asks each time whether what it has is still right, which
costs no bytes, so a new version is there at once.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from dc import limits_shown
from dc.http import Request, Response
from dc.http_conditions import accepts

KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".svg": "image/svg+xml",
        ".txt": "text/plain; charset=utf-8",
    }
)
"""Content types by the ends of names. Files of other kinds are not served."""

PAGES: Final = frozenset(
    {
        *("", "jobs", "workers", "submit", "plugins", "types", "events", "settings", "submitters"),
        *("access", "sign-in"),
    }
)
"""What the addresses of pages begin with."""

DOCUMENT: Final = "index.html"

HEADERS: Final = [("Cache-Control", "no-cache"), ("Vary", "Accept-Encoding")]


class StaticFile(Struct, frozen=True):
    """A file as it goes out: as it is, and compressed if that is worth it."""

    kind: str
    etag: str
    body: bytes
    gzipped: bytes


class StaticFiles:
    """Answers requests for pages and their files."""

    def __init__(self) -> None:
        root = resources.files("dc") / "web"
        self._files = {name: _read(file, kind) for name, file, kind in _found(root)}

    def get(self, request: Request, name: str, status: int = 200) -> Response | None:
        """Answer with a file, None if there is none of this name."""
        file = self._files.get("icon.svg" if name == "favicon.ico" else name)
        if file is None:
            return None
        headers = list(HEADERS)
        if file.gzipped and accepts(request.headers, "gzip"):
            headers.append(("Content-Encoding", "gzip"))
            return Response(status, file.gzipped, file.kind, headers, etag=f"{file.etag}-gzip")
        return Response(status, file.body, file.kind, headers, etag=file.etag)

    def page(self, request: Request) -> Response | None:
        """Answer with the document that all pages are; with status 404 if there is no such page.

        Returns:
            None for who wants no document: neither is there anything else.
        """
        first, *more = request.segments
        known = first in PAGES and bool(first or not more)
        anything = "*/*" in request.headers.get("accept", "*/*")
        if not wants_document(request) and not (known and anything):
            return None
        return self.get(request, DOCUMENT, 200 if known else 404)


def wants_document(request: Request) -> bool:
    """Whether a request is a browser's that shows what comes back to somebody."""
    return "text/html" in request.headers.get("accept", "").lower()


def _read(file: Traversable, kind: str) -> StaticFile:
    body = file.read_bytes()
    gzipped = gzip.compress(body, 9, mtime=0) if len(body) >= limits_shown.GZIP_LEAST_BYTES else b""
    etag = hashlib.sha256(body).hexdigest()[:32]
    return StaticFile(kind, etag, body, gzipped if len(gzipped) < len(body) else b"")


def _found(folder: Traversable, above: str = "") -> Iterator[tuple[str, Traversable, str]]:
    """Yield path, file and content type of all that is served in a folder and below."""
    for item in folder.iterdir():
        name = above + item.name
        if item.is_dir():
            yield from _found(item, f"{name}/")
        elif (kind := KINDS.get(PurePosixPath(name).suffix)) is not None:
            yield name, item, kind
