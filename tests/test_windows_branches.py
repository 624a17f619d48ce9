"""What is done on Windows and on macOS alone, with fakes of what only these have."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dc import executor, folder_lock, program, store_file
from dc.cli import keys
from dc.errors import StartError, StoreError
from dc.pipe import Halt
from dc.worker import computer, folder, guard, install, recycling, surroundings, vitals


class Msvcrt:
    """The locks and keys of Windows: a locked byte can be locked by nobody else, nor read."""

    LK_NBLCK = 2

    def __init__(self, typed: str = "") -> None:
        self.locked: dict[tuple[int, int], int] = {}
        self.typed = list(typed)

    def locking(self, file: int, mode: int, size: int) -> None:
        assert (mode, size) == (self.LK_NBLCK, 1)
        place = os.fstat(file).st_ino, os.lseek(file, 0, os.SEEK_CUR)
        if self.locked.setdefault(place, file) != file:
            raise OSError(errno.EACCES, "Permission denied")

    def kbhit(self) -> bool:
        return bool(self.typed)

    def getwch(self) -> str:
        return self.typed.pop(0)


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Msvcrt:
    fake = Msvcrt()
    monkeypatch.setattr(sys, "platform", "win32")
    for module in (folder_lock, store_file, keys):
        monkeypatch.setattr(module, "msvcrt", fake, raising=False)
    return fake


# --- locks --------------------------------------------------------------------------------------


def test_a_folder_is_locked_by_a_byte_behind_the_pid(windows: Msvcrt, tmp_path: Path) -> None:
    lock = folder_lock.FolderLock(tmp_path)
    with pytest.raises(folder_lock.FolderInUse, match=f"pid {os.getpid()}"):
        folder_lock.FolderLock(tmp_path)
    assert [place for _, place in windows.locked] == [1 << 20]
    lock.release()


def test_a_data_folder_is_locked_in_the_same_way(windows: Msvcrt, tmp_path: Path) -> None:
    lock = store_file.FolderLock(tmp_path)
    with pytest.raises(StoreError, match=f"pid {os.getpid()}"):
        store_file.FolderLock(tmp_path)
    assert [place for _, place in windows.locked] == [1 << 20]
    lock.release()


# --- folders ------------------------------------------------------------------------------------


def test_the_folder_of_a_user(windows: Msvcrt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/h"))
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    assert folder.state_folder() == Path("/local/dc")
    monkeypatch.delenv("LOCALAPPDATA")
    assert folder.state_folder() == Path("/h/AppData/Local/dc")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert folder.state_folder() == Path("/h/Library/Application Support/dc")


# --- keys ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "key"),
    [("a", "a"), ("\r", "enter"), ("\x1b", "escape"), ("\xe0H", "up"), ("\x00Q", "pagedown")],
)
def test_keys(typed: str, key: str, windows: Msvcrt) -> None:
    windows.typed = list(typed)
    with keys.reading() as press:
        assert press(0.0) == key
        assert press(0.0) == ""


def test_ctrl_c_is_no_key(windows: Msvcrt) -> None:
    windows.typed = ["\x03"]
    with keys.reading() as press, pytest.raises(KeyboardInterrupt):
        press(0.0)


# --- the computer -------------------------------------------------------------------------------


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_how_the_computer_is(
    windows: Msvcrt, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert computer.processors() == 6
    assert computer.libc() == ""
    assert abs(computer.waking_clock() - time.time()) < 60
    assert recycling.resident_bytes() == 0
    monkeypatch.delattr(os, "getloadavg", raising=False)
    assert vitals.load_of_system() == vitals.UNKNOWN
    monkeypatch.delattr(os, "statvfs")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100, 60, 40))
    assert guard.disk_of(tmp_path) == (40, 100)


# --- programs -----------------------------------------------------------------------------------


def test_a_program_without_a_window_starts_anew(
    windows: Msvcrt, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[Any] = []
    monkeypatch.setattr(os, "execv", lambda *words: ran.append(words))
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    program.start_anew(["-m", "dc.worker"])
    assert ran == [(sys.executable, [sys.executable, "-m", "dc.worker"])]


async def opened(monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], dict[str, Any]]:
    found: list[Any] = []

    async def open_process(command: list[str], **options: Any) -> None:
        found.append((command, options))

    monkeypatch.setattr("trio.lowlevel.open_process", open_process)
    await executor._open(["python"], 5)
    command, options = found[0]
    return command, options


def test_an_executor_inherits_no_descriptors_there(
    windows: Msvcrt, monkeypatch: pytest.MonkeyPatch
) -> None:
    import trio

    command, options = trio.run(opened, monkeypatch)
    assert command == ["python"]
    assert set(options) == {"stdin", "stdout", "stderr"}


def test_what_an_executor_is_sent_waits_for_its_pipe_there(windows: Msvcrt) -> None:
    """Pipes there are no descriptors of this process: nothing of them is asked."""
    one = object.__new__(executor.Executor)
    assert not one.send_now(Halt(1, 0, 1, "cancelled", ""))


# --- services -----------------------------------------------------------------------------------


def test_who_is_an_administrator(windows: Msvcrt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "iterdir", lambda _: iter([Path("SAM")]))
    assert surroundings.is_administrator()

    def refuse(_: Path) -> None:
        raise PermissionError(errno.EACCES, "Access is denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert not surroundings.is_administrator()


def test_a_daemon_of_macos_is_who_used_sudo(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setenv("SUDO_USER", "ada")
    monkeypatch.setattr(Path, "expanduser", lambda self: tmp_path / str(self)[1:])
    found = surroundings.here()
    assert (found.user, found.home) == ("ada", tmp_path / "ada")
    assert found.state == tmp_path / "ada" / "Library" / "Application Support" / "dc"
    given: list[tuple[Any, ...]] = []
    monkeypatch.setattr(shutil, "chown", lambda *words: given.append(words))
    ours = surroundings.Around(
        "darwin", tmp_path, tmp_path / "state", run=lambda _: 0, say=str, ask=None,
        read=str, python="/python", needed=[], is_root=True, user="ada", root=tmp_path,
    )  # fmt: skip
    with pytest.raises(StartError, match="not whole"):
        install.take_code(["dc1-no"], ours)
    install._give(tmp_path / "join", ours)
    assert given == [(tmp_path / "join", "ada")]
