"""Removes folders that tasks have filled, whatever is in them, and never raises.

A task may have made folders in folders, thousands deep: so nothing here recurses, and what is deep
is moved up before it is emptied, for no path may get too long. What may not be written to is opened
first. Links are removed, and never followed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Collection
from pathlib import Path


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
    """Remove a folder; those in it come to lie beside it, one after the other."""
    mark = secrets.token_hex(8)
    waiting, count = [folder], 0
    while waiting:
        one = waiting.pop()
        for path, is_folder in _entries(one):
            if not is_folder:
                _unlink(path)
                continue
            count += 1
            beside = folder.with_name(f"{mark}-{count}")
            with contextlib.suppress(OSError):
                path.chmod(stat.S_IRWXU)  # or it may not be moved
                path.rename(beside)
                waiting.append(beside)
        with contextlib.suppress(OSError):
            one.rmdir()


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
