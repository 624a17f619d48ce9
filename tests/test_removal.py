"""Folders that tasks have filled, with real files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dc.removal import clear_folder, remove_folder

DEPTH = 2100  # beyond what Python recurses, and what a path may have


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder


def dig(folder: Path, depth: int, name: str = "d") -> None:
    """Make folders in folders, as a task can: each from within the one above."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=here)
        inner = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


@pytest.mark.parametrize("name", ["d", "n" * 255])
def test_depth_is_no_matter(folder: Path, name: str) -> None:
    dig(folder, DEPTH if name == "d" else 60, name)
    remove_folder(folder)
    assert not folder.exists()


def test_what_may_not_be_written_to_is_opened(folder: Path) -> None:
    inner = folder / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "file").write_text("x")
    for one in (inner, inner.parent, folder):
        one.chmod(0o000)
    remove_folder(folder)
    assert not folder.exists()


def test_links_are_not_followed(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "file").write_text("x")
    (folder / "inner").mkdir()
    (folder / "inner" / "link").symlink_to(other)
    (folder / "link").symlink_to(other)
    clear_folder(folder)
    assert list(folder.iterdir()) == []
    link = tmp_path / "link"
    link.symlink_to(other)
    remove_folder(link)
    assert not link.is_symlink()
    assert (other / "file").read_text() == "x"


def test_what_becomes_a_link_meanwhile_is_not_followed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir(mode=0o755)
    (other / "file").write_text("x")
    (folder / "inner").symlink_to(other)
    monkeypatch.setattr(Path, "is_symlink", lambda _: False)  # as it was when it was looked at
    remove_folder(folder / "inner")
    assert (other / "file").read_text() == "x"
    assert other.stat().st_mode & 0o777 == 0o755


def test_what_is_kept_stays_where_it_is(folder: Path) -> None:
    kept = folder / "a" / "b" / "kept"
    kept.parent.mkdir(parents=True)
    kept.write_text("x")
    (kept.parent / "gone").write_text("x")
    (folder / "a" / "c").mkdir()
    (folder / "gone").write_text("x")
    remove_folder(folder, {kept})
    assert sorted(folder.rglob("*")) == [folder / "a", kept.parent, kept]


def test_what_is_not_there_is_no_matter(folder: Path) -> None:
    remove_folder(folder / "absent")
    clear_folder(folder / "absent")
