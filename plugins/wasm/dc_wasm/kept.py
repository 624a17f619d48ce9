"""Compiled code in a folder: for the executors of a computer, and for later.

Compiled code runs outside of the sandbox, so whoever can write it can do what the worker can. It is
read only from a folder that is this user's own and that nobody else can write to, and from files
of this user. Modules have no files, and other users no access; other tasks of this worker have, and
are this user already. A file begins with the SHA-256 of the rest, as a torn one would do harm, and
wasmtime itself refuses what another version of it has compiled, or for another processor.

Whatever goes wrong here, the module is compiled again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 512 * 2**20
"""Of all files; the ones that were used longest ago leave first."""

SUFFIX: Final = ".compiled"
DIGEST_BYTES: Final = 32


class Kept:
    """The folder.

    Args:
        folder: made when it is first written to; None to keep nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def read(self, name: str) -> bytes | None:
        """Return the compiled code of a name, or None."""
        if self._folder is None or not is_ours(self._folder):
            return None
        path = self._folder / (name + SUFFIX)
        try:
            with path.open("rb") as file:
                if not _ours(os.fstat(file.fileno())):
                    return None
                digest, data = file.read(DIGEST_BYTES), file.read()
            if hashlib.sha256(data).digest() != digest:
                return None
            os.utime(path)
        except OSError:
            return None
        return data

    def write(self, name: str, data: bytes) -> None:
        """Keep compiled code, if that is possible."""
        folder = self._folder
        if folder is None or len(data) > MOST_BYTES:
            return
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if is_ours(folder):
                _write(folder / (name + SUFFIX), hashlib.sha256(data).digest() + data)
                _shrink(folder)


def own_folder() -> Path | None:
    """Return where compiled code of this user is kept; None where there is no such place."""
    if sys.platform == "win32" or not hasattr(os, "geteuid"):
        return None  # who may write to a folder is not so easily told
    said = os.environ.get("XDG_CACHE_HOME", "")
    try:
        base = Path(said) if said.startswith("/") else Path.home() / ".cache"
    except RuntimeError:
        return None
    return base / "dc" / "wasm"


def is_ours(folder: Path) -> bool:
    """Whether a folder is this user's, and nobody else may write to it."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and _ours(found)


def _ours(found: os.stat_result) -> bool:
    if sys.platform == "win32":
        return False
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _write(path: Path, data: bytes) -> None:
    descriptor, made = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(made).replace(path)
    except BaseException:
        Path(made).unlink(missing_ok=True)
        raise


def _shrink(folder: Path) -> None:
    """Remove what was used longest ago, until the rest is within MOST_BYTES."""
    left = MOST_BYTES
    files = [(one.stat(), one) for one in folder.glob("*" + SUFFIX)]
    for found, path in sorted(files, key=lambda pair: -pair[0].st_mtime_ns):
        left -= found.st_size
        if left < 0:
            path.unlink(missing_ok=True)
