"""A version of a plugin: an archive, unpacked and loaded. What is here blocks."""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from dc.errors import PluginError, SignatureError
from dc.messages_parts import Plugin
from dc.plugin_archive import Packed
from dc.plugin_manifest import DEPS, Manifest
from dc.plugin_origins import Origin
from dc.plugin_shipped import adopt, forget, sources_of
from dc.plugin_sources import Source
from dc.plugin_unpack import unpack
from dc.plugin_unpacked import carries
from dc.plugins import Plugins
from dc.records import NewPlugin
from dc.server.shipping import Shipped, shipped_of
from dc.signing import signature_of


@dataclass(frozen=True)
class Version:
    """A version that is loaded.

    Attributes:
        shipped: what is to be known to ship it.
        manifest: of the archive.
        place: where it came from, for people.
        folder: where it is unpacked.
        plugins: what is in it, for itself.
        imported: the same, to be put together with others.
        added: when it was first here, in Unix time.
        note: what is wrong with its signature, or empty.
    """

    shipped: Shipped
    manifest: Manifest
    place: str
    folder: Path
    plugins: Plugins
    imported: tuple[Source, ...]
    added: float
    note: str = ""

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the archive."""
        return self.shipped.plugin.digest

    def record(self) -> NewPlugin:
        """Return the version as it goes to the store."""
        plugin = self.shipped.plugin
        types = [[one.name, one.version] for one in self.plugins.types]
        return NewPlugin(
            plugin.digest,
            plugin.size,
            plugin.name,
            msgspec.json.encode(self.manifest),
            msgspec.json.encode(types),
            self.added,
            plugin.signer,
            plugin.signature,
        )


def plugin_of(origin: Origin, packed: Packed) -> tuple[Plugin, str]:
    """Return an archive as a worker is told it, and what is wrong with its signature, if anything.

    A signature that does not hold, or is of another archive, is no signature.
    """
    plugin = Plugin(packed.digest, packed.size, packed.manifest.name)
    try:
        signature = signature_of(origin.folder) if origin.folder is not None else None
    except SignatureError as error:
        return plugin, f"it counts as unsigned: {error}"
    if signature is None:
        return plugin, ""
    if signature.digest != packed.digest:
        which = f"{signature.digest.hex()[:12]}, and this is {packed.digest.hex()[:12]}"
        return plugin, f"it counts as unsigned: its signature is of archive {which}; sign it anew"
    if not signature.holds:
        return plugin, "it counts as unsigned: its signature does not hold"
    return msgspec.structs.replace(
        plugin, signer=signature.signer, signature=signature.signature
    ), ""


def load_version(
    plugin: Plugin, archive: Path, folder: Path, place: str, added: float, note: str = ""
) -> Version:
    """Unpack an archive and load what is in it; what cannot be loaded is told in its plugins.

    Args:
        plugin: as a worker is told it.
        archive: its file.
        folder: where it is to be unpacked.
        place: where it came from, for people.
        added: when it was first here, in Unix time.
        note: what is wrong with its signature.

    Raises:
        PluginError: it is no archive, or holds what must not be there.
    """
    manifest = unpack(archive, folder)
    plugins, imported = Plugins(), list[Source]()
    with contextlib.redirect_stdout(sys.stderr), _dependencies(folder):
        for source in sources_of(folder):
            plugins.load(Source(source.name, place, partial(_import, source, place, imported)))
    shipped = shipped_of(plugin, manifest)
    return Version(shipped, manifest, place, folder, plugins, tuple(imported), added, note)


def _import(source: Source, place: str, imported: list[Source]) -> Any:
    """Import a plugin, and note what it is."""
    found = source.load()
    again: Callable[[], Any] = partial(_same, found)
    imported.append(Source(source.name, place, again))
    return found


def _same(found: Any) -> Any:
    return found


def unload(folder: Path) -> None:
    """Forget the modules of an archive, and remove what was unpacked of it."""
    forget(folder)
    _forget_carried([str(folder / DEPS)])
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _dependencies(folder: Path) -> Iterator[None]:
    """Have what is imported meanwhile take dependencies from an archive, if it carries any.

    A package that another archive brought is imported anew if it is asked for; who has it keeps it.
    Packages that are not asked for are as they were afterwards.
    """
    if not carries(folder):
        yield
        return
    deps = folder / DEPS
    others = [Path(one) for one in sys.path if _is_beside(Path(one), deps)]
    before = _forget_carried([str(one) for one in others])
    adopt([deps, *others])
    try:
        yield
    finally:
        anew = {name.partition(".")[0] for name in sys.modules}
        for name, module in before.items():
            if name.partition(".")[0] not in anew:
                sys.modules[name] = module


def _is_beside(one: Path, deps: Path) -> bool:
    return one != deps and one.name == DEPS and one.parent.parent == deps.parent.parent


def _forget_carried(folders: list[str]) -> dict[str, ModuleType]:
    """Forget the modules in these folders, and that Python looks there; return them, by name."""
    sys.path[:] = [one for one in sys.path if one not in folders]
    starts = tuple(f"{folder}{os.sep}" for folder in folders)
    found = {}
    for name, module in list(sys.modules.items()):
        said = getattr(module, "__dict__", {})
        places = [said.get("__file__"), *(said.get("__path__") or ())]
        if any(str(place).startswith(starts) for place in places):
            found[name] = sys.modules.pop(name)
    importlib.invalidate_caches()
    return found


def manifest_said(record: NewPlugin) -> Manifest:
    """Return the manifest in a record of the store.

    Raises:
        PluginError: another version of dc has written it, and this one cannot read it.
    """
    try:
        return msgspec.json.decode(record.manifest, type=Manifest)
    except msgspec.DecodeError as error:
        raise PluginError(f"its manifest in the store cannot be read: {error}") from None
