"""The page's files, and the one document that all its addresses show.

The files are those of `dc/web`. All are read, and compressed, at the start: nothing that a request
says is ever a path on the disk. The document is asked for each time, so a new version is there at
once; it names the other files where they are kept for good, see dc/server/page_files.py.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from dc import limits_shown
from dc.http import Request, Response
from dc.http_conditions import accepts
from dc.server.page_files import DOCUMENT, MAIN, PageFiles

log: Final = logging.getLogger("dc.server")

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

VARY: Final = ("Vary", "Accept-Encoding")
ASKED: Final = [("Cache-Control", "no-cache"), VARY]
"""Of what is asked for each time, which costs no bytes if it is still the same."""
KEPT: Final = [("Cache-Control", "public, max-age=31536000, immutable"), VARY]
"""Of what never changes: a year is as long as anything is kept."""


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
        found = {name: (file.read_bytes(), kind) for name, file, kind in _found(root)}
        kinds = {name: kind for name, (_, kind) in found.items()}
        self._files = {name: _packed(*one) for name, one in found.items()}
        self._page = page = PageFiles({name: body.decode() for name, (body, _) in found.items()})
        if page.problem:
            log.warning("the page's modules are fetched one by one: %s", page.problem)
        self._kept = {
            page.base + name: self._file(name, text.encode(), kinds.get(name, kinds[MAIN]))
            for name, text in page.kept.items()
        }
        self._documents = {
            module: _packed(page.document(module).encode(), kinds[DOCUMENT])
            for module in page.modules()
        }
        del self._files[DOCUMENT]

    def _file(self, name: str, body: bytes, kind: str) -> StaticFile:
        """Return a file that may be here already, as it is under its plain name."""
        known = self._files.get(name)
        return known if known is not None and known.body == body else _packed(body, kind)

    def get(self, request: Request, name: str) -> Response | None:
        """Answer with a file, None if there is none of this name."""
        if name == DOCUMENT:
            return self._document(request, "", 200)
        if (file := self._kept.get(name)) is not None:
            return _answer(request, file, KEPT)
        file = self._files.get("icon.svg" if name == "favicon.ico" else name)
        return None if file is None else _answer(request, file, ASKED)

    def _document(self, request: Request, module: str, status: int) -> Response:
        return _answer(request, self._documents[module], ASKED, status)

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
        module = self._page.module_at("/" + "/".join(request.segments))
        return self._document(request, module, 200 if known else 404)


def wants_document(request: Request) -> bool:
    """Whether a request is a browser's that shows what comes back to somebody."""
    return "text/html" in request.headers.get("accept", "").lower()


def _answer(
    request: Request, file: StaticFile, headers: Sequence[tuple[str, str]], status: int = 200
) -> Response:
    if file.gzipped and accepts(request.headers, "gzip"):
        more = [*headers, ("Content-Encoding", "gzip")]
        return Response(status, file.gzipped, file.kind, more, etag=f"{file.etag}-gzip")
    return Response(status, file.body, file.kind, list(headers), etag=file.etag)


def _packed(body: bytes, kind: str) -> StaticFile:
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
