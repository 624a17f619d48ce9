"""The worker's folder: who is in it, who the worker is, and what is cleared away."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from dc.errors import StartError
from dc.journal import Journal
from dc.pipe import FileResult, InFile
from dc.worker.folder import open_folder, state_folder
from dc.worker.keeping import journal_path


def test_the_key_is_for_good_and_the_run_is_not(tmp_path: Path) -> None:
    with open_folder(tmp_path / "w") as one:
        key, run = one.key, one.run
        assert len(bytes.fromhex(key)) == 16
    with open_folder(tmp_path / "w") as one:
        assert one.key == key
        assert one.run != run
    (tmp_path / "w" / "key").write_bytes(b"\xff\0")
    with open_folder(tmp_path / "w") as one:
        assert one.key != key


def test_each_worker_takes_the_first_free_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with open_folder(None) as first:
        with open_folder(None) as second:
            assert first.path == state_folder() / "worker-1"
            assert second.path == state_folder() / "worker-2"
            assert first.key != second.key
        key = second.key
        with open_folder(None) as second:
            assert second.key == key
    with open_folder(None) as again:
        assert again.key == first.key


@pytest.mark.skipif(sys.platform == "win32", reason="it has other rights")
@pytest.mark.parametrize("apart", [False, True])
def test_what_is_made_is_for_this_user_alone(tmp_path: Path, apart: bool) -> None:
    before = os.umask(0)
    try:
        with open_folder(tmp_path / "data", tmp_path if apart else None) as folder:
            for one in (folder.path, folder.code, folder.scratch.parent):
                assert one.stat().st_mode & 0o777 == 0o700, one
    finally:
        os.umask(before)


def test_a_folder_in_use(tmp_path: Path) -> None:
    with (
        open_folder(tmp_path),
        pytest.raises(StartError, match=rf"in use by another worker \(pid {os.getpid()}\)"),
    ):
        open_folder(tmp_path)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for data, scratch in ((tmp_path / "file" / "w", None), (tmp_path / "w", tmp_path / "file")):
        with pytest.raises(StartError, match="by --data DIR"):
            open_folder(data, scratch)
    with open_folder(tmp_path / "w"):
        pass


@pytest.mark.parametrize("apart", [False, True])
def test_scratch_of_earlier_processes_is_removed(tmp_path: Path, apart: bool) -> None:
    scratch = tmp_path / "big" if apart else None
    one = open_folder(tmp_path / "w", scratch)
    inside = one.scratch / "executor-0-1"
    inside.mkdir()
    for name in ("payload", "result-1", "result-2"):
        (inside / name).write_bytes(b"x")
    book = Journal(journal_path(one.path, "a"))
    kept = inside / "result-2"
    book.keep_file(FileResult(1, 2, 1, 0.5, InFile(str(kept), 1, b"d" * 32)))
    book.close()
    one._lock.release()  # as a kill does: nothing is cleared away
    with open_folder(tmp_path / "w", scratch) as again:
        assert list(inside.iterdir()) == [kept]
        assert again.scratch.is_dir()
        assert again.scratch != one.scratch
    assert kept.exists()
    assert not again.scratch.exists()
