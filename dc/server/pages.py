"""The page's files, and the one document that all its addresses show: what they are is up to the page.

The files are those of `dc/web`. They ask `/api/…` for what they show.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from typing import Final

from dc.http import Request, Response

TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
"""Files of other kinds are not served."""

PAGES: Final = frozenset(
    {"", "jobs", "workers", "submit", "plugins", "types", "events", "settings", "submitters"}
)
"""What the addresses of pages begin with."""


class Pages:
    """Answers requests for pages and their files."""

    def __init__(self) -> None:
        root = resources.files("dc") / "web"
        self._files = {name: (file.read_bytes(), kind) for name, file, kind in _files(root)}

    async def answer(self, request: Request, parts: list[str]) -> Response:
        """Answer a request for these parts of the path."""
        name = "/".join(parts)
        found = self._files.get("icon.svg" if name == "favicon.ico" else name)
        if found is not None:
            return Response(200, *found)
        if parts[0] in PAGES:
            return Response(200, *self._files["index.html"])
        return self.error(404, f"there is no page {request.path}")

    def error(self, status: int, text: str) -> Response:
        """Return a page that says what is wrong."""
        return Response.html(f"<!doctype html><title>{status}</title><p>{escape(text)}\n", status)


def _files(folder: Traversable, above: str = "") -> Iterator[tuple[str, Traversable, str]]:
    """Yield path, file and content type of all that is served in a folder and below."""
    for item in folder.iterdir():
        name = above + item.name
        if item.is_dir():
            yield from _files(item, f"{name}/")
        elif (kind := TYPES.get(PurePosixPath(name).suffix)) is not None:
            yield name, item, kind
