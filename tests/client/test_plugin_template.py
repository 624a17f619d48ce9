"""`python -m dc plugins new`: what it makes works, and what it will not make it says."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

import dc.testing
from dc.cli.main import main
from dc.cli.plugin_template import TEMPLATE, make_plugin
from dc.errors import StartError
from dc.plugins import load_plugins

ROOT = Path(__file__).parent.parent.parent


def run(*arguments: object) -> int:
    return main(["plugins", *map(str, arguments)])


def test_the_template_that_comes_with_dc_is_the_one_of_the_examples() -> None:
    # Where they differ: cp examples/template/* dc/template/
    for folder in (TEMPLATE, ROOT / "examples" / "template"):
        names = {one.name for one in folder.iterdir() if one.is_file()}
        assert names == {
            "README.md",
            "dc_template.py",
            "pyproject.toml",
            "test_dc_template.py",
        }
        for name in names:
            assert (TEMPLATE / name).read_text("utf-8") == (
                ROOT / "examples" / "template" / name
            ).read_text("utf-8")


def test_everything_has_the_new_name(tmp_path: Path) -> None:
    made = make_plugin("dc-big-words2", tmp_path / "plugin")
    assert made.type == "big_words2"
    assert sorted(made.files) == sorted(one.name for one in made.folder.iterdir())
    for path in made.folder.iterdir():
        text = path.name + path.read_text("utf-8")
        assert "template" not in text, path
        assert "wordcount" not in text, path
    project = tomllib.loads((made.folder / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["name"] == "dc-big-words2"
    assert project["entry-points"]["dc"] == {"big-words2": "dc_big_words2"}
    plugins = load_plugins([made.folder], entry_points=False)
    assert not plugins.broken
    assert dc.testing.run(plugins.get("big_words2"), "a a b") == {"a": 2, "b": 1}
    assert plugins.where("big_words2", "1") == "big-words2"


def test_what_is_said_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("new", "primes") == 0
    said = capsys.readouterr().out
    assert "submit primes" in said
    assert "cd primes && python -m pytest" in said  # which tests/system/test_authors_page.py does


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "there"
    folder.mkdir()  # an empty one will do
    assert run("--json", "new", "primes", folder) == 0
    assert json.loads(capsys.readouterr().out) == {
        "folder": str(folder),
        "type": "primes",
        "files": ["README.md", "dc_primes.py", "pyproject.toml", "test_dc_primes.py"],
    }


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "../x", "a/b", "a\\b", "/x", "C:x", "x.py", "-x", "_x", "x-", "a--b"),
        *(
            "Primes",
            "größe",
            "\uff50rimes",
            "пример",
            "1st",
            "a b",
            "a\n",
            "\0",
            "x" * 61,
            "dc-",
            "dc_",
        ),
    ],
)
def test_names_that_are_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(StartError, match="no name for a plugin"):
        make_plugin(name, tmp_path / "new")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("class", "a word of Python"),
        ("match", "a word of Python"),
        ("list", "a word of Python"),
        ("dc-print", "a word of Python"),
        ("re", "a word of the template's code"),
        ("total", "a word of the template's code"),
        ("texts-of", "a word of the template's code"),
        ("words", "a word of the template's code"),
        ("test", "pytest would take"),
        ("testing-it", "pytest would take"),
    ],
)
def test_names_that_mean_something_else(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(StartError, match=why):
        make_plugin(name, tmp_path / "new")
    assert not list(tmp_path.iterdir())


def test_a_folder_with_something_in_it_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").write_text("precious")
    assert run("new", "primes", tmp_path) == 2
    assert run("new", "primes", tmp_path / "mine") == 2
    assert run("new", "primes", tmp_path / "none" / "primes") == 2
    said = capsys.readouterr().err
    assert said.count("is there already") == 2
    assert "cannot be made: No such file or directory" in said
    assert [one.name for one in tmp_path.iterdir()] == ["mine"]
    assert (tmp_path / "mine").read_text() == "precious"


def test_nothing_is_left_when_it_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Path.write_text

    def write_text(path: Path, *arguments: str) -> int:
        if path.name.startswith("test_"):
            raise OSError(28, "No space left on device")
        return whole(path, *arguments)

    monkeypatch.setattr(Path, "write_text", write_text)
    with pytest.raises(StartError, match="cannot be made: No space left"):
        make_plugin("primes", tmp_path / "new")
    assert not list(tmp_path.iterdir())
