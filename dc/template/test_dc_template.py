"""The plugin's test: no server and no worker, but payloads and results go through real bytes."""

import re
from collections import Counter
from pathlib import Path

import pytest
from dc_template import ENDINGS, wordcount

import dc
import dc.testing

HERE = Path(__file__).parent


def test_one_text() -> None:
    assert dc.testing.run(wordcount, "One two, TWO.") == {"one": 1, "two": 2}


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one two")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "b.md").write_text("two three two")
    (tmp_path / "picture.png").write_bytes(b"one")
    (tmp_path / "folder.txt").mkdir()
    assert list(dc.testing.run_all(wordcount, str(tmp_path)).items()) == [
        ("two", 3),
        ("one", 1),
        ("three", 1),
    ]


def test_single_files(tmp_path: Path) -> None:
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_text("a b")
    two.write_text("b")
    assert dc.testing.run_all(wordcount, str(one), str(two)) == {"b": 2, "a": 1}


def test_real_files_against_a_plain_count() -> None:
    files = [path for path in HERE.rglob("*") if path.suffix in ENDINGS]
    words = [re.findall(r"\w+", path.read_text("utf-8").lower()) for path in files]
    table = dc.testing.run_all(wordcount, str(HERE))
    assert table == Counter(word for some in words for word in some)
    assert list(table.values()) == sorted(table.values(), reverse=True)


def test_what_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9 caf\xe9")
    assert dc.testing.run_all(wordcount, str(tmp_path)) == {"caf": 2}
    with pytest.raises(dc.PayloadError, match="payload of wordcount must be str"):
        dc.testing.run(wordcount, 3)


def test_in_a_real_executor() -> None:
    assert dc.testing.run_in_executor(HERE, "wordcount", ["a b a"]) == [{"a": 2, "b": 1}]


def test_on_a_server_with_a_worker() -> None:
    assert dc.testing.run_in_cluster(HERE, "wordcount", ["a b a"]) == [{"a": 2, "b": 1}]
