"""The two parts of the image: what is read first, and all else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from imagemaker import initrd, places
from imagemaker.arch import AMD64


def build(tmp_path: Path, compression: str = places.RELEASE) -> places.Build:
    return places.Build(AMD64, True, compression, 1_700_000_000, "1", tmp_path, tmp_path / "out")


def put(root: Path, name: str, size: int, mode: int = 0o644) -> str:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(bytes(size))
    (root / name).chmod(mode)
    return name


@pytest.mark.parametrize(
    ("compression", "block"), [(places.RELEASE, "1M"), (places.DEVELOPMENT, "128K")]
)
def test_small_files_that_are_read_first_are_moved_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: str, block: str
) -> None:
    calls: list[list[str]] = []

    def run(command: list[str | Path], *, folder: Path) -> None:
        calls.append([str(folder), *map(str, command)])

    monkeypatch.setattr(initrd, "run", run)
    to = tmp_path / "made"
    root = to / "root"
    late = put(root, "usr/lib/late.pyc", 10)
    first = put(root, "usr/lib/z/first.pyc", 10)
    large = put(root, "usr/bin/large", initrd.SMALL_BYTES + 1)
    second = put(root, "usr/lib/a.so", initrd.SMALL_BYTES, 0o755)
    (to / "start").mkdir(parents=True)
    put(to, "start/old.pyc", 1)
    umask = os.umask(0o077)
    try:
        made = initrd.squash(build(tmp_path, compression), root, [first, large, second], to)
    finally:
        os.umask(umask)
    assert made == [to / initrd.START, to / initrd.IMAGE]
    assert files(to / "start") == [second, first]
    assert files(root) == [large, late]
    lines = [f"start/{first} 0\n", f"start/{second} -1\n"]
    assert (to / "start.order").read_text() == "".join(lines)
    assert {path.stat().st_mode & 0o777 for path in folders(to / "start")} == {0o755}
    assert (to / "start" / second).stat().st_mode & 0o777 == 0o755
    start, rest = calls
    assert start[:4] == [str(to), "mksquashfs", "start", str(made[0])]
    assert start[-4:] == ["-b", initrd.START_BLOCK, "-sort", "start.order"]
    assert rest[:4] == [str(to), "mksquashfs", "root", str(made[1])]
    assert rest[-2:] == ["-b", block]
    assert all("1700000000" in one for one in calls)


def test_a_blank_in_the_path_is_no_trouble(tmp_path: Path) -> None:
    """By the real program, whose list of what comes first has names and figures in one line."""
    to = tmp_path / "of another name"
    names = [put(to / "root", f"usr/lib/{number}.pyc", number) for number in (3, 1, 2)]
    late = put(to / "root", "usr/lib/late.pyc", 10)
    made = initrd.squash(build(tmp_path, places.DEVELOPMENT), to / "root", names, to)
    listed = [subprocess.check_output(["unsquashfs", "-l", one], text=True) for one in made]
    assert all(name in listed[0] for name in names)
    assert late in listed[1]


def files(folder: Path) -> list[str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in found)


def folders(folder: Path) -> list[Path]:
    return [folder, *(path for path in folder.rglob("*") if path.is_dir())]
