"""What the user of tasks finds in a worker's folders."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from dc.errors import StartError
from dc.task_user import TaskUser
from dc.worker import __main__ as program
from dc.worker.folder import WorkerFolder, open_folder
from dc.worker.keeping import write_file
from dc.worker.task_place import share

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it has no such users")


@pytest.fixture
def me() -> TaskUser:
    return TaskUser("me", os.getuid(), os.getgid())


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[WorkerFolder]:
    before = os.umask(0o077)
    try:
        with open_folder(tmp_path / "data") as folder:
            yield folder
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folders_are_entered_and_files_are_not_read(folder: WorkerFolder, me: TaskUser) -> None:
    secret = folder.path / "reports-1.journal"
    secret.touch(mode=0o666)
    (folder.path / "link").symlink_to("/etc/passwd")
    share(me, folder.path, folder.scratch, [folder.code], [])
    for one in (folder.path, folder.code, folder.scratch, folder.scratch.parent):
        assert mode(one) == 0o711, one
    assert [mode(one) for one in (secret, folder.path / "key")] == [0o600, 0o600]
    assert {one.name: mode(one) for one in folder.scratch.iterdir()} == {
        "tasks": 0o700,
        "former": 0o700,
        "taken": 0o700,
    }
    assert os.umask(0o022) == 0o022, "what is unpacked can be read"


def test_what_is_written_afterwards_is_the_workers_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_file(tmp_path / "server", "abc\n")
    finally:
        os.umask(before)
    assert mode(tmp_path / "server") == 0o600
    assert (tmp_path / "server").read_text() == "abc\n"


class Barred(TaskUser, frozen=True):
    """A user who cannot get at one path, and to whom nothing can be given: that takes root."""

    path: Path = Path()

    def give(self, *paths: Path) -> None:
        """Leave them as they are."""

    def cannot_enter(self, paths: Iterable[Path]) -> Path | None:
        """Return that path, if it is among these."""
        return self.path if self.path in list(paths) else None


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("scratch", r"--task-user me: that user cannot enter .*: give --data DIR below a folder"),
        ("code", r"cannot enter .*code: give --data DIR below a folder"),
        ("plugins", r"cannot read .*plugins: let all read the plugins"),
        ("python", r"where Python or dc is: install Python and dc where all may read them"),
    ],
)
def test_who_cannot_get_there_is_told(
    folder: WorkerFolder, tmp_path: Path, where: str, text: str
) -> None:
    plugins = tmp_path / "plugins"
    paths = {
        "scratch": folder.scratch,
        "code": folder.code,
        "plugins": plugins,
        "python": Path(sys.executable),
    }
    user = Barred("me", os.getuid(), os.getgid(), path=paths[where])
    with pytest.raises(StartError, match=text):
        share(user, folder.path, folder.scratch, [folder.code], [plugins])


class Owner(TaskUser, frozen=True):
    """A user whose one path is."""

    path: Path = Path()

    def owns(self, paths: Iterable[Path]) -> Path | None:
        """Return that path, if it is among these."""
        return self.path if self.path in list(paths) else None


@pytest.mark.parametrize("where", ["path", "scratch", "code"])
def test_a_folder_that_tasks_could_change_is_none(folder: WorkerFolder, where: str) -> None:
    own = getattr(folder, where)
    user = Owner("they", os.getuid() + 1, os.getgid(), path=own)
    before = mode(folder.path)
    with pytest.raises(StartError, match=rf"--task-user they: {own} is that user's own; tasks"):
        share(user, folder.path, folder.scratch, [folder.code], [])
    assert mode(folder.path) == before


def test_the_option_is_for_root(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit):
        program.parse(["--task-user", "nobody"])
    assert "only root can become another user" in capsys.readouterr().err
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    user = program.parse(["--task-user", "nobody"]).task_user
    assert user is not None
    assert user.name == "nobody"
    assert program.parse([]).task_user is None
