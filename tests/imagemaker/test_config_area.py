"""The configuration area: 4096 bytes, found once, in an archive that the kernel reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imagemaker import config_area, cpio

WORDS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=60), max_size=9
).map(tuple)


def entries(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """Return the files of a newc archive: mode and content of each, and the trailer."""
    found = {}
    at = 0
    while True:
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * one : at + 14 + 8 * one], 16) for one in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = archive[at + 110 : at + 110 + name_size]
        assert name.endswith(b"\0")
        start = (at + 110 + name_size + 3) // 4 * 4
        found[name[:-1].decode()] = (mode, archive[start : start + size])
        if name == b"TRAILER!!!\0":
            assert not archive[start:].strip(b"\0")
            return found
        at = (start + size + 3) // 4 * 4


@given(WORDS)
def test_an_area_has_its_words_after_the_magic(words: tuple[str, ...]) -> None:
    made = config_area.area(words)
    assert len(made) == config_area.SIZE
    assert made.startswith(config_area.MAGIC)
    lines = made.decode().split("\n")
    assert tuple(lines[1 : 1 + len(words)]) == words
    assert not "".join(lines[1 + len(words) :])


@pytest.mark.parametrize("word", ["dc.name=a\ndc.shell=1", "dc.name=a\r", "dc.name=\0"])
def test_a_word_is_one_line(word: str) -> None:
    with pytest.raises(config_area.AreaError, match="line break"):
        config_area.area((word,))


def test_what_does_not_fit_is_refused() -> None:
    room = config_area.SIZE - len(config_area.MAGIC) - 1
    assert config_area.area(("x" * room,)).endswith(b"x\n")
    with pytest.raises(config_area.AreaError, match="4097 bytes, 4096 fit"):
        config_area.area(("x" * (room + 1),))


def test_the_archive_has_the_area_once_for_root_alone() -> None:
    area = config_area.area(("dc.server=192.168.1.5:8220",))
    archive = config_area.archive(area, 1_764_000_000)
    assert entries(archive) == {"dc.conf": (0o100600, area), "TRAILER!!!": (0, b"")}
    assert len(archive) % cpio.BLOCK == 0
    assert archive.count(config_area.MAGIC) == 1


def test_the_program_has_no_area_itself() -> None:
    assert config_area.MAGIC not in Path(config_area.__file__).read_bytes()
