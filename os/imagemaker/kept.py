"""Keeps what takes long to make: a folder for each key, which says what it was made of."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

HERE = Path(__file__).parent


def key(*parts: str | bytes) -> str:
    """Return a short name for all of these."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:16]


def of_programs(*names: str) -> str:
    """Return a short name of what these modules of the imagemaker say."""
    return key(*((HERE / f"{name}.py").read_bytes() for name in names))


def kept(folder: Path, kind: str, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that is made once for each name; those of other names are removed.

    Args:
        folder: where such folders are.
        kind: what it is, a word.
        name: what it is made of, as `key` returns it.
        make: fills a folder that is not there yet. If it fails, nothing is kept.
    """
    path = folder / f"{kind}-{name}"
    if not path.exists():
        begun = folder / f"{kind}.new"
        shutil.rmtree(begun, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        make(begun)
        for old in others(folder.glob(f"{kind}-*"), path):
            shutil.rmtree(old)
        begun.rename(path)
    return path


def others(paths: Iterable[Path], path: Path) -> list[Path]:
    """Return all but this one."""
    return [one for one in paths if one != path]
