"""Takes what executors of another user leave in files: large results and checkpoints.

Theory of operation
-------------------
An executor names a file, and its agent, which is root, reads and removes it later. A task could
have the executor name a file of root's, or put a link in its place. So the agent moves it first to
a folder that root alone can enter. The way there is gone step by step through open folders, and no
link is followed; what has arrived has to be a plain file of that user with no other name. From then
on nobody can put anything else in its place.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from dc.errors import ProtocolError
from dc.pipe import FromExecutor, InFile, Ran, Saved
from dc.task_user import TaskUser

_FOLDER: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)


class Adopting:
    """Of one worker.

    Args:
        user: whose the files are.
        source: the folder below which executors write them; what is above it is root's.
        to: a folder on the same disk that root alone can enter.
    """

    def __init__(self, user: TaskUser, source: Path, to: Path) -> None:
        self._user, self._source, self._to = user, source, to
        self._numbers = count(1)

    def take(self, message: FromExecutor) -> FromExecutor:
        """Return a message with the files that it names at their new places.

        Raises:
            ProtocolError: it names something else than a file of an executor.
        """
        if isinstance(message, Saved) and isinstance(message.data, InFile):
            return replace(message, data=self._file(message.data))
        if isinstance(message, Ran) and any(isinstance(one, InFile) for one in message.outcomes):
            return replace(
                message,
                outcomes=[
                    self._file(one) if isinstance(one, InFile) else one for one in message.outcomes
                ],
            )
        return message

    def _file(self, file: InFile) -> InFile:
        try:
            parts = Path(file.path).relative_to(self._source).parts
            to = self._to / f"{next(self._numbers)}-{parts[-1]}"
            if ".." in parts:
                raise ProtocolError("it names a file that is none of its own")
            self._move(parts, to)
        except (OSError, ValueError, IndexError):
            raise ProtocolError("it names a file that is not there, or none of its own") from None
        if not self._is_sound(to, file.size):
            with suppress(OSError):
                to.unlink()
            raise ProtocolError("it names a file that is not what it says")
        return InFile(str(to), file.size, file.digest)

    def _move(self, parts: Sequence[str], to: Path) -> None:
        """Move a file, by the names on the way to it. Raises OSError: a link is on that way."""
        if sys.platform == "win32":
            return  # there is no other user
        here = os.open(self._source, _FOLDER)
        try:
            for name in parts[:-1]:
                there = os.open(name, _FOLDER, dir_fd=here)
                os.close(here)
                here = there
            os.rename(parts[-1], to, src_dir_fd=here)
        finally:
            os.close(here)

    def _is_sound(self, path: Path, size: int) -> bool:
        status = path.lstat()
        is_plain = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
        return is_plain and status.st_uid == self._user.uid and status.st_size == size
