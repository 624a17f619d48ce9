"""docs/boot.md says what such a computer says, in its own words."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from imagemaker import grub

from dc.worker import appliance_words

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "boot.md").read_text("utf-8")
VARIABLE = re.compile(
    r"https?://\S+|[…:;]|dc\.\w+ in dc\.conf|\d[\d.:]+\b|\b[0-9a-f]{4}:[0-9a-f]{4}\b"
)
LEAST = 8  # letters: less than that is found anywhere


def said() -> list[str]:
    """Return what the table quotes, without what differs from computer to computer."""
    table = PAGE.partition("| it says | what to do |")[2].partition("\n\n")[0]
    rows = [row.split(" | ")[0] for row in table.splitlines()[2:]]
    quoted = [text for row in rows for text in re.findall(r"`([^`]+)`", row)]
    parts = (part.strip(" !") for text in quoted for part in VARIABLE.split(text))
    return sorted({part for part in parts if len(part) >= LEAST})


@cache
def sources() -> str:
    """Return all texts that reach the screen, with those that are split over lines put together."""
    places = [ROOT / "os" / "initramfs" / "init", *(ROOT / "os" / "rootfs").rglob("*")]
    python = [*(ROOT / "dc" / "worker").glob("*.py"), *(ROOT / "dc").glob("*.py")]
    python += (ROOT / "dc" / "server").glob("access_*.py")
    texts = [path.read_text("utf-8") for path in [*places, *python] if path.is_file()]
    joined = re.sub(r'"\s*f?"', "", "\n".join([*texts, grub.finder("/mark")]))
    return re.sub(r"\s+", " ", joined)


def test_the_table_quotes_much() -> None:
    assert len(said()) > 15


@pytest.mark.parametrize("text", said())
def test_what_the_table_quotes_is_said(text: str) -> None:
    assert text in sources()


def test_every_word_is_described() -> None:
    for word in appliance_words.WORDS:
        assert f"`dc.{word}=" in PAGE, word
