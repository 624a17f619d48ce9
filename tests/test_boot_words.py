"""Words for a computer that boots from the image: what may be said, and that it comes back."""

from __future__ import annotations

from pathlib import Path
from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dc
from dc import boot_words, limits_image
from dc.boot_words import MAGIC, NAMES, area, checked, kernel_line, read_area
from dc.errors import OptionsError
from dc.invites import Invite
from dc.worker.appliance_words import WORDS, of_file, of_kernel_line

CODE = Invite(b"0123456789", bytes(16), [("192.0.2.7", 8220), ("desk.lab", 1)]).text

GOOD = [
    ("invite", CODE),
    ("server", "desk.lab:8220"),
    ("server", "https://[2001:db8::1]:8220"),
    ("slots", "2"),
    ("slots", "10000"),
    ("name", "attic-1.lab"),
    ("label", "room=upper floor"),
    ("label", "a=b=c"),
    ("label", "a="),
    ("ip", "192.168.1.50/24"),
    ("ip", "192.168.1.50/24@eth0"),
    ("gw", "192.168.1.1"),
    ("dns", "192.168.1.1,2001:db8::1"),
    ("shell", "1"),
    ("trust-network", "1"),
]

BAD = [
    ("invite", "dc1-"), ("invite", CODE[:-1]), ("invite", "x"), ("server", "a b"),
    ("server", "ftp://a"), ("server", ""), ("server", "a:b"), ("slots", "0"), ("slots", "10001"),
    ("slots", "-1"), ("slots", "²"), ("slots", "1.5"), ("name", "a b"), ("name", "-a"),
    ("name", "a" * 64), ("name", "é"), ("label", "room"), ("label", "=x"), ("label", " =x"),
    ("label", "a=" + "x" * 1000), ("ip", "192.168.1.50"), ("ip", "192.168.1.50/33"),
    ("ip", "192.168.1.50/24@"), ("ip", "192.168.1.50/24@a b"), ("ip", "x/24"), ("gw", "x"),
    ("gw", "1.1.1.1,1.1.1.2"), ("dns", "1.1.1.1,,"), ("dns", ""), ("shell", "yes"), ("shell", ""),
    ("odd", "1"), ("", ""), ("label", "a=b\ndc.shell=1"), ("label", "a=b\rc"), ("label", "a=b\0"),
    ("label", "a=b\u2028c"), ("label", "a=\x85"), ("name", "a\n"),
]  # fmt: skip


@pytest.mark.parametrize("word", GOOD)
def test_what_may_be_said_comes_back(word: boot_words.Word) -> None:
    data = area([word])
    assert len(data) == limits_image.AREA_BYTES
    assert read_area(data) == [word]
    assert data.startswith(MAGIC)
    assert data.endswith(b"\n\n")


@pytest.mark.parametrize("word", BAD)
def test_what_may_not(word: boot_words.Word) -> None:
    with pytest.raises(OptionsError):
        checked([word])


def test_a_word_is_said_once_and_labels_are_not() -> None:
    with pytest.raises(OptionsError, match=r"dc\.slots is said twice"):
        area([("slots", "1"), ("slots", "1")])
    assert len(read_area(area([("label", "a=1"), ("label", "b=2")]))) == 2
    with pytest.raises(OptionsError, match="more than 64"):
        area([("label", "a=1")] * 65)


def test_what_does_not_fit_is_refused() -> None:
    many = [("label", f"a{number}={'x' * 250}") for number in range(17)]
    with pytest.raises(OptionsError, match="4,096 fit"):
        area(many)
    with pytest.raises(OptionsError, match="1,900"):
        kernel_line(many)


def test_a_code_is_written_as_it_is_read() -> None:
    spread = f" {CODE[:20].upper()} {CODE[20:]} "
    assert checked([("invite", spread)]) == [("invite", CODE)]


@pytest.mark.parametrize(
    "data",
    [b"", MAGIC, area([])[:-1], area([]) + b"\n", b"x" + area([])[1:], MAGIC.ljust(4096, b"\0"),
     MAGIC.ljust(4096, b"\xff"), MAGIC.ljust(4096, b"x")],
)  # fmt: skip
def test_what_is_no_configuration(data: bytes) -> None:
    with pytest.raises(OptionsError):
        read_area(data)


def test_one_that_was_written_by_hand_is_read() -> None:
    text = b"\r\n# a note\r\ndc.slots = 2\r\nnonsense\r\n dc.shell=1\r\ndc.odd\r\n"
    data = (MAGIC + text).ljust(4096, b"\n")
    assert read_area(data) == [("slots", "2"), ("shell", "1"), ("odd", "")]
    assert of_file(data).words == [("slots", "2"), ("shell", "1")]  # the computer reads the same


def test_who_writes_and_who_reads_know_the_same_words() -> None:
    assert set(NAMES) == WORDS


TEXT = st.text(ascii_letters + digits + '=.:/@,-_ #|&$"\\\n\r\0é€', max_size=40)


@given(st.lists(st.tuples(st.sampled_from([*NAMES, "odd"]), TEXT), max_size=5))
def test_whatever_is_said_is_taken_as_it_is_or_refused(words: list[boot_words.Word]) -> None:
    try:
        found = checked(words)
        assert read_area(area(words)) == found
        line = kernel_line(words)
    except OptionsError:
        return
    assert line.isascii()
    assert line.isprintable()
    assert "$" not in line
    assert not {"||", "&&", "#"} & {part[:2] for part in line.split(" ")}
    for said in (of_file(area(words)), of_kernel_line(f"quiet {line} panic=30".encode())):
        assert (said.words, said.remarks) == (found, [])
    assert as_the_kernel_reads(line) == [f"dc.{name}={text}" for name, text in found]


def as_the_kernel_reads(line: str) -> list[str]:
    """Return the words of a kernel's line: quotes hold a word together, as next_arg() has it."""
    words, quoted = [""], False
    for letter in line:
        quoted ^= letter == '"'
        if letter == " " and not quoted:
            words.append("")
        elif letter != '"':
            words[-1] += letter
    return [word for word in words if word]


def test_the_first_line_is_in_no_file_of_the_package() -> None:
    """The image has the package in it, and its configuration is found by that line."""
    for path in Path(dc.__file__).parent.rglob("*.py*"):
        assert MAGIC.strip() not in path.read_bytes(), path
