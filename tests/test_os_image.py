"""The configuration in an image: found, read, written in place, and nothing else touched."""

from __future__ import annotations

import io
import os
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dc import boot_words, limits_image, os_image
from dc.boot_words import MAGIC
from dc.errors import OptionsError, StartError
from tests.server.images import BEFORE, BEHIND, ISO, words_in

AREA = boot_words.area([("slots", "2")])
NO = Path(__file__)


def image(folder: Path, data: bytes = ISO) -> Path:
    path = folder / "worker.iso"
    path.write_bytes(data)
    return path


def volume(blocks: int) -> bytes:
    """Return the beginning of an ISO that says how large it is."""
    head = bytearray(17 * 2048)
    head[16 * 2048 : 16 * 2048 + 6] = b"\x01CD001"
    struct.pack_into("<I", head, 16 * 2048 + 80, blocks)
    return bytes(head)


def test_a_configuration_is_written_in_place(tmp_path: Path) -> None:
    path = image(tmp_path)
    number = path.stat().st_ino
    os_image.configure(path, [("slots", "3"), ("label", "a=b c")])
    assert words_in(path.read_bytes()) == {"slots": "3", "label": "a=b c"}
    assert os_image.show(path) == [("slots", "3"), ("label", "a=b c")]
    os_image.configure(path, [])
    assert path.read_bytes() == ISO
    assert path.stat().st_ino == number


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "is it an image of dc"),
        (b"x" * 100_000, "is it an image of dc"),
        (BEFORE + AREA + BEHIND + AREA, "2 configurations are in it"),
        (BEFORE + AREA[:-1], "no whole configuration"),
        (BEFORE + MAGIC.ljust(4096, b"\0") + BEHIND, "damaged"),
        (BEFORE + MAGIC[:-1], "is it an image of dc"),
    ],
)
def test_what_is_no_image_stays_as_it_is(tmp_path: Path, data: bytes, text: str) -> None:
    path = image(tmp_path, data)
    for act in (lambda: os_image.show(path), lambda: os_image.configure(path, [("slots", "1")])):
        with pytest.raises(StartError, match=text) as caught:
            act()
        assert str(path) in str(caught.value)
    assert path.read_bytes() == data


def test_what_does_not_fit_changes_nothing(tmp_path: Path) -> None:
    path = image(tmp_path)
    with pytest.raises(OptionsError):
        os_image.configure(path, [("slots", "x")])
    assert path.read_bytes() == ISO


def test_behind_the_image_a_stick_may_have_what_was_there_before(tmp_path: Path) -> None:
    inside = volume(40) + b"\0" * 2048 + AREA
    path = image(tmp_path, inside.ljust(40 * 2048, b"\0") + b"old" + boot_words.area([]) * 2)
    assert os_image.show(path) == [("slots", "2")]
    path = image(tmp_path, volume(17) + AREA)
    with pytest.raises(StartError, match="is it an image of dc"):
        os_image.show(path)


@given(st.integers(0, 3000), st.integers(1, 300), st.integers(0, 200))
def test_it_is_found_across_pieces(before: int, piece: int, behind: int) -> None:
    data = b"#dc-image"[: before % 9] + b"\n" * before + AREA + b"#" * behind
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits_image, "PIECE_BYTES", piece)
        assert os_image.find(NO, io.BytesIO(data)) == data.index(MAGIC)
        with pytest.raises(StartError, match="2 configurations"):
            os_image.find(NO, io.BytesIO(data + AREA))
        patch.setattr(limits_image, "SEARCHED_BYTES", data.index(MAGIC) + len(MAGIC) - 1)
        with pytest.raises(StartError, match="is it an image"):
            os_image.find(NO, io.BytesIO(data))


@given(st.binary(max_size=300), st.integers(1, 64))
def test_whatever_is_in_a_file_it_is_found_or_not(data: bytes, piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits_image, "PIECE_BYTES", piece)
        try:
            at = os_image.find(NO, io.BytesIO(data))
        except StartError:
            assert data.count(MAGIC) != 1
        else:
            assert data[at:].startswith(MAGIC)


def test_what_is_not_there_or_a_folder(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="no such file or device"):
        os_image.show(tmp_path / "worker.iso")
    with pytest.raises(StartError, match=r"is a folder: give the image in it, as .*worker\.iso"):
        os_image.show(tmp_path)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write all")
def test_one_that_may_not_be_written(tmp_path: Path) -> None:
    path = image(tmp_path)
    path.chmod(0o400)
    with pytest.raises(StartError, match=r"no permission to write this file: chmod u\+w"):
        os_image.configure(path, [])
    path.chmod(0)
    with pytest.raises(StartError, match=r"no permission to read"):
        os_image.show(path)


@pytest.mark.parametrize(
    ("number", "device", "text"),
    [
        (13, True, "put sudo before the command"),
        (13, False, "chmod u+w"),
        (30, True, "is read-only"),
        (5, True, "Input/output error"),
    ],
)
def test_what_keeps_it_from_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, device: bool, text: str
) -> None:
    path, mounts = image(tmp_path), tmp_path / "mounts"
    mounts.write_text("")

    def fails(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "is_block_device", lambda _: device)
    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(StartError) as caught:
        os_image.configure(path, [], mounts)
    assert text in str(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts are looked at on Linux alone")
@pytest.mark.parametrize("part", ["", "1", "p12"])
def test_a_stick_that_is_mounted_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    path, mounts = image(tmp_path), tmp_path / "mounts"
    mounts.write_text(f"proc /proc proc rw 0 0\n{path}{part} /media/stick vfat rw 0 0\n")
    monkeypatch.setattr(Path, "is_block_device", lambda _: True)
    with pytest.raises(StartError, match=r"mounted at /media/stick: unmount it first \(umount"):
        os_image.configure(path, [], mounts)
    assert path.read_bytes() == ISO
    mounts.write_text(f"proc /proc proc rw 0 0\n{path}a1 /media/another vfat rw 0 0\n")
    os_image.configure(path, [("slots", "1")], mounts)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there are no devices")
def test_what_is_no_file_and_has_no_image_on_it() -> None:
    with pytest.raises(StartError, match="no image of dc is on it: write one to it first"):
        os_image.show(Path("/dev/zero"))
