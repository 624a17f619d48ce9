"""The plugins of the server: packed, unpacked and loaded, and looked after while it runs.

Theory of operation
-------------------
Each plugin is packed into an archive, which is a blob; unpacked from there into the data folder;
and loaded from that. So what payloads are checked with is what workers are shipped, and a job whose
archive is kept runs the same code whatever becomes of the folder that it came from.

A look at the folders each second tells what has been changed. What is the same in two looks is
packed anew, unless it was before: an editor writes its files within a second. If the archive is
another one and all in it loads, it takes the place of the one before. If not, that stays in
service, and what is wrong is told. Jobs that go on keep the version that they have; it is forgotten
with the last of them.
"""

from __future__ import annotations

import logging
import math
import re
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Callable, Container, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import trio

from dc import limits_executor, limits_http, limits_plugins
from dc.blobs import BlobFolder
from dc.errors import DcError, PluginError, StoreError
from dc.log_fields import about
from dc.messages_parts import Plugin
from dc.plugin_archive import Packed, pack_origin
from dc.plugin_origins import Origin, find_origins
from dc.plugin_unpack import TEMPORARY as UNPACKING
from dc.records import NewPlugin
from dc.server.shipping import shipped_of
from dc.server.types import PluginTypes
from dc.server.versions import (
    Version,
    load_version,
    manifest_said,
    plugin_of,
    unload,
)
from dc.signing import signature_path
from dc.store import Store

log = logging.getLogger("dc.server")

Traces: TypeAlias = tuple[tuple[str, int, int], ...]
"""Names, times and sizes of the files that an origin changes with."""

Tell: TypeAlias = Callable[[list[NewPlugin]], None]
"""Has new versions written down."""

TEMPORARY: Final = "packing-"

OURS: Final = re.compile(rf"[0-9a-f]{{64}}|({TEMPORARY}|{UNPACKING})[0-9a-f]*")
"""Names of what is put into the folder: users may have their own plugins there, too."""

LATER_SECONDS: Final = 0.001
"""Of an archive than the one before it, at least: the store orders them by time."""


class Shelf:
    """Keeps the plugins.

    Args:
        folders: given by --plugins.
        data: the data folder.
        blobs: where archives go.
        types: what is told of what is loaded.
        entry_points: whether to take those of installed packages, too.
        wall: gives the Unix time in seconds.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        data: Path,
        blobs: BlobFolder,
        types: PluginTypes,
        *,
        entry_points: bool = True,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._folders = folders
        self._place = data / "plugins"
        self._blobs = blobs
        self._types = types
        self._wall = wall
        self._installed = find_origins([], entry_points=entry_points)
        self._order: list[str] = []
        self._missing: set[str] = set()
        self._served: dict[str, Version] = {}  # by the key of its origin
        self._broken: dict[str, dict[str, str]] = {}  # what is wrong, by the name of the plugin
        self._seen: dict[str, Traces] = {}
        self._taken: dict[str, Traces] = {}
        self._again: dict[str, float] = {}  # when those are tried again that the disk did not take
        self._newest: dict[str, NewPlugin] = {}  # in the store, or on its way, by name
        self._trouble = ""

    # --- the start ------------------------------------------------------------------------------

    async def open(self, store: Store) -> None:
        """Load all plugins, and what unfinished jobs go on with; before the server recovers.

        Raises:
            StartError: one of the folders is none.
            StoreError: what is new cannot be written down.
        """
        self._place.mkdir(parents=True, exist_ok=True)
        known = {row.digest: row for row in await store.plugins()}
        for row in known.values():
            self._newest.setdefault(row.name, row)
            self._know(row)
        for origin, traces in await trio.to_thread.run_sync(self._look):
            self._order.append(origin.key)
            self._taken[origin.key] = self._seen[origin.key] = traces
            await self._take(origin)
        self._serve()
        if new := self._new():
            await store.commit(new)
        await self._load_pinned(store, known)
        await trio.to_thread.run_sync(self._tidy, {one.folder for one in self._types.loaded})

    def _new(self) -> list[NewPlugin]:
        """Return the records of what is in service, and not written down as the newest."""
        records = [one.record() for one in self._served.values()]
        new = [one for one in records if self._newest.get(one.name) != one]
        self._newest.update((one.name, one) for one in new)
        return new

    def _tidy(self, loaded: set[Path]) -> None:
        """Remove what a process before this one has left, and nothing that is somebody else's."""
        for path in set(self._place.iterdir()) - loaded:
            if not OURS.fullmatch(path.name):
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()

    def _know(self, row: NewPlugin) -> None:
        try:
            manifest = manifest_said(row)
        except PluginError as error:
            where = about(plugin=row.name)
            log.error("plugin %s cannot be shipped any more: %s", row.name, error, extra=where)
            return
        plugin = Plugin(row.digest, row.size, row.name, row.signer, row.signature)
        self._types.know(shipped_of(plugin, manifest))

    async def _load_pinned(self, store: Store, known: dict[bytes, NewPlugin]) -> None:
        """Load versions that are out of service, of jobs that are still being submitted."""
        wanted = {row.plugin for row in await store.open_jobs() if not row.ended}
        for digest in wanted & known.keys() - {one.digest for one in self._types.loaded}:
            row, archive = known[digest], self._blobs.path(digest)
            shipped = self._types.shipped(digest)
            if archive is None or shipped is None:
                where = about(plugin=row.name, blob=digest.hex())
                log.error("plugin %s: an archive is missing", row.name, extra=where)
                continue
            try:
                what = (shipped.plugin, archive, "an earlier version", row.added, "")
                version = await self._load(*what)
            except PluginError as error:
                text = "plugin %s: an earlier version cannot be loaded: %s"
                log.error(text, row.name, error, extra=about(plugin=row.name))
            else:
                self._types.keep(version)

    # --- taking up ------------------------------------------------------------------------------

    async def _take(self, origin: Origin) -> bool:
        """Take a plugin up as it is now; return whether another version is in service then."""
        self._broken.pop(origin.key, None)
        self._again.pop(origin.key, None)
        before = self._served.get(origin.key)
        try:
            version = await self._version(origin, before)
        except (DcError, OSError) as error:
            if isinstance(error, StoreError | OSError):
                self._try_again(origin)
            self._complain(origin, f"{error} (in {origin.place})", before)
            return False
        if version is before:
            return False
        if version.plugins.broken and (before is not None or not version.plugins.types):
            self._refuse(origin, version, before)
            if version.digest not in {one.digest for one in self._types.loaded}:
                await self._unload(version)
            return False
        self._served[origin.key] = version
        if before is not None:
            text, where = "plugin %s has changed: new jobs run %s", about(plugin=_name(version))
            log.info(text, _name(version), _short(version), extra=where)
        for name, why in version.plugins.broken.items():
            log.error("plugin %s is left out: %s", name, why, extra=about(plugin=name))
        if version.note:
            name = _name(version)
            log.warning("plugin %s: %s", name, version.note, extra=about(plugin=name))
        return True

    async def _version(self, origin: Origin, before: Version | None) -> Version:
        packing = self._place / f"{TEMPORARY}{secrets.token_hex(8)}"
        try:
            packed = await trio.to_thread.run_sync(pack_origin, origin, packing)
            plugin, note = await trio.to_thread.run_sync(plugin_of, origin, packed)
            self._check_name(origin, packed)
            same = before is not None and (before.shipped.plugin, before.note) == (plugin, note)
            if before is not None and same and self._blobs.path(packed.digest) is not None:
                return before
            await self._blobs.put(packed.digest, packed.size, _pieces(packing))
        finally:
            packing.unlink(missing_ok=True)
        archive = self._blobs.path(packed.digest)
        assert archive is not None, "a blob that was put is there"
        added = self._since(plugin)
        return await self._load(plugin, archive, origin.place, added, note)

    def _since(self, plugin: Plugin) -> float:
        """Return since when an archive is the newest of its name, in Unix time.

        That is later than all before it, whatever the clock says.
        """
        newest = self._newest.get(plugin.name)
        if newest is None:
            return self._wall()
        if newest.digest == plugin.digest:
            return newest.added
        return max(self._wall(), newest.added + LATER_SECONDS)

    def _check_name(self, origin: Origin, packed: Packed) -> None:
        for key, other in self._served.items():
            if key != origin.key and _name(other) == packed.manifest.name:
                raise PluginError(
                    f"there are two plugins of this name, {other.place} and this; the first stays"
                )

    async def _load(
        self, plugin: Plugin, archive: Path, place: str, added: float, note: str
    ) -> Version:
        folder = self._place / plugin.digest.hex()
        return await trio.to_thread.run_sync(
            load_version, plugin, archive, folder, place, added, note, abandon_on_cancel=True
        )

    def _try_again(self, origin: Origin) -> None:
        self._again[origin.key] = trio.current_time() + limits_plugins.PLUGINS_AGAIN_SECONDS

    def _complain(self, origin: Origin, why: str, before: Version | None) -> None:
        """Note that a whole plugin cannot be taken up."""
        self._note_broken(origin, {origin.name: f"plugin {origin.name!r}: {why}"}, before)

    def _refuse(self, origin: Origin, version: Version, before: Version | None) -> None:
        """Note that some of the plugins in a version cannot be loaded."""
        self._note_broken(origin, version.plugins.broken, before)

    def _note_broken(self, origin: Origin, lines: dict[str, str], before: Version | None) -> None:
        notes = {}
        if before is not None and self._blobs.path(before.digest) is None:
            self._try_again(origin)
        for name, line in lines.items():
            text = " ".join(line.removeprefix(f"plugin {name!r}: ").split())
            if before is not None:
                text = f"it has changed, and {_short(before)} stays in service: {text}"
            notes[name] = f"plugin {name!r}: {text}"[: limits_executor.BROKEN_CHARS]
            log.error("plugin %s is left out: %s", name, notes[name], extra=about(plugin=name))
        self._broken[origin.key] = notes

    def _serve(self) -> None:
        versions = [self._served[key] for key in self._order if key in self._served]
        broken = [self._broken[key] for key in self._order if key in self._broken]
        self._types.serve(versions, {name: why for one in broken for name, why in one.items()})

    # --- looking --------------------------------------------------------------------------------

    def _look(self) -> list[tuple[Origin, Traces]]:
        """Return all plugins that are there, each once, with what tells whether one has changed."""
        found: dict[str, Origin] = {}
        for origin in (
            *map(Origin.again, self._installed),
            *find_origins(self._folders, entry_points=False),
        ):
            found.setdefault(origin.key, origin)
        return [(origin, traces_of(origin)) for origin in found.values()]

    async def watch(self, tell: Tell, in_use: Container[bytes]) -> None:
        """Look after the plugins for as long as it is not cancelled.

        Args:
            tell: is told of versions that are new, before any job is pinned to one.
            in_use: the archives that unfinished jobs run.
        """
        while True:
            started = trio.current_time()
            try:
                await self.look(tell)
                await self.thin_out(in_use)
            except Exception:
                log.exception("plugins stay as they are: this is a mistake in dc")
            took = trio.current_time() - started
            await trio.sleep(
                max(limits_plugins.PLUGINS_LOOK_SECONDS, took * limits_plugins.PLUGINS_LOOK_SHARE)
            )

    async def look(self, tell: Tell) -> None:
        """Take up what has changed and was the same in the last look."""
        try:
            found = await trio.to_thread.run_sync(self._look)
        except (DcError, OSError) as error:
            if self._trouble != str(error):
                log.error("plugins stay as they are: %s", error)
            self._trouble = str(error)
            return
        self._trouble = ""
        changed = self._note_order([origin.key for origin, _ in found])
        for origin, traces in found:
            settled = self._seen.get(origin.key) == traces
            self._seen[origin.key] = traces
            if settled and (self._is_due(origin.key) or self._taken.get(origin.key) != traces):
                self._taken[origin.key] = traces
                await self._take(origin)
                changed = True
        if changed:
            tell(self._new())
            self._serve()

    def _is_due(self, key: str) -> bool:
        """Whether a plugin is to be taken up though it has not changed."""
        version = self._served.get(key)
        lost = version is not None and self._blobs.path(version.digest) is None
        return self._again.get(key, 0.0 if lost else math.inf) <= trio.current_time()

    def _note_order(self, there: list[str]) -> bool:
        """Note which plugins are there; take out of service what was gone in the last look, too.

        Returns:
            Whether anything is other than it was.
        """
        missing = [key for key in self._order if key not in there]
        order = there + [key for key in missing if key not in self._missing]
        for key in set(self._order) - set(order):
            self._forget(key)
        self._missing = set(missing) & set(order)
        changed = order != self._order
        self._order = order
        return changed

    def _forget(self, key: str) -> None:
        version = self._served.pop(key, None)
        for notes in (self._broken, self._taken, self._seen, self._again):
            notes.pop(key, None)
        for broken in self._broken:  # it may have been in the way of these
            self._taken.pop(broken, None)
        if version is not None:
            text, where = "plugin %s is gone from %s: new jobs cannot use it", _name(version)
            log.info(text, where, key, extra=about(plugin=where))

    async def thin_out(self, in_use: Container[bytes]) -> None:
        """Unload versions that are out of service and that no unfinished job runs."""
        served = {one.digest for one in self._served.values()}
        for version in self._types.loaded:
            if version.digest not in served and version.digest not in in_use:
                self._types.unload(version.digest)
                await self._unload(version)

    async def _unload(self, version: Version) -> None:
        await trio.to_thread.run_sync(unload, version.folder)


def traces_of(origin: Origin) -> Traces:
    """Return what tells whether an origin has changed; a file that is gone is left out."""
    found = []
    signature = [] if origin.folder is None else [signature_path(origin.folder)]
    for path in (*origin.traces(), *signature):
        try:
            status = path.stat()
        except OSError:
            continue
        found.append((str(path), status.st_mtime_ns, status.st_size))
    return tuple(sorted(found))


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := await trio.to_thread.run_sync(file.read, limits_http.FILE_PIECE_BYTES):
            yield piece


def _name(version: Version) -> str:
    return version.manifest.name


def _short(version: Version) -> str:
    known = version.manifest.version
    return f"{known} ({version.digest.hex()[:12]})" if known else version.digest.hex()[:12]
