"""Removes folders that tasks have filled, whatever is in them, and never raises.

A task may have made folders in folders, thousands deep: so nothing here recurses, no path is longer
than a name, and one descriptor is enough. What may not be written to is opened first. Links are
removed, and never followed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Final

_FOLDER: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)


def remove_folder(folder: Path, keep: Collection[Path] = ()) -> None:
    """Remove a folder and all that is in it, as far as the system lets that be done.

    Blocks for as long as that takes.

    Args:
        folder: which need not be there.
        keep: files below it that stay, with the folders that they are in.
    """
    if folder.is_symlink():
        _unlink(folder)
        return
    if not keep:
        _remove(folder)
        return
    clear_folder(folder, keep)
    with contextlib.suppress(OSError):  # what is kept, or cannot be removed, is still in it
        folder.rmdir()


def clear_folder(folder: Path, keep: Collection[Path] = ()) -> None:
    """Remove all that is in a folder; see `remove_folder`."""
    for path, is_folder in _entries(folder):
        if path in keep:
            continue
        if not is_folder:
            _unlink(path)
        elif any(one.is_relative_to(path) for one in keep):
            remove_folder(path, keep)  # no deeper than what is kept
        else:
            _remove(path)


def _remove(folder: Path) -> None:
    """Remove a folder and all that is in it."""
    if sys.platform == "win32":
        with contextlib.suppress(RecursionError):
            shutil.rmtree(folder, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        _empty(_open(folder))
    with contextlib.suppress(OSError):
        folder.rmdir()


def _empty(here: int) -> None:
    """Empty a folder by its descriptor, which goes down into those in it, and up again.

    Raises:
        OSError: the way up is barred.
    """
    names, inner, known = [""], [_unlink_files(here)], [os.fstat(here)]
    try:
        while inner[-1] or len(inner) > 1:
            if inner[-1]:
                name = inner[-1].pop()
                there = _opened(name, here)
                if there is None:
                    continue
                os.close(here)
                here = there
                names.append(name)
                inner.append(_unlink_files(here))
                known.append(os.fstat(here))
                continue
            there = os.open("..", _FOLDER, dir_fd=here)
            os.close(here)
            here = there
            inner.pop()
            known.pop()
            if not os.path.samestat(os.fstat(here), known[-1]):
                return  # somebody has moved it: what is here is none of ours
            with contextlib.suppress(OSError):
                os.rmdir(names.pop(), dir_fd=here)
    finally:
        os.close(here)


def _opened(name: str, above: int) -> int | None:
    """Return a descriptor of a folder that is in another one, or None."""
    with contextlib.suppress(OSError):
        return _open(name, above)
    return None


def _open(name: Path | str, above: int | None = None) -> int:
    """Return a descriptor of a folder, which may be emptied from then on.

    It is opened before its rights are changed, where that can be done: another task may have put a
    link in its place, which is not followed.

    Raises:
        OSError: it is no folder, or cannot be opened.
    """
    try:
        here = os.open(name, _FOLDER, dir_fd=above)
    except PermissionError:
        os.chmod(name, stat.S_IRWXU, dir_fd=above)  # a Path has no descriptor
        return os.open(name, _FOLDER, dir_fd=above)
    with contextlib.suppress(OSError):
        os.chmod(here, stat.S_IRWXU)  # noqa: PTH101  # a Path has no descriptor
    return here


def _unlink_files(here: int) -> list[str]:
    """Remove all that is no folder; return the names of those."""
    with os.scandir(here) as entries:
        found = [(one.name, one.is_dir(follow_symlinks=False)) for one in entries]
    for name, is_folder in found:
        if not is_folder:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=here)
    return [name for name, is_folder in found if is_folder]


def _unlink(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _entries(folder: Path) -> list[tuple[Path, bool]]:
    """Return what is in a folder, and whether it is a folder; opens it first."""
    found: list[tuple[Path, bool]] = []
    with contextlib.suppress(OSError):
        folder.chmod(stat.S_IRWXU)
        with os.scandir(folder) as entries:
            found += [(Path(one.path), one.is_dir(follow_symlinks=False)) for one in entries]
    return found
