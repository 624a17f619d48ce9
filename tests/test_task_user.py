"""The user that tasks run as: who can be it, and where it can get to."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from dc.errors import StartError
from dc.task_user import HIGHEST, TaskUser, find_user, of_ids

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it has no such users")

STRANGER = TaskUser("stranger", HIGHEST - 7, HIGHEST - 7)


def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def test_only_root_becomes_another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(StartError, match="--task-user nobody: only root can become another user"):
        find_user("nobody")


@pytest.mark.parametrize("name", ["root", "0"])
def test_root_is_no_other_user(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    as_root(monkeypatch)
    with pytest.raises(StartError, match="that is root itself"):
        find_user(name)


@pytest.mark.parametrize("name", ["no such user", "", "-5", "1.0", str(HIGHEST + 1), "\0", "²"])
def test_who_is_not_there(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    as_root(monkeypatch)
    with pytest.raises(StartError, match="this computer has no such user"):
        find_user(name)


def test_by_name_and_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    as_root(monkeypatch)
    nobody = find_user("nobody")
    assert nobody == find_user(str(nobody.uid))
    assert nobody.home
    assert find_user(str(HIGHEST - 7)) == TaskUser(str(HIGHEST - 7), HIGHEST - 7, HIGHEST - 7)


def test_an_executor_is_told_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    as_root(monkeypatch)
    nobody = find_user("nobody")
    assert of_ids(nobody.ids) == nobody
    assert of_ids(f"{nobody.uid}:7") == TaskUser("nobody", nobody.uid, 7, nobody.home)
    assert of_ids("4294967000:5") == TaskUser("4294967000", 4294967000, 5)
    with pytest.raises(ValueError, match="invalid literal"):
        of_ids("nobody")


@pytest.fixture
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in folders that all may enter, but for those that pytest has made above."""
    file = tmp_path_factory.mktemp("a") / "b" / "file"
    file.parent.mkdir(mode=0o755)
    file.touch(mode=0o644)
    return file


def barred(user: TaskUser, path: Path) -> list[str]:
    """Return what bars the way, below the folder of the test."""
    found = []
    while (one := user.cannot_enter([path])) is not None:
        found.append(one.name)
        one.chmod(one.stat().st_mode | 0o055)
    return found


def test_each_step_of_the_way_has_to_be_open(there: Path) -> None:
    assert "b" not in barred(STRANGER, there), "what pytest keeps shut is open now"
    for path, mode, name in (
        (there, 0o600, "file"),
        (there.parent, 0o700, "b"),
        (there.parent, 0o744, "b"),
    ):
        path.chmod(mode)
        assert barred(STRANGER, there) == [name]


def test_the_bits_of_owner_and_group_count(there: Path) -> None:
    barred(STRANGER, there)
    status = there.stat()
    there.chmod(0o400)
    assert TaskUser("own", status.st_uid, 1).cannot_enter([there]) is None
    assert TaskUser("group", HIGHEST - 7, status.st_gid).cannot_enter([there]) == there
    there.chmod(0o040)
    assert TaskUser("group", HIGHEST - 7, status.st_gid).cannot_enter([there]) is None
    assert TaskUser("own", status.st_uid, status.st_gid).cannot_enter([there]) == there


def test_what_is_not_there_bars_nobody(there: Path) -> None:
    barred(STRANGER, there)
    assert STRANGER.cannot_enter([there.parent / "none" / "at all"]) is None


def test_a_link_is_where_it_leads(there: Path) -> None:
    barred(STRANGER, there)
    link = there.parent / "link"
    link.symlink_to(there)
    assert STRANGER.cannot_enter([link]) is None
    there.chmod(0o600)
    assert STRANGER.cannot_enter([link]) == there


def test_whose_a_folder_on_the_way_is_owns_what_is_in_it(there: Path) -> None:
    owner = TaskUser("own", there.stat().st_uid, 1)
    assert owner.owns([there]) is not None
    assert STRANGER.owns([there, there.parent / "none"]) is None
    link = there.parent / "link"
    link.symlink_to("/proc")
    assert owner.owns([link]) == link
