"""The smaller parts: libraries that are missing, tools, dates, what is kept."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imagemaker import arch, base, elf, host_tools, kept, places, root
from imagemaker.errors import ImageError

TRUE = shutil.which("true")


@pytest.mark.skipif(sys.platform != "linux" or not TRUE, reason="it reads programs of Linux")
def test_a_program_names_its_libraries(tmp_path: Path) -> None:
    assert TRUE is not None
    data = Path(TRUE).resolve().read_bytes()
    assert "libc.so.6" in elf.needed(data)
    (tmp_path / "true").write_bytes(data)
    assert elf.missing(tmp_path)["libc.so.6"] == ["true"]
    (tmp_path / "libc.so.6").write_text("")
    assert "libc.so.6" not in elf.missing(tmp_path)


@pytest.mark.parametrize("data", [b"", b"#!/bin/sh\n", b"\x7fELF\x01\x01" + bytes(90)])
def test_what_is_no_program_needs_nothing(data: bytes) -> None:
    assert elf.needed(data) == []


def test_missing_tools_are_named_with_their_packages_at_once() -> None:
    programs = host_tools.wanted(arch.ARM64, arch.AMD64.machine)
    assert host_tools.missing(programs, lambda _: True) == ""
    absent = {"xorriso", "mcopy", "mformat"}
    assert (
        host_tools.missing(programs, lambda name: name not in absent)
        == "mcopy, mformat, xorriso missing. Debian and Ubuntu: apt install mtools xorriso"
    )
    text = host_tools.missing(programs, lambda _: False)
    assert "gcc-aarch64-linux-gnu" in text
    assert "squashfs-tools" in text


@pytest.mark.parametrize(
    ("kind", "machine", "compiler", "strips"),
    [
        (arch.AMD64, "x86_64", "gcc", "binutils"),
        (arch.ARM64, "aarch64", "gcc", "binutils"),
        (arch.AMD64, "aarch64", "gcc-x86-64-linux-gnu", "binutils-x86-64-linux-gnu"),
        (arch.ARM64, "x86_64", "gcc-aarch64-linux-gnu", "binutils-aarch64-linux-gnu"),
    ],
)
def test_a_compiler_for_others_has_a_package_of_its_own(
    kind: arch.Arch, machine: str, compiler: str, strips: str
) -> None:
    found = host_tools.wanted(kind, machine)
    assert (found[kind.compilers[0]], found[kind.strips[0]]) == (compiler, strips)


def test_the_date_is_what_one_says() -> None:
    assert places.epoch({"SOURCE_DATE_EPOCH": "1764000000"}) == 1_764_000_000
    assert places.epoch({}) >= places.EARLIEST
    with pytest.raises(ImageError, match="Unix seconds"):
        places.epoch({"SOURCE_DATE_EPOCH": "yesterday"})


def test_the_version_is_the_packages() -> None:
    assert f'__version__ = "{places.version()}"' in (places.TREE / "dc/__init__.py").read_text()


def test_what_was_made_is_kept_until_it_is_made_of_something_else(tmp_path: Path) -> None:
    made = []

    def make(folder: Path) -> None:
        folder.mkdir()
        made.append(folder)

    first = kept.kept(tmp_path, "part", "a", make)
    assert kept.kept(tmp_path, "part", "a", make) == first
    assert len(made) == 1
    kept.kept(tmp_path, "other", "a", make)
    second = kept.kept(tmp_path, "part", "b", make)
    assert second.is_dir()
    assert not first.exists()
    assert (tmp_path / "other-a").is_dir()


def test_what_fails_is_not_kept(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        folder.mkdir()
        raise ImageError("no")

    with pytest.raises(ImageError):
        kept.kept(tmp_path, "part", "a", fail)
    assert kept.kept(tmp_path, "part", "a", Path.mkdir).is_dir()


@given(st.lists(st.binary()), st.lists(st.binary()))
def test_a_key_tells_its_parts_apart(first: list[bytes], second: list[bytes]) -> None:
    assert (kept.key(*first) == kept.key(*second)) == (first == second)


@pytest.mark.parametrize(
    ("path", "is_wanted"),
    [
        ("trio/_core/_run.py", True),
        ("trio/_core/_tests/test_run.py", False),
        ("msgspec/_core.cpython-311-x86_64-linux-gnu.so", True),
        ("msgspec/__init__.pyi", False),
        ("cffi/api.py", False),
        ("_cffi_backend.cpython-311-x86_64-linux-gnu.so", True),
        ("trio-0.35.0.dist-info/METADATA", True),
        ("trio-0.35.0.dist-info/licenses/LICENSE", True),
        ("trio-0.35.0.dist-info/RECORD", False),
    ],
)
def test_of_a_package_only_what_is_of_use_is_taken(path: str, is_wanted: bool) -> None:
    assert base.is_wanted(PurePosixPath(path)) == is_wanted


def test_modes_do_not_depend_on_who_builds(tmp_path: Path) -> None:
    for name in root.FOLDERS:
        (tmp_path / name).mkdir(parents=True, mode=0o700)
    (tmp_path / "etc/secret").write_text("")
    (tmp_path / "etc/secret").chmod(0o600)
    (tmp_path / "etc/program").write_text("")
    (tmp_path / "etc/program").chmod(0o710)
    root.set_modes(tmp_path)
    modes = {one: (tmp_path / one).stat().st_mode & 0o7777 for one in ("etc/secret", "etc/program")}
    assert modes == {"etc/secret": 0o644, "etc/program": 0o755}
    assert (tmp_path / "tmp").stat().st_mode & 0o7777 == 0o1777
    assert (tmp_path / "root").stat().st_mode & 0o7777 == 0o700
    assert (tmp_path / "var").stat().st_mode & 0o7777 == 0o755
