"""Plugins from archives: imported under names of their own, several versions side by side."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dc import plugin_shipped
from dc.errors import PluginError
from dc.plugin_manifest import MANIFEST, Entry
from dc.plugin_shipped import PREFIX, adopt, forget, sources_of
from dc.plugin_unpacked import carries
from dc.plugins import Plugins
from tests.archives import CODE, unpacked


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave the interpreter as it was."""
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.setattr(sys, "meta_path", sys.meta_path.copy())
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def plugins_of(folder: Path) -> Plugins:
    plugins = Plugins()
    for source in sources_of(folder):
        plugins.load(source)
    return plugins


def run(folder: Path, payload: Any, name: str = "shout") -> Any:
    plugins = plugins_of(folder)
    assert not plugins.broken
    task_type = plugins.get(name)
    return task_type.decode_result(task_type.run(task_type.encode_payload(payload)))


def test_two_versions_are_side_by_side(tmp_path: Path) -> None:
    old = unpacked(tmp_path)
    new = unpacked(tmp_path, {"code/shouting.py": CODE.replace("upper()", 'upper() + "!"')})
    before = {name for name in sys.modules if name.startswith(PREFIX)}
    for _ in range(2):
        assert run(old, "hi") == "HI"
        assert run(new, "hi") == "HI!"
    assert len({name for name in sys.modules if name.startswith(PREFIX)} - before) == 2
    assert "shouting" not in sys.modules


def test_the_names_are_the_same_everywhere(tmp_path: Path) -> None:
    """What is pickled by one process is found by another."""
    here, there = unpacked(tmp_path / "here"), unpacked(tmp_path / "there")
    before = {name for name in sys.modules if name.startswith(PREFIX)}
    run(here, "x")
    names = {name for name in sys.modules if name.startswith(PREFIX)} - before
    forget(here)
    assert not names & sys.modules.keys()
    run(there, "x")
    assert {name for name in sys.modules if name.startswith(PREFIX)} - before == names


PACKAGE = {
    "code/words/__init__.py": "from words.loud import loud as loud\n",
    "code/words/loud.py": (
        "import words\nfrom . import marks\nimport words.marks as again\n"
        "assert again is marks and words.marks is marks\n"
        "def loud(text):\n    import words.late\n"
        "    return words.late.upper(text) + marks.MARK\n"
    ),
    "code/words/marks.py": 'MARK = "!"\nclass Kept:\n    pass\n',
    "code/words/late.py": "upper = str.upper\n",
    "code/shouting.py": (
        "import json\nimport words\nfrom words import loud\nimport dc\n"
        '@dc.task_type(name="shout")\ndef shout(text: str) -> str:\n    return loud(text)\n'
    ),
}


def test_neighbours_are_imported_by_their_own_names(tmp_path: Path) -> None:
    assert run(unpacked(tmp_path, PACKAGE), "hi") == "HI!"
    other = {**PACKAGE, "code/words/marks.py": 'MARK = "?"\n'}
    assert run(unpacked(tmp_path, other), "hi") == "HI?"
    assert run(unpacked(tmp_path, PACKAGE), "hi") == "HI!"
    assert "words" not in sys.modules


def test_what_is_pickled_comes_back(tmp_path: Path) -> None:
    folder = unpacked(tmp_path, PACKAGE)
    run(folder, "x")
    marks = next(one for name, one in sys.modules.items() if name.endswith("_words.marks"))
    assert type(pickle.loads(pickle.dumps(marks.Kept()))) is marks.Kept


def test_a_module_with_the_name_of_another_gets_the_other(tmp_path: Path) -> None:
    """A plugin `random`, of the standard library; a plugin `msgspec`, which is installed."""
    for name in ("random", "msgspec"):
        code = CODE.replace("import dc", f"import {name}\nimport dc").replace(
            "text.upper()", f"{name}.__name__"
        )
        files: Mapping[str, str | bytes] = {f"code/{name}.py": code, "code/shouting.py": ""}
        folder = unpacked(tmp_path, files, plugins=[Entry(name, name)])
        assert run(folder, "x") == name


def test_a_folder_without_init_is_a_package(tmp_path: Path) -> None:
    files: Mapping[str, str | bytes] = {
        "code/bare/inner.py": "X = 5\n",
        "code/shouting.py": "from bare.inner import X\nimport dc\n"
        '@dc.task_type(name="shout")\ndef shout(text: str) -> int:\n    return X\n',
    }
    assert run(unpacked(tmp_path, files), "x") == 5


def test_an_attribute_of_a_module_in_a_package(tmp_path: Path) -> None:
    files: Mapping[str, str | bytes] = {
        "code/words/__init__.py": "",
        "code/words/tasks.py": CODE + "\nclass There:\n    here = shout\n",
    }
    entry = Entry("words", "words.tasks", "There.here")
    assert run(unpacked(tmp_path, files, plugins=[entry]), "x") == "X"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("import no_such_thing\n", "No module named 'no_such_thing'"),
        ("def f(:\n", "SyntaxError"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
    ],
)
def test_what_cannot_be_imported_is_broken(tmp_path: Path, code: str, text: str) -> None:
    plugins = plugins_of(unpacked(tmp_path, {"code/shouting.py": code}))
    assert text in plugins.broken["shouting"]
    assert not plugins.types


def test_a_module_that_is_not_in_it_is_broken(tmp_path: Path) -> None:
    plugins = plugins_of(unpacked(tmp_path, plugins=[Entry("a", "none"), Entry("b", "json")]))
    assert plugins.broken.keys() == {"a", "b"}


def test_what_is_no_unpacked_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="is gone"):
        sources_of(tmp_path / "none")
    with pytest.raises(PluginError, match="names none"):
        sources_of(unpacked(tmp_path, plugins=[]))
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(PluginError, match="cannot be read"):
        sources_of(tmp_path)


def test_forgotten_modules_are_gone(tmp_path: Path) -> None:
    old, new = unpacked(tmp_path, PACKAGE), unpacked(tmp_path)
    run(old, "x")
    finders = len(sys.meta_path)
    run(old, "x")
    assert len(sys.meta_path) == finders
    run(new, "x")
    forget(old)
    assert len(sys.meta_path) == finders
    assert [name for name in sys.modules if name.startswith(PREFIX)] != []
    assert not any("words" in name for name in sys.modules if name.startswith(PREFIX))
    assert run(old, "x") == "X!"


# --- dependencies -------------------------------------------------------------------------------


DEPENDENT = {
    "code/shouting.py": CODE.replace("import dc", "import dc\nimport loudness").replace(
        "text.upper()", "loudness.loud(text)"
    ),
    "deps/loudness/__init__.py": "from loudness.inner import loud as loud\n",
    "deps/loudness/inner.py": "def loud(text): return text.upper()\n",
    "deps/loudness-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: loudness\nVersion: 1\n",
}


def test_dependencies_that_travel_keep_their_names(tmp_path: Path) -> None:
    folder = unpacked(tmp_path, DEPENDENT, carried=["loudness 1"])
    assert carries(folder)
    assert not carries(unpacked(tmp_path))
    adopt([folder / "deps"])
    assert run(folder, "x") == "X"
    assert "loudness.inner" in sys.modules
    assert plugin_shipped.importlib.metadata.version("loudness") == "1"  # type: ignore[attr-defined]


def test_adopted_folders_come_before_what_is_installed_and_after_python(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit")
    (tmp_path / "h11.py").write_text("")
    places = ["/usr/lib/python3.11", "/usr/lib/python3/dist-packages", "/x/site-packages"]
    sys.path[:] = places
    adopt([tmp_path, tmp_path / "more"])
    assert sys.path == [places[0], str(tmp_path), str(tmp_path / "more"), *places[1:]]
    adopt([tmp_path])
    assert sys.path.count(str(tmp_path)) == 1
