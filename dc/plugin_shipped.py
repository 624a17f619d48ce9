"""Plugins that came as archives: what is in an unpacked one, and how it is imported.

Theory of operation
-------------------
A plugin's own modules are imported under names made from the digest of its archive (the name of
its folder), which are the same on every computer: so two versions of a plugin are in one process,
side by side, and neither meets a module of that name that is installed. Where such a module imports
its own neighbours by their full names, as installed packages do (`from wordcount.words import x`),
it gets those of its own archive: its import statements are looked at by `_Importer`. The rest are
as they are everywhere.

Dependencies that travel with a plugin, in `deps/`, keep their names, for much depends on these
(pickles, metadata, imports by name). So one process can have those of one plugin: `adopt` puts
them on the path. An executor adopts one set (dc/worker/code.py). The server, which loads many
plugins, has each import its own (dc/server/versions.py).
"""

from __future__ import annotations

import builtins
import hashlib
import importlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from dc.errors import PluginError
from dc.plugin_manifest import CODE, MANIFEST, Entry
from dc.plugin_sources import Source
from dc.plugin_unpacked import manifest_of

PREFIX: Final = "dc_shipped_"
"""What the names of modules begin with that came in an archive."""


def sources_of(folder: Path) -> list[Source]:
    """Return the plugins in the folder of an unpacked archive, not yet imported.

    Args:
        folder: named by the digest of the archive.

    Raises:
        PluginError: it is not there, or is no such folder.
    """
    folder = folder.absolute()
    try:
        manifest = manifest_of(folder)
    except OSError as error:
        text = f"what was unpacked of it is gone: {folder / MANIFEST} ({error.strerror})"
        raise PluginError(text) from None
    if not manifest.plugins:
        raise PluginError(f"there is no plugin in its archive: {MANIFEST} names none")
    importer = _Importer(folder)
    place = f"archive {folder.name[:12]} of {manifest.name} {manifest.version}".rstrip()
    return [Source(one.name, place, _loading(importer, one)) for one in manifest.plugins]


def adopt(folders: Iterable[Path]) -> None:
    """Have this process import dependencies from these folders, before those that are installed.

    What Python itself has comes first, and what is imported already stays as it is.
    """
    at = next((at for at, one in enumerate(sys.path) if _is_installed(one)), len(sys.path))
    sys.path[at:at] = [str(one) for one in folders if str(one) not in sys.path]
    importlib.invalidate_caches()


def forget(folder: Path) -> None:
    """Have this process forget the modules of an archive, so that they do not stay in memory."""
    prefix = _prefix(folder.absolute())
    for name in [one for one in sys.modules if one.startswith(prefix)]:
        del sys.modules[name]
    sys.meta_path[:] = [one for one in sys.meta_path if getattr(one, "prefix", None) != prefix]


def _is_installed(entry: str) -> bool:
    return Path(entry).name in ("site-packages", "dist-packages")


def _prefix(folder: Path) -> str:
    """Return what the names of a folder's modules begin with: the same on every computer."""
    name = folder.name
    if len(name) != 2 * hashlib.sha256().digest_size or not name.isalnum():
        name = hashlib.sha256(str(folder).encode("utf-8", "surrogateescape")).hexdigest()
    return f"{PREFIX}{name[:16]}_"


def _loading(importer: _Importer, entry: Entry) -> Callable[[], Any]:
    def load() -> Any:
        importer.install()
        found: Any = importlib.import_module(importer.prefix + entry.module)
        for attribute in filter(None, entry.attribute.split(".")):
            found = getattr(found, attribute)
        return found

    return load


class _Importer(MetaPathFinder):
    """Imports the modules of one archive: a finder of Python's, for names with its prefix.

    Args:
        folder: of the archive.

    Attributes:
        prefix: what the names of its modules begin with.
    """

    def __init__(self, folder: Path) -> None:
        self.prefix = _prefix(folder)
        self._path = [str(folder / CODE)]
        self._builtins = {**vars(builtins), "__import__": self._import}
        found = {one.name.partition(".")[0] for one in (folder / CODE).glob("*")}
        self._own = found - sys.stdlib_module_names

    def install(self) -> None:
        """Have Python ask this finder, and no former one of the same archive."""
        if not any(getattr(one, "prefix", "") == self.prefix for one in sys.meta_path):
            sys.meta_path.insert(0, self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module of the archive, by the name that it has in this process."""
        if not fullname.startswith(self.prefix):
            return None
        if "." in fullname:
            found = PathFinder.find_spec(fullname, path, target)
        else:
            found = PathFinder.find_spec(fullname.removeprefix(self.prefix), self._path)
        if found is None:
            return None
        folders = found.submodule_search_locations
        if isinstance(found.loader, SourceFileLoader):
            loader = _Loader(fullname, found.loader.path, self._builtins)
            return spec_from_loader(fullname, loader, is_package=folders is not None)
        if found.origin is None and folders is not None:  # a folder without __init__.py
            spec = ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = list(folders)
            return spec
        return found

    def _import(
        self,
        name: str,
        globals_: Mapping[str, Any] | None = None,
        locals_: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """Stand for `__import__` in the modules of the archive."""
        top = name.partition(".")[0]
        if level == 0 and top in self._own and not self._is_itself(top, globals_):
            name = self.prefix + name
        return builtins.__import__(name, globals_, locals_, fromlist or (), level)

    def _is_itself(self, top: str, globals_: Mapping[str, Any] | None) -> bool:
        """Whether it is a module of that name which imports: it means another, an installed one."""
        importing = globals_ or {}
        return importing.get("__name__") == self.prefix + top and "__path__" not in importing


class _Loader(SourceFileLoader):
    """Runs a module of an archive with the archive's own `__import__`."""

    def __init__(self, fullname: str, path: str, builtins_: dict[str, Any]) -> None:
        super().__init__(fullname, path)
        self._builtins = builtins_

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code."""
        vars(module)["__builtins__"] = self._builtins
        super().exec_module(module)
