"""Plugins in folders: what is found here is not yet imported.

A module from a folder is imported under a name of its own (made from its path), never as a
top-level name: so a plugin `random.py` neither hides the standard library's nor meets another
plugin of that name, and an executor finds the same module under the same name.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from dc.errors import PluginError, StartError
from dc.hooks import PROJECT
from dc.plugin_sources import Source

NO_PLUGINS: Final = frozenset({"conftest", "setup", "tests", "test", "docs"})


def in_folders(folders: Sequence[Path]) -> Iterator[Source]:
    """Yield the plugins in folders.

    Args:
        folders: each holds modules or packages, or is a project with a pyproject.toml, or holds
            such projects.

    Raises:
        StartError: one of the folders is none.
    """
    for folder in folders:
        if not folder.is_dir():
            problem = "is not a folder" if folder.exists() else "does not exist"
            raise StartError(f"--plugins {folder}: {problem}; give a folder that holds plugins")
        yield from _in_folder(folder.resolve())


def _in_folder(folder: Path) -> Iterator[Source]:
    """Yield the plugins of a folder: a project, or modules and projects side by side."""
    found = False
    if (folder / "pyproject.toml").is_file():
        sources = _in_project(folder)
    else:
        projects = [one for one in listed(folder) if (one / "pyproject.toml").is_file()]
        loose = [one for one in modules_in(folder) if one not in projects]
        sources = [_from_file(path.stem, path) for path in loose]
        sources += [source for project in projects for source in _in_project(project)]
    for source in sources:
        found = True
        yield source
    if not found:
        yield _complaint(folder, "no plugin in it: no *.py, no package, no pyproject.toml")


def _in_project(folder: Path) -> list[Source]:
    """Return the plugins of a folder with a pyproject.toml: its entry points, or all modules."""
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8")).get("project", {})
        points = dict(project.get("entry-points", {}).get(PROJECT, {}))
        name = str(project.get("name", folder.name))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, AttributeError, ValueError) as e:
        return [_complaint(folder, f"its pyproject.toml cannot be read: {e}")]
    modules = modules_in(folder) + modules_in(folder / "src")
    if points:
        return [_from_point(folder, modules, key, str(value)) for key, value in points.items()]
    if not modules:
        return [_complaint(folder, "it has a pyproject.toml and no module beside it or in src/")]
    if len(modules) == 1:
        return [_from_file(name, modules[0])]
    return [_from_file(f"{name}:{path.stem}", path) for path in modules]


def listed(folder: Path) -> list[Path]:
    """Return what is in a folder, in order of name, but for hidden files and private ones."""
    hidden = (".", "_")
    return sorted(one for one in folder.iterdir() if not one.name.startswith(hidden))


def modules_in(folder: Path) -> list[Path]:
    """Return the modules (files) and packages (folders) directly in a folder, in order of name."""
    if not folder.is_dir():
        return []
    return [
        path
        for path in listed(folder)
        if (path.suffix == ".py" and path.is_file()) or (path / "__init__.py").is_file()
        if path.stem not in NO_PLUGINS and not path.stem.startswith("test_")
    ]


def _from_file(name: str, path: Path) -> Source:
    return Source(name, str(path), lambda: import_file(path))


def _from_point(folder: Path, modules: Sequence[Path], key: str, value: str) -> Source:
    """Return the plugin that an entry point of a project names, such as `module:attribute`."""
    target, _, attributes = (part.strip() for part in value.partition(":"))
    top, *parents = target.split(".")

    def load() -> Any:
        for path in modules:
            if path.stem == top:
                module = import_file(path)
                if parents:
                    module = importlib.import_module(".".join([module.__name__, *parents]))
                found: Any = module
                for attribute in filter(None, attributes.split(".")):
                    found = getattr(found, attribute)
                return found
        raise PluginError(f"its entry point {value!r} names no module in {folder} or its src/")

    return Source(key, str(folder), load)


def _complaint(folder: Path, text: str) -> Source:
    def load() -> Any:
        raise PluginError(text)

    return Source(folder.name, str(folder), load)


def import_file(path: Path) -> ModuleType:
    """Import a module or a package by its path, under a name of its own, afresh.

    Raises:
        BaseException: whatever its code raises.
    """
    digest = hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    name = f"dc_plugin_{digest}_{path.stem}"
    _forget(name)
    init = path / "__init__.py"
    file, inside = (init, [str(path)]) if path.is_dir() else (path, None)
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=inside)
    if spec is None or spec.loader is None:
        raise PluginError(f"{path} is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        _forget(name)
        raise
    return module


def _forget(name: str) -> None:
    for known in [one for one in sys.modules if one == name or one.startswith(name + ".")]:
        del sys.modules[known]
