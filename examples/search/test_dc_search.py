"""The example with a large input: what it finds, against plain Python."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from dc_search import SHOWN, occurrences

import dc
from dc.inputs import Input

TEXT = b"one two\nthree one\n" * 1000


def run(pattern: str, folder: Path, text: bytes | None = TEXT) -> tuple[int, list[int]]:
    context = dc.Context(1, 0, 1, folder / "scratch")
    if text is not None:
        (folder / "text").write_bytes(text)
        context.inputs = {"text": Input(folder / "text", len(text))}
    data = occurrences.run(occurrences.encode_payload(pattern), context)
    count, first = occurrences.decode_result(data)
    return count, first


@pytest.mark.parametrize("pattern", ["one", "t[a-z]+", "^three", "(?m)^three", "four", "\n"])
def test_what_is_found(pattern: str, tmp_path: Path) -> None:
    places = [found.start() for found in re.finditer(pattern.encode(), TEXT)]
    assert run(pattern, tmp_path) == (len(places), places[:SHOWN])


def test_no_text_and_no_pattern(tmp_path: Path) -> None:
    assert run("one", tmp_path, b"") == (0, [])
    with pytest.raises(dc.PayloadError, match=r"'\(' is no regular expression"):
        run("(", tmp_path)
    with pytest.raises(dc.PayloadError, match="the job has no input `text`"):
        run("one", tmp_path, None)
