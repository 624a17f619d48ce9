"""The folder of one worker: its key, its journals, and its scratch folder.

    lock                     held while the worker runs
    key                      who the worker is, for good, where nobody has to show anything
    worker.key               its key pair: who it is where one has to
    servers                  the servers that it has joined by that
    server                   the id of the last server
    reports-SERVER.journal   what that server has not recorded
    scratch/RUN/             payloads, large results and scratch files of one process
    code/                    plugins of the server, and what was installed for them


Without a folder of its choice a worker takes the first of this user's (worker-1, worker-2, ...)
that no other worker uses. So each of several workers on a computer finds its own again. These share
one `code`, beside them.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from dc import limits_worker as limits
from dc.errors import StartError
from dc.folder_lock import FolderInUse, FolderLock
from dc.removal import remove_folder
from dc.worker import joined_servers, worker_key
from dc.worker.keeping import files_to_keep, remove_old_journals, write_file

log: Final = logging.getLogger("dc.worker")

_KEY = re.compile(r"[0-9a-f]{32}")
_MODE: Final = 0o700  # of folders that are made: nobody else reads payloads, or changes code


class WorkerFolder:
    """A worker's folder, locked. Use as a context manager; or call `close` at the end.

    Args:
        path: the folder, which exists.
        lock: on it.
        scratch: the parent of scratch folders, if it is not to be in the folder.
        new_key: be another worker from now on.
        code: where plugins of the server go, if not in the folder.

    Attributes:
        path: the folder.
        code: where plugins of the server go, see dc/worker/plugin_folder.py.
        key: of the worker, 32 hexadecimal digits.
        run: names this process.
        scratch: a new folder for files of this process alone.

    Raises:
        StartError: something cannot be read or written.
    """

    def __init__(
        self,
        path: Path,
        lock: FolderLock,
        scratch: Path | None = None,
        *,
        new_key: bool = False,
        code: Path | None = None,
    ) -> None:
        self.path = path
        self.code = path / "code" if code is None else code
        self.run = secrets.token_hex(8)
        self._lock = lock
        try:
            if new_key:
                _forget_key(path)
            self.key = _key(path / "key")
            remove_old_journals(path)
            self._scratches = path / "scratch"
            if scratch is not None:
                self._scratches = scratch.absolute() / f"dc-worker-{self.key[:16]}"
            self._clean()
            self.scratch = self._scratches / self.run
            for one in (self.code, self._scratches):  # what runs and what it works on is the user's
                one.mkdir(mode=_MODE, parents=True, exist_ok=True)
            self.scratch.mkdir()
        except OSError as error:
            lock.release()
            raise _cannot_write(Path(error.filename or path), error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove what is of no more use, and let others use the folder."""
        with suppress(OSError):
            self._clean()
        self._lock.release()

    def _clean(self) -> None:
        """Remove all scratch files but results that a journal names."""
        remove_folder(self._scratches, files_to_keep(self.path))


def open_folder(
    data: Path | None, scratch: Path | None = None, *, new_key: bool = False
) -> WorkerFolder:
    """Open a worker's folder; make it if it is not there.

    Args:
        data: the folder; None takes the first free one of this user's.
        scratch: the parent of scratch folders, if it is not to be in the folder.
        new_key: be another worker from now on: with a new key, and without the reports of the one
            that was.

    Raises:
        StartError: the folder is in use, or cannot be written to.
    """
    if data is not None:
        folder = data.absolute()
        try:
            return WorkerFolder(folder, _lock(folder), scratch, new_key=new_key)
        except FolderInUse as error:
            text = f"--data {data} is in use by another worker ({error}): choose another folder"
            raise StartError(text) from None
    parent = state_folder()
    for number in range(1, limits.WORKER_FOLDERS + 1):
        folder = parent / f"worker-{number}"
        with suppress(FolderInUse):
            code = parent / "code"
            return WorkerFolder(folder, _lock(folder), scratch, new_key=new_key, code=code)
    raise StartError(f"all {limits.WORKER_FOLDERS} folders in {parent} are in use: give --data DIR")


def state_folder() -> Path:
    """Return where programs of this user keep such things, below which dc has its own.

    Raises:
        StartError: the user has no such place.
    """
    try:
        home = Path.home()
    except RuntimeError:
        raise StartError("this user has no home folder: give --data DIR") from None
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "dc"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "dc"
    named = Path(os.environ.get("XDG_STATE_HOME", ""))
    return (named if named.is_absolute() else home / ".local" / "state") / "dc"


def _lock(folder: Path) -> FolderLock:
    try:
        folder.mkdir(mode=_MODE, parents=True, exist_ok=True)
        return FolderLock(folder)
    except OSError as error:
        raise _cannot_write(folder, error) from None


def _cannot_write(path: Path, error: OSError) -> StartError:
    text = f"cannot use {path} ({error.strerror or error}): give a folder that can be written to"
    return StartError(f"{text}, by --data DIR")


def _forget_key(path: Path) -> None:
    """Remove who the worker is, and what is only of use to it."""
    for journal in path.glob("reports-*.journal*"):
        journal.unlink()
    for name in ("key", worker_key.NAME, joined_servers.NAME):
        (path / name).unlink(missing_ok=True)


def _key(path: Path) -> str:
    """Return the worker's key; make one if there is none."""
    with suppress(FileNotFoundError):
        text = path.read_text("ascii", errors="replace").strip()
        if _KEY.fullmatch(text):
            return text
        log.warning("%s is damaged: this worker is a new one from now on", path)
    key = secrets.token_hex(16)
    write_file(path, f"{key}\n")
    return key
