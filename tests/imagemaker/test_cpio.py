"""Archives for the kernel: read back by the cpio program, and the same whatever the order is."""

from __future__ import annotations

import random
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imagemaker import cpio

from tests.imagemaker.reading import entries
from tests.rootfs.fake_root import busybox

NAMES = st.text("abcdefghij-_.", min_size=1, max_size=8).filter(lambda one: one not in {".", ".."})
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
EPOCH = 1_764_000_000


def without_conflicts(paths: list[str]) -> list[str]:
    """Return those that are not folders of another one."""
    return [one for one in paths if not any(other.startswith(f"{one}/") for other in paths)]


@given(st.dictionaries(PATHS, st.binary(max_size=50), max_size=8), st.randoms())
def test_files_come_back_as_they_were(files: dict[str, bytes], chance: random.Random) -> None:
    names = without_conflicts(list(files))
    given_in = [cpio.file(name, files[name]) for name in names]
    archive = cpio.archive(given_in, EPOCH)
    found = entries(archive)
    assert {name: found[name].data for name in names} == {name: files[name] for name in names}
    assert {one.mtime for name, one in found.items() if name != cpio.END} <= {EPOCH}
    assert len(archive) % cpio.BLOCK == 0
    chance.shuffle(given_in)
    assert cpio.archive(given_in, EPOCH) == archive


@given(st.lists(PATHS, max_size=6, unique=True))
def test_folders_come_before_what_is_in_them(paths: list[str]) -> None:
    names = without_conflicts(paths)
    order = list(entries(cpio.archive([cpio.file(name, b"") for name in names], EPOCH)))
    for name in names:
        for above in Path(name).parents:
            if str(above) != ".":
                assert order.index(str(above)) < order.index(name)


def test_each_kind_has_its_mode() -> None:
    found = entries(
        cpio.archive(
            [
                cpio.folder("proc", 0o555),
                cpio.link("bin/sh", "busybox"),
                cpio.device("dev/console", 5, 1),
                cpio.file("init", b"#!", 0o755),
            ],
            EPOCH,
        )
    )
    assert found["proc"].mode == stat.S_IFDIR | 0o555
    assert (found["bin/sh"].mode, found["bin/sh"].data) == (stat.S_IFLNK | 0o777, b"busybox")
    assert (found["dev/console"].mode, found["dev/console"].device) == (
        stat.S_IFCHR | 0o600,
        (5, 1),
    )
    assert found["init"].mode == stat.S_IFREG | 0o755
    assert {(one.uid, one.gid) for one in found.values()} == {(0, 0)}


def test_the_program_reads_it() -> None:
    archive = cpio.archive([cpio.file("etc/dc/built", b"1\n"), cpio.folder("tmp")], EPOCH)
    done = subprocess.run([busybox(), "cpio", "-t"], input=archive, capture_output=True, check=True)
    assert done.stdout.decode().split() == ["etc", "etc/dc", "etc/dc/built", "tmp"]


@pytest.mark.parametrize("name", ["", "/init", "a//b", "../a", "a/.", "a\0b", cpio.END])
def test_odd_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        cpio.archive([cpio.file(name, b"")], EPOCH)


def test_a_name_is_there_once_and_a_file_has_nothing_in_it() -> None:
    with pytest.raises(ValueError, match="twice"):
        cpio.archive([cpio.file("a", b""), cpio.file("a", b"")], EPOCH)
    with pytest.raises(ValueError, match="no folder"):
        cpio.archive([cpio.file("a", b""), cpio.file("a/b", b"")], EPOCH)
