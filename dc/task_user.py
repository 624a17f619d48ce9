"""The user that tasks run as, where that is another one than the worker's: of POSIX, as root only.

The executor begins as root, goes to its place, and becomes that user before it loads any plugin. So
what it starts is that user's as well, while the worker's key and journals are root's.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from dc.errors import StartError

if sys.platform != "win32":
    import pwd

HIGHEST: Final = 2**32 - 2
"""The highest number of a user: the next one says "none" to the system."""


class TaskUser(Struct, frozen=True):
    """A user of this computer, without groups but its own.

    Attributes:
        name: for people, and as USER; the number where there is no name.
        uid: its number.
        gid: of its group.
        home: its home folder; empty where nothing is known of one.
    """

    name: str
    uid: int
    gid: int
    home: str = ""

    @property
    def ids(self) -> str:
        """Both numbers, as an executor is given them; see `of_ids`."""
        return f"{self.uid}:{self.gid}"

    def give(self, *paths: Path) -> None:
        """Make files or folders its own.

        Raises:
            OSError: this cannot be.
        """
        if sys.platform != "win32":
            for path in paths:
                os.chown(path, self.uid, self.gid)

    def cannot_enter(self, paths: Iterable[Path]) -> Path | None:
        """Return the first of these paths that it cannot get at, None if it can at all of them."""
        for path in paths:
            for one in _way(path):
                with suppress(FileNotFoundError):
                    status = one.stat()
                    wanted = stat.S_IXOTH if stat.S_ISDIR(status.st_mode) else stat.S_IROTH
                    if not self._bits(status) & wanted:
                        return one
        return None

    def owns(self, paths: Iterable[Path]) -> Path | None:
        """Return the first of these paths, or of what they are in, that is its own; None if none.

        Whose a folder is can put other things in the place of what is in it.
        """
        for path in paths:
            for one in (path, *_way(path)):
                with suppress(FileNotFoundError):
                    if one.lstat().st_uid == self.uid:
                        return one
        return None

    def _bits(self, status: os.stat_result) -> int:
        """Return what it may do with a file, as others' bits are."""
        if status.st_uid == self.uid:
            return status.st_mode >> 6
        return status.st_mode >> 3 if status.st_gid == self.gid else status.st_mode


def find_user(text: str) -> TaskUser:
    """Return the user of a name, or of a number.

    Raises:
        StartError: there is none, it is root, or this process cannot become another user.
    """
    option = f"--task-user {text}"
    if sys.platform == "win32":
        raise StartError(f"{option}: Windows has no such users; leave it out")
    if os.geteuid() != 0:
        raise StartError(f"{option}: only root can become another user: start the worker as root")
    found = _look_up(text)
    if found is None:
        raise StartError(f"{option}: this computer has no such user; make one, by useradd")
    if found.uid == 0:
        raise StartError(f"{option}: that is root itself; name a user that may do little")
    return found


def of_ids(text: str) -> TaskUser:
    """Return the user of two numbers, as `TaskUser.ids` has them.

    Raises:
        ValueError: they are none.
    """
    uid, _, gid = text.partition(":")
    known = _look_up(uid) or TaskUser(uid, int(uid), int(gid))
    return TaskUser(known.name, int(uid), int(gid), known.home)


def _look_up(text: str) -> TaskUser | None:
    """Return the user of a name or a number; a bare number has a group of that number."""
    is_number = text.isascii() and text.isdigit() and int(text) <= HIGHEST
    if sys.platform != "win32":
        with suppress(KeyError, ValueError):
            entry = pwd.getpwuid(int(text)) if is_number else pwd.getpwnam(text)
            return TaskUser(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)
    return TaskUser(text, int(text), int(text)) if is_number else None


def _way(path: Path) -> Iterator[Path]:
    """Yield what has to be passed on the way to a path, from the root on, and the path itself."""
    whole = path.resolve()
    yield from reversed(whole.parents)
    yield whole
