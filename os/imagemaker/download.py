"""Downloads locked packages: each is checked, and what was begun is gone on with."""

from __future__ import annotations

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from imagemaker.errors import ImageError
from imagemaker.lock import Package

AT_ONCE: Final = 6
"""How many files are under way; mirrors of Debian are asked for no more by apt either."""

PIECE: Final = 1 << 20
"""How many bytes are read at a time."""

TIMEOUT: Final = 60.0
"""Seconds of silence after which a mirror is taken to be gone."""

PAUSES: Final = (1.0, 5.0, 15.0)
"""Seconds before a file is asked for again that has broken off, or whose mirror was not to be had:
one of many files may meet with that, and it is mostly over in a moment."""

SERVER_ERROR: Final = 500
"""The least status by which a server says that it cannot at present."""

AGAIN: Final = (
    "Run it again, it goes on where it stopped; DEBIAN_MIRROR=URL and SECURITY_MIRROR=URL name "
    "other mirrors"
)


class PassingError(ImageError):
    """What may be over when it is tried again."""


class GoneError(ImageError):
    """A mirror no longer has a file."""


def sha256(path: Path) -> str:
    """Return the checksum of a file; an empty text where there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""


def is_there(folder: Path, package: Package) -> bool:
    """Whether a package was downloaded; its name is given only to what was checked."""
    path = folder / package.file
    return path.is_file() and path.stat().st_size == package.size


def missing_bytes(packages: Sequence[Package], folder: Path) -> int:
    """Return how many bytes there are to be downloaded."""
    return sum(one.size for one in packages if not is_there(folder, one))


def fetch(
    packages: Sequence[Package], mirrors: dict[str, str], folder: Path, old: dict[str, str]
) -> int:
    """Download what is not there yet.

    Args:
        packages: as locked.
        mirrors: the address of each archive.
        folder: where they are kept.
        old: the address of each archive as it was when they were locked, for what the mirrors no
            longer have; may be empty.

    Returns:
        How many bytes were downloaded.

    Raises:
        ImageError: a mirror cannot be reached, has other bytes, or a file is nowhere any more.
    """
    missing = [one for one in packages if not is_there(folder, one)]
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(lambda one: _fetch(one, mirrors, folder, old), missing):
            pass
    return sum(one.size for one in missing)


def _fetch(package: Package, mirrors: dict[str, str], folder: Path, old: dict[str, str]) -> None:
    try:
        _fetch_from(mirrors[package.archive], package, folder)
    except GoneError as gone:
        if package.archive not in old:
            raise
        try:
            _fetch_from(old[package.archive], package, folder)
        except ImageError as error:
            raise ImageError(f"{gone}. Its old state was asked as well: {error}") from None


def _fetch_from(mirror: str, package: Package, folder: Path) -> None:
    for pause in PAUSES:
        try:
            return _fetch_once(package, mirror, folder)
        except PassingError:
            time.sleep(pause)
    return _fetch_once(package, mirror, folder)


def _fetch_once(package: Package, mirror: str, folder: Path) -> None:
    part = folder / f"{package.file}.part"
    url = f"{mirror}/{urllib.parse.quote(package.path)}"
    try:
        _get(url, part)
    except urllib.error.HTTPError as error:
        # A file that is there in full is not gone on with: its checksum decides.
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise _refused(package, url, error) from None
    except (OSError, http.client.HTTPException) as error:
        raise PassingError(f"{url}: {error}. Is the network there? {AGAIN}") from None
    if part.stat().st_size < package.size:
        raise PassingError(f"{url}: the connection ended early. {AGAIN}")
    if sha256(part) != package.sha256:
        part.unlink()
        raise ImageError(
            f"{url} is not the file that was locked: run it again; if that does not help, "
            "`make os-lock` takes the versions of today"
        )
    part.replace(folder / package.file)


def _get(url: str, part: Path) -> None:
    begun = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={begun}-"} if begun else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
        goes_on = answer.status == http.client.PARTIAL_CONTENT
        with part.open("ab" if goes_on else "wb") as file:
            while piece := answer.read(PIECE):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())


def _refused(package: Package, url: str, error: urllib.error.HTTPError) -> ImageError:
    if error.code in (http.client.NOT_FOUND, http.client.GONE):
        return GoneError(
            f"{package.name} {package.version} is not at {url} any more: Debian has a newer one. "
            "`make os-lock` takes the versions of today"
        )
    busy = error.code == http.client.TOO_MANY_REQUESTS or error.code >= SERVER_ERROR
    kind = PassingError if busy else ImageError
    return kind(f"{url}: the mirror says {error.code} {error.reason}")
