"""What becomes an archive each: a module, a package, a project, an installed package, an archive.

These are the places where `plugin_sources` and `plugin_folders` find plugins, taken apart by what
travels together: all plugins of one project are in one archive.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit
from urllib.request import url2pathname

from dc.errors import PluginError, StartError
from dc.hooks import PROJECT
from dc.plugin_folders import listed, modules_in
from dc.plugin_manifest import SUFFIX, Entry

Files: TypeAlias = dict[str, Path]
"""Files of the disk, by their names in an archive."""

COMPILED: Final = (".so", ".pyd", ".dylib", ".dll")
"""How the names of files end that hold code of one platform."""

LEFT_OUT: Final = frozenset({"__pycache__", "tests", "test", "node_modules"})
"""Folders of a package that do not travel, beside the hidden ones."""

UNREADABLE: Final = (OSError, UnicodeDecodeError, AttributeError, TypeError, ValueError)


@dataclass(frozen=True)
class Origin:
    """One plugin, or several that travel together, where they are on this computer.

    Attributes:
        name: of the project, the module or the package.
        place: the file, folder or package, for people.
        modules: the modules (files) and packages (folders) of its code.
        files: files of its code, by name, where they are listed one by one.
        entries: the plugins.
        version: of the project.
        python: which versions of Python it says will do.
        platforms: on which it says that it runs.
        requires: its dependencies.
        archive: the archive, where it is one already.
        folder: what it is looked for in; a signature is beside it.
        broken: why there is no plugin.
    """

    name: str
    place: str
    modules: tuple[Path, ...] = ()
    files: Mapping[str, Path] = field(default_factory=dict)
    entries: tuple[Entry, ...] = ()
    version: str = ""
    python: str = ""
    platforms: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    archive: Path | None = None
    folder: Path | None = None
    broken: str = ""

    @property
    def key(self) -> str:
        """What tells it from all others on this computer."""
        return str(self.folder) if self.folder is not None else self.place

    def again(self) -> Origin:
        """Return it as it is on the disk now; what is no plugin any more is broken."""
        if self.folder is None or not self.folder.exists():
            return self
        try:
            return replace(origin_at(self.folder), place=self.place)
        except PluginError as error:
            return replace(self, broken=str(error))

    def traces(self) -> Iterator[Path]:
        """Yield the files that it changes with."""
        if self.folder is not None:
            yield self.folder / "pyproject.toml"
        if self.archive is not None:
            yield self.archive
        yield from self.code().values()

    def code(self) -> Files:
        """Return the files of its code, by name, in order of name."""
        found = dict(self.files)
        for module in self.modules:
            found.update(_files_of(module))
        return dict(sorted(found.items()))


def find_origins(folders: Sequence[Path], *, entry_points: bool) -> list[Origin]:
    """Return all that plugins are in, installed packages first.

    Raises:
        StartError: one of the folders is none.
    """
    found = list(_installed()) if entry_points else []
    for folder in folders:
        if not folder.is_dir():
            problem = "is not a folder" if folder.exists() else "does not exist"
            raise StartError(f"--plugins {folder}: {problem}; give a folder that holds plugins")
        found += _in_folder(folder.resolve())
    return found


def origin_at(path: Path) -> Origin:
    """Return what a path is: a module, a package, a project or an archive.

    Raises:
        PluginError: it is none of these.
    """
    path = path.resolve()
    if path.suffix == SUFFIX and path.is_file():
        return Origin(path.stem, str(path), archive=path, folder=path)
    if (path / "pyproject.toml").is_file():
        return _project(path)
    if (path / "__init__.py").is_file() or (path.suffix == ".py" and path.is_file()):
        entry = Entry(path.stem, path.stem)
        return Origin(path.stem, str(path), modules=(path,), entries=(entry,), folder=path)
    what = "no module, no package, no project with a pyproject.toml, no archive"
    raise PluginError(f"{path} is no plugin: {what if path.exists() else 'it does not exist'}")


# --- folders ------------------------------------------------------------------------------------


def _in_folder(folder: Path) -> list[Origin]:
    if (folder / "pyproject.toml").is_file():
        return [_project(folder)]
    projects = [one for one in listed(folder) if (one / "pyproject.toml").is_file()]
    loose = [one for one in modules_in(folder) if one not in projects]
    archives = [one for one in listed(folder) if one.suffix == SUFFIX and one.is_file()]
    found = [origin_at(one) for one in (*loose, *projects, *archives)]
    text = f"no plugin in it: no *.py, no package, no pyproject.toml, no *{SUFFIX}"
    return found or [Origin(folder.name, str(folder), folder=folder, broken=text)]


def _project(folder: Path) -> Origin:
    """Return a folder with a pyproject.toml: the plugins are its entry points, or all modules."""
    nothing = Origin(folder.name, str(folder), folder=folder)
    try:
        table = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
        project = table.get("project", {})
        name = str(project.get("name", folder.name))
        points = {str(key): str(value) for key, value in _points(project).items()}
        platforms = tuple(map(str, table.get("tool", {}).get("dc", {}).get("platforms", ())))
        dynamic = list(project.get("dynamic", ()))
        requires = tuple(map(str, project.get("dependencies", ())))
    except UNREADABLE as error:
        return replace(nothing, broken=f"its pyproject.toml cannot be read: {error}")
    if "dependencies" in dynamic:
        text = "its dependencies are dynamic: write them into pyproject.toml"
        return replace(nothing, broken=text)
    modules = _unique(modules_in(folder) + modules_in(folder / "src"))
    if not modules:
        text = "it has a pyproject.toml and no module beside it or in src/"
        return replace(nothing, broken=text)
    return replace(
        nothing,
        name=name,
        modules=tuple(modules),
        entries=tuple(_entries(name, points, modules)),
        version=str(project.get("version", "")),
        python=str(project.get("requires-python", "")),
        platforms=platforms,
        requires=requires,
    )


def _points(project: Any) -> dict[Any, Any]:
    return dict(project.get("entry-points", {}).get(PROJECT, {}))


def _unique(modules: Iterable[Path]) -> list[Path]:
    """Return modules without those that are hidden by one of the same name."""
    found: dict[str, Path] = {}
    for module in modules:
        found.setdefault(module.stem, module)
    return list(found.values())


def _entries(name: str, points: Mapping[str, str], modules: Sequence[Path]) -> Iterator[Entry]:
    if points:
        yield from (_entry(key, value) for key, value in points.items())
    elif len(modules) == 1:
        yield Entry(name, modules[0].stem)
    else:
        yield from (Entry(f"{name}:{module.stem}", module.stem) for module in modules)


def _entry(key: str, value: str) -> Entry:
    """Return the plugin that an entry point names, such as `module:attribute`."""
    module, _, attribute = (part.strip() for part in value.partition(":"))
    return Entry(key, module, attribute)


def _files_of(module: Path) -> Files:
    """Return the files of a module or a package that travel, by name."""
    if module.is_file():
        return {module.name: module}
    found = {}
    for where, folders, names in os.walk(module):
        folders[:] = [one for one in folders if one not in LEFT_OUT and not one.startswith(".")]
        folder = Path(where)
        for name in names:
            if not _stays(name):
                file = folder / name
                found[file.relative_to(module.parent).as_posix()] = file
    return found


def _stays(name: str) -> bool:
    """Whether a file of a package does not travel."""
    return (
        name.startswith((".", "test_"))
        or name.endswith((".pyc", ".pyo", SUFFIX, ".sig"))
        or name == "conftest.py"
    )


# --- installed packages -------------------------------------------------------------------------


def _installed() -> Iterator[Origin]:
    """Yield the installed packages that have plugins, in order of name."""
    packages: dict[str, Distribution] = {}
    for point in importlib.metadata.entry_points(group=PROJECT):
        if point.dist is not None:
            packages.setdefault(point.dist.name, point.dist)
    for name in sorted(packages):
        yield installed(packages[name])


def installed(package: Distribution) -> Origin:
    """Return an installed package with plugins, or the project that it is installed from."""
    place = f"package {package.name}"
    source = editable(package)
    if source is not None and (source / "pyproject.toml").is_file():
        return replace(_project(source), place=f"{place}, {source}")
    points = [one for one in package.entry_points if one.group == PROJECT]
    metadata = package.metadata
    return Origin(
        name=package.name,
        place=place,
        files=code_of(package),
        entries=tuple(_entry(point.name, point.value) for point in points),
        version=package.version,
        python=str(metadata["Requires-Python"] or "") if "Requires-Python" in metadata else "",
        requires=tuple(package.requires or ()),
    )


def editable(package: Distribution) -> Path | None:
    """Return the folder that a package is installed from by reference, if it is."""
    try:
        told = json.loads(package.read_text("direct_url.json") or "{}")
        if told.get("dir_info", {}).get("editable"):
            return Path(url2pathname(urlsplit(str(told["url"])).path))
    except UNREADABLE:
        return None
    return None


def code_of(package: Distribution) -> Files:
    """Return the files of an installed package, by name, but for what its installer made."""
    info = re.compile(r"[^/]+\.(dist-info|egg-info|data)(/|$)")
    found = {}
    for file in package.files or ():
        name = file.as_posix()
        if info.match(name) or ".." in file.parts or "__pycache__" in file.parts:
            continue
        found[name] = Path(str(package.locate_file(file)))
    return found


def is_compiled(name: str) -> bool:
    """Whether a file holds code of one platform."""
    return name.endswith(COMPILED)
