"""Plugins: where they are found, and that each mistake of theirs is one clear line."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from dc.errors import StartError, UnknownTaskType
from dc.plugins import Plugins, load_plugins, version_key

HEAD = "import dc\n\n"


def task(name: str, version: str = "1", body: str = "return payload") -> str:
    return f"""
@dc.task_type(version={version!r})
def {name}(payload: int) -> int:
    {body}
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def load(*folders: Path) -> Plugins:
    return load_plugins(folders, entry_points=False)


def names(plugins: Plugins) -> list[str]:
    return [f"{one.name} {one.version}" for one in plugins.types]


def broken(tmp_path: Path, text: str, name: str = "bad") -> str:
    """Load a plugin of this text beside a good one; return why it is broken."""
    write(tmp_path / f"{name}.py", text)
    write(tmp_path / "good.py", HEAD + task("well"))
    plugins = load(tmp_path)
    assert "well 1" in names(plugins)
    assert list(plugins.broken) == [name]
    line = plugins.broken[name]
    assert "\n" not in line
    assert line.startswith(f"plugin '{name}': ")
    return line


# --- where they are found -----------------------------------------------------------------------


def test_modules_and_packages_of_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "one.py", HEAD + task("first") + task("second"))
    write(tmp_path / "pack" / "__init__.py", "from .inner import third\nfrom . import inner\n")
    write(tmp_path / "pack" / "inner.py", HEAD + task("third"))
    for skipped in ("test_one.py", "conftest.py", "setup.py", "_private.py", "notes.txt"):
        write(tmp_path / skipped, "raise RuntimeError('must not be imported')")
    write(tmp_path / "data" / "file.py", "raise RuntimeError('a folder that is no package')")
    plugins = load(tmp_path)
    assert plugins.broken == {}
    assert names(plugins) == ["first 1", "second 1", "third 1"]
    assert plugins.where("first", "1") == "one"
    assert plugins.where("third", "1") == "pack"
    assert plugins.get("third")(3) == 3


@pytest.mark.parametrize("layout", ["", "src"])
def test_project_in_either_layout(tmp_path: Path, layout: str) -> None:
    write(tmp_path / "pyproject.toml", "[project]\nname = 'my-plugin'\n")
    write(tmp_path / layout / "mine.py", HEAD + task("mine"))
    write(tmp_path / "tests" / "__init__.py", "raise RuntimeError('must not be imported')")
    plugins = load(tmp_path)
    assert plugins.broken == {}
    assert plugins.where("mine", "1") == "my-plugin"


def test_entry_points_of_a_project(tmp_path: Path) -> None:
    points = "[project.entry-points.dc]\nfirst = 'mine'\nsecond = 'pack.inner'\nabsent = 'none'\n"
    write(tmp_path / "pyproject.toml", f"[project]\nname = 'my-plugin'\n{points}")
    write(tmp_path / "mine.py", HEAD + task("mine"))
    write(tmp_path / "other.py", HEAD + task("not_named"))
    write(tmp_path / "pack" / "__init__.py", "")
    write(tmp_path / "pack" / "inner.py", HEAD + task("inner"))
    plugins = load(tmp_path)
    assert names(plugins) == ["mine 1", "inner 1"]
    assert plugins.where("inner", "1") == "second"
    assert list(plugins.broken) == ["absent"]
    assert "entry point 'none' names no module in" in plugins.broken["absent"]


def test_folder_of_projects(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name / "pyproject.toml", f"[project]\nname = 'project-{name}'\n")
        write(tmp_path / name / f"{name}.py", HEAD + task(name))
    plugins = load(tmp_path)
    assert plugins.broken == {}
    assert plugins.where("b", "1") == "project-b"


def test_several_modules_of_a_project(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "[project]\nname = 'two'\n")
    write(tmp_path / "a.py", HEAD + task("a"))
    write(tmp_path / "b.py", HEAD + task("b"))
    assert load(tmp_path).where("b", "1") == "two:b"


def test_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "installed_plugin-1.0.dist-info"
    write(info / "METADATA", "Metadata-Version: 2.1\nName: installed-plugin\nVersion: 1.0\n")
    write(info / "entry_points.txt", "[dc]\nshiny = installed_plugin_module\nlost = not_there\n")
    write(tmp_path / "installed_plugin_module.py", HEAD + task("shiny"))
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    plugins = load_plugins([])
    assert plugins.where("shiny", "1") == "shiny"
    assert "not_there" in plugins.broken["lost"]
    assert "package installed-plugin" in plugins.broken["lost"]
    assert "shiny" not in {one.name for one in load().types}


def test_module_names_meet_neither_each_other_nor_the_standard_library(tmp_path: Path) -> None:
    write(tmp_path / "a" / "random.py", HEAD + "import random\n" + task("one", body="return 1"))
    write(tmp_path / "b" / "random.py", HEAD + task("two", body="return 2"))
    import random

    plugins = load(tmp_path / "a")
    assert plugins.get("one")(0) == 1
    assert load(tmp_path / "b").get("two")(0) == 2
    assert sys.modules["random"] is random
    assert hasattr(random, "randint")


def test_loading_again_sees_the_files_of_now(tmp_path: Path) -> None:
    write(tmp_path / "pack" / "__init__.py", "from .inner import *\n")
    inner = write(tmp_path / "pack" / "inner.py", HEAD + task("one", body="return 1"))
    assert load(tmp_path).get("one")(0) == 1
    write(inner, HEAD + task("one", body="return 2  # changed"))
    assert load(tmp_path).get("one")(0) == 2


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"--plugins .*absent: does not exist"):
        load(tmp_path / "absent")
    with pytest.raises(StartError, match="is not a folder"):
        load(write(tmp_path / "file.py", ""))


def test_folder_without_plugins(tmp_path: Path) -> None:
    assert "no plugin in it" in load(tmp_path).broken[tmp_path.name]


def test_project_without_modules(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "[project]\nname = 'x'\n")
    assert "no module beside it" in load(tmp_path).broken[tmp_path.name]


@pytest.mark.parametrize("text", ["[project\n", "project = 3\n", "[project]\nentry-points = 3\n"])
def test_pyproject_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    write(tmp_path / "pyproject.toml", text)
    assert "pyproject.toml cannot be read" in load(tmp_path).broken[tmp_path.name]


# --- what they get wrong ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def broken(:\n", r"SyntaxError: .* \(bad.py, line 1\)"),
        ("\n\nraise ValueError('on purpose')", r"ValueError: on purpose \(bad.py, line 3\)"),
        ("raise ValueError('two\\nlines')", "two lines"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import sys\nsys.exit('bye')", "SystemExit: bye"),
        ("import no_such_module_at_all", "No module named 'no_such_module_at_all'.*relatively"),
        ("from dc import no_such_name", "cannot import name 'no_such_name'"),
        ("1 / 0", r"ZeroDivisionError: division by zero \(bad.py, line 1\)"),
        ("raise BaseExceptionGroup('both', [KeyError(1)])", "both"),
        ("\0", "SyntaxError|ValueError"),
        (HEAD + "@dc.task_type\ndef odd(payload): ...", "says no type for 'payload' and 'return'"),
    ],
)
def test_import_that_fails(tmp_path: Path, text: str, reason: str) -> None:
    import re

    assert re.search(reason, broken(tmp_path, text))


def test_failed_import_leaves_no_module(tmp_path: Path) -> None:
    before = set(sys.modules)
    broken(tmp_path, "from . import nothing", name="lonely")
    assert {name for name in set(sys.modules) - before if "lonely" in name} == set()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("@dc.hookimpl\ndef dc_task_types(unknown): return []", "hook 'dc_task_types'.*unknown"),
        ("@dc.hookimpl\ndef dc_task_type(): return []", "unknown hook 'dc_task_type'"),
        ("def dc_task_types(): return []", "write @dc.hookimpl above it"),
        ("@dc.hookimpl\ndef dc_task_types(): return 3", "must return a list of task types, not 3"),
        ("@dc.hookimpl\ndef dc_task_types(): return ['x']", "'x', which is no task type"),
        ("@dc.hookimpl\ndef dc_task_types(): raise KeyError('k')", r"KeyError: 'k' \(bad.py, line"),
        ("import sys\n@dc.hookimpl\ndef dc_task_types(): sys.exit(1)", "SystemExit: 1"),
    ],
)
def test_hooks_used_wrongly(tmp_path: Path, text: str, reason: str) -> None:
    import re

    assert re.search(reason, broken(tmp_path, HEAD + task("unseen") + text))


def test_broken_hook_takes_its_types_away(tmp_path: Path) -> None:
    write(tmp_path / "bad.py", HEAD + task("unseen") + "@dc.hookimpl\ndef dc_no(): ...")
    assert names(load(tmp_path)) == []


def test_two_plugins_with_one_type(tmp_path: Path) -> None:
    write(tmp_path / "a.py", HEAD + task("same", body="return 1"))
    write(tmp_path / "b.py", HEAD + task("same", body="return 2") + task("other"))
    plugins = load(tmp_path)
    assert plugins.broken == {
        "b": "plugin 'b': task type 'same' version '1' is already registered by plugin 'a', "
        "which stays"
    }
    assert plugins.get("same")(0) == 1
    assert names(plugins) == ["same 1", "other 1"]


def test_one_plugin_with_one_type_twice(tmp_path: Path) -> None:
    write(tmp_path / "a.py", HEAD + task("same") + "first = same\n" + task("same"))
    assert "already registered by itself" in load(tmp_path).broken["a"]


def test_type_under_two_names_is_one_type(tmp_path: Path) -> None:
    write(tmp_path / "a.py", HEAD + task("same") + "again = same\n")
    plugins = load(tmp_path)
    assert plugins.broken == {}
    assert names(plugins) == ["same 1"]


def test_two_plugins_of_one_name(tmp_path: Path) -> None:
    write(tmp_path / "x" / "mine.py", HEAD + task("one"))
    write(tmp_path / "y" / "mine.py", HEAD + task("two"))
    plugins = load(tmp_path / "x", tmp_path / "y")
    assert names(plugins) == ["one 1"]
    assert "two plugins of this name" in plugins.broken["mine"]
    assert str(tmp_path / "y" / "mine.py") in plugins.broken["mine"]


def test_long_reasons_are_cut(tmp_path: Path) -> None:
    assert len(broken(tmp_path, "raise ValueError('x' * 100_000)")) <= 1000


def test_what_plugins_print_goes_to_standard_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "loud.py", "print('hello')")
    load(tmp_path)
    assert capsys.readouterr() == ("", "hello\n")


# --- asking for them ----------------------------------------------------------------------------


def test_hook_gives_further_types(tmp_path: Path) -> None:
    text = """
def make(factor):
    def times(payload: int) -> int:
        return factor * payload
    return dc.task_type(name=f"times{factor}")(times)

@dc.hookimpl
def dc_task_types():
    return [make(2), make(3)]
"""
    write(tmp_path / "maker.py", HEAD + text)
    plugins = load(tmp_path)
    assert plugins.broken == {}
    assert names(plugins) == ["times2 1", "times3 1"]
    assert plugins.get("times3")(5) == 15
    assert plugins.where("times3", "1") == "maker"


def test_versions_live_side_by_side(tmp_path: Path) -> None:
    for number, version in enumerate(("1.10", "1.9", "1.10rc1")):
        write(tmp_path / f"v{number}.py", HEAD + task("same", version))
    plugins = load(tmp_path)
    assert plugins.broken == {}
    assert plugins.get("same").version == "1.10"
    assert plugins.get("same", "1.9").version == "1.9"


def test_order_of_versions() -> None:
    ordered = ["0.9", "1rc1", "1", "1.0.0rc2", "1.0.0", "1.0.1", "1.2", "1.10", "2", "10"]
    backwards = ordered[::-1]
    assert sorted(backwards, key=version_key) == ordered
    assert version_key("²") != version_key("2")


def test_unknown_types_say_what_there_is(tmp_path: Path) -> None:
    write(tmp_path / "a.py", HEAD + task("square"))
    write(tmp_path / "b.py", "raise ValueError('no')")
    plugins = load(tmp_path)
    with pytest.raises(UnknownTaskType, match=r"no task type 'cube'; there is square 1.*Broken.*b"):
        plugins.get("cube")
    with pytest.raises(UnknownTaskType, match="no task type 'square' version '2'"):
        plugins.get("square", "2")
    with pytest.raises(UnknownTaskType):
        plugins.where("square", "2")
    with pytest.raises(UnknownTaskType, match="pass --plugins"):
        load().get("cube")


def test_labels(tmp_path: Path) -> None:
    label = "import dc\n@dc.hookimpl\ndef dc_worker_labels():\n    return "
    write(tmp_path / "a.py", label + "{'gpu': 'none', 'site': 'lab'}")
    write(tmp_path / "b.py", label + "{'gpu': 'two', 'x': 'y'}")
    write(tmp_path / "c.py", label + "{'number': 1}")
    write(tmp_path / "d.py", label + "1 / 0")
    write(tmp_path / "e.py", label + "'text'")
    plugins = load(tmp_path)
    assert plugins.broken == {}
    assert plugins.labels() == {"gpu": "none", "site": "lab", "x": "y"}
    assert sorted(plugins.broken) == ["c", "d", "e"]
    assert "dc_worker_labels failed: ZeroDivisionError" in plugins.broken["d"]
