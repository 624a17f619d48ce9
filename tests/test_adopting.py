"""Files of executors of another user: theirs are taken over, and nothing else is."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from dc.adopting import Adopting
from dc.errors import ProtocolError
from dc.messages_parts import Failure
from dc.messages_worker import Progress
from dc.pipe import InFile, Ran, Saved
from dc.task_user import TaskUser

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it has no such users")

DIGEST = bytes(32)


class Places:
    """The folders of a worker's process, as they are for tasks of this user."""

    def __init__(self, folder: Path) -> None:
        self.tasks, self.taken = folder / "tasks", folder / "taken"
        self.mine = self.tasks / "executor-0-1"
        self.mine.mkdir(parents=True)
        self.taken.mkdir()
        self.secret = folder / "secret"
        self.secret.write_bytes(b"secret")
        self.user = TaskUser("me", os.getuid(), os.getgid())
        self.adopting = Adopting(self.user, self.tasks, self.taken)

    def file(self, name: str = "result-1-2-3") -> InFile:
        """Return a file as an executor leaves it."""
        path = self.mine / name
        path.write_bytes(b"result")
        return InFile(str(path), 6, DIGEST)

    def save(self, file: InFile) -> InFile:
        """Return a file of a checkpoint as it is after it was taken."""
        message = self.adopting.take(Saved(1, 2, 3, file))
        assert isinstance(message, Saved)
        assert isinstance(message.data, InFile)
        return message.data

    def is_refused(self, file: InFile, text: str) -> None:
        """See that a file is not taken."""
        with pytest.raises(ProtocolError, match=text):
            self.save(file)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def test_files_of_outcomes_are_moved(places: Places) -> None:
    failure = Failure("error", "oh", "")
    file = places.file()
    ran = Ran(1, [2, 3, 4], [1, 1, 1], [0.1] * 3, [b"small", file, failure])
    taken = places.adopting.take(ran)
    assert isinstance(taken, Ran)
    to = places.taken / "1-result-1-2-3"
    assert taken == replace(ran, outcomes=[b"small", InFile(str(to), 6, DIGEST), failure])
    assert to.read_bytes() == b"result"
    assert not Path(file.path).exists()


def test_names_that_come_again_are_other_files(places: Places) -> None:
    first, second = places.save(places.file()), places.save(places.file())
    assert first.path != second.path
    assert Path(first.path).read_bytes() == Path(second.path).read_bytes() == b"result"


def test_other_messages_stay_as_they_are(places: Places) -> None:
    for message in (
        Saved(1, 2, 3, b"small"),
        Ran(1, [2], [1], [0.1], [b"small"]),
        Progress(1, 2, 3, 0.5, ""),
    ):
        assert places.adopting.take(message) is message


def test_files_elsewhere_are_none_of_a_task(places: Places) -> None:
    size = len(places.secret.read_bytes())
    for path in (
        *(str(places.secret), f"{places.tasks}/../secret", f"{places.mine}/../../secret"),
        *(str(places.tasks), str(places.mine / "none"), f"{places.mine}/a\0b", "secret", ""),
    ):
        places.is_refused(InFile(path, size), "none of its own")
    assert places.secret.read_bytes() == b"secret"


def test_links_are_not_followed(places: Places) -> None:
    link = places.mine / "link"
    link.symlink_to(places.secret)
    places.is_refused(InFile(str(link), 6), "not what it says")
    away = places.tasks / "away"
    away.symlink_to(places.secret.parent)
    places.is_refused(InFile(str(away / "secret"), 6), "none of its own")
    assert places.secret.read_bytes() == b"secret"
    assert list(places.taken.iterdir()) == []


def test_a_file_with_two_names_is_not_taken(places: Places) -> None:
    os.link(places.secret, places.mine / "second")
    places.is_refused(InFile(str(places.mine / "second"), 6), "not what it says")
    assert places.secret.read_bytes() == b"secret"


def test_a_file_of_somebody_else_is_not_taken(places: Places) -> None:
    file = places.file()
    other = TaskUser("other", os.getuid() + 1, os.getgid())
    with pytest.raises(ProtocolError, match="not what it says"):
        Adopting(other, places.tasks, places.taken).take(Saved(1, 2, 3, file))
    places.is_refused(replace(places.file(), size=7), "not what it says")
    assert list(places.taken.iterdir()) == []
