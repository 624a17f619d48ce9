"""Where a worker's cache is, and how large it may be: from the command line, and for executors."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from msgspec import Struct

from dc.cache import IN_USE, CacheFolder, default_size
from dc.errors import StartError
from dc.requirements import MEMORY, read_amount
from dc.worker.executor_variables import CACHE_VARIABLE


class CachePlace(Struct, frozen=True):
    """What was said of the cache: its folder, and its size in bytes; None where nothing was."""

    folder: Path | None = None
    size: int | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options about the cache."""
    add = parser.add_argument
    add(
        "--cache",
        metavar="DIR",
        type=Path,
        help="where what was fetched is kept, a folder for nothing else; several workers of one "
        "user may share it (default: in the worker's folder)",
    )
    add(
        "--cache-size",
        metavar="SIZE",
        help="that it may have beyond what is in use, as 20GiB (default: a tenth of the disk, "
        "10GiB at most)",
    )


def place_of(values: argparse.Namespace) -> CachePlace:
    """Return what was said of the cache.

    Raises:
        OptionsError: the size is none.
    """
    size = values.cache_size
    return CachePlace(values.cache, None if size is None else int(read_amount(MEMORY, size)))


def open_cache(place: CachePlace, worker: Path, apart: Path | None = None) -> CacheFolder:
    """Open the cache, and name it to executors that are started from now on.

    Args:
        place: what was said.
        worker: the worker's folder.
        apart: a folder for what executors fetch, where they may not write to the cache.

    Raises:
        StartError: it cannot be used, or is a folder of something else.
    """
    folder = (place.folder or worker / "cache").absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()) and not (folder / IN_USE).is_dir():
            text = "there is something else in it, which a cache might take for its own and remove"
            raise StartError(f"--cache {folder}: {text}: give a new folder, or an empty one")
        size = default_size(folder) if place.size is None else place.size
        cache = CacheFolder(folder, size)
    except OSError as error:
        text = f"cannot use {folder} ({error.strerror or error}) as the cache: give --cache DIR"
        raise StartError(text) from None
    os.environ[CACHE_VARIABLE] = f"{size}:{apart or folder}"
    return cache
