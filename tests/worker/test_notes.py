"""What a task tells of itself, in its executor."""

from __future__ import annotations

from pathlib import Path

import pytest

from dc import limits, limits_executor
from dc.messages_parts import Message
from dc.messages_worker import Progress
from dc.pipe import InFile, Saved
from dc.worker.notes import Desk, Notes

LARGE = b"x" * (limits.INLINE_BYTES + 1)
KEY = 1, 7, 2


class Told:
    """A desk, what it has sent, and the time."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.now = 0.0
        self.desk = Desk(self.sent.append, lambda: None, lambda: self.now)

    def notes(self, folder: Path) -> Notes:
        return self.desk.notes(KEY, folder)

    def later(self) -> None:
        self.now += limits_executor.CHECKPOINT_FILE_SECONDS
        self.desk.look()


def test_large_checkpoints_are_files(tmp_path: Path) -> None:
    told = Told()
    told.notes(tmp_path).save(LARGE)
    (saved,) = told.sent
    assert isinstance(saved, Saved)
    assert isinstance(saved.data, InFile)
    assert Path(saved.data.path).read_bytes() == LARGE


def test_task_learns_at_once_of_a_checkpoint_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        Told().notes(tmp_path / "file").save(LARGE)


def test_watcher_outlives_a_checkpoint_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = Told()
    notes = told.notes(tmp_path / "file")
    notes.save(b"small")
    notes.save(LARGE)
    told.later()
    with pytest.raises(OSError, match="file"):
        notes.save(b"next")
    notes.save(b"last")
    notes.progress(0.5, "")
    told.later()
    assert told.sent == [Saved(*KEY, b"small"), Progress(*KEY, 0.5, ""), Saved(*KEY, b"last")]


def test_failure_of_a_task_outlives_a_checkpoint_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = Told()
    notes = told.notes(tmp_path / "file")
    notes.save(b"small")
    notes.save(LARGE)
    told.desk.close(failed=True)
    assert told.sent == [Saved(*KEY, b"small")]
    assert not told.desk.is_open
