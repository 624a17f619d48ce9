"""What the user of tasks finds in a worker's folders."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from dc.errors import StartError
from dc.task_user import TaskUser
from dc.worker import __main__ as program
from dc.worker import task_place
from dc.worker.folder import WorkerFolder, open_folder
from dc.worker.keeping import write_file
from dc.worker.task_place import anew, import_nothing_from_here, share

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


IMPORTS = """
import sys
from dc.worker import task_place
before = list(sys.path)
if "given" in sys.argv:
    task_place.import_nothing_from_here()
assert sys.path in (before, before[1:])
try:
    import planted
except ImportError:
    print("not there")
"""


@pytest.mark.parametrize("how", ["-m", "-c"])
def test_nothing_is_imported_from_where_the_worker_was_started(tmp_path: Path, how: str) -> None:
    """Else a task could put a module there, and root would run it."""
    (tmp_path / "planted.py").write_text("print('ran')")
    (tmp_path / "starts.py").write_text(IMPORTS)
    command = [sys.executable, how, "starts" if how == "-m" else IMPORTS]
    path = str(Path(program.__file__).parent.parent.parent)
    env = {**os.environ, "PYTHONPATH": path}

    def said(*words: str) -> str:
        run = subprocess.run(
            [*command, *words], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
        )
        return run.stdout

    assert said() == "ran\n"
    assert said("given") == "not there\n"


def test_only_the_folder_of_the_start_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in ([], ["/elsewhere", str(tmp_path)]):
        monkeypatch.setattr(sys, "path", path.copy())
        import_nothing_from_here()
        assert sys.path == path
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(tmp_path)])
    import_nothing_from_here()
    assert sys.path == [str(tmp_path)], "as the environment has named it as well"


async def test_a_worker_with_such_a_user_leaves_it_out_before_anything_else(
    tmp_path: Path, me: TaskUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[bool] = []
    monkeypatch.setattr(task_place, "import_nothing_from_here", lambda: called.append(True))
    (tmp_path / "file").touch()
    alone = program.parse(["--data", str(tmp_path / "file")])
    for user, seen in ((None, []), (me, [True])):
        with pytest.raises((StartError, OSError)):
            await program.work(replace(alone, task_user=user), program.Ended())
        assert called == seen


def test_it_is_started_anew_without_that_folder() -> None:
    words = ["-m", "dc.worker", "URL"]
    added = [] if sys.flags.safe_path else ["-P"]
    assert anew(words) == [*added, *words]
