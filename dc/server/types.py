"""The task types of the server's plugins, those that are in service and those that jobs still run.

A type is in service if new jobs get it. A job goes on with the archive that it was submitted with:
that may be out of service long since, and is known, and loaded, for as long as a job needs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dc.errors import UnknownTaskType
from dc.plugins import Plugins
from dc.server.shipping import Shipped
from dc.server.versions import Version
from dc.tasktypes import TaskType
from dc.view_plugins import TypeView
from dc.view_workers import TypeName


class PluginTypes:
    """What the server shows and checks of its plugins.

    Args:
        plugins: those in service, where they are in no archives.
    """

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins
        self._archives: dict[str, bytes] = {}  # by the name of a plugin in service
        self._loaded: dict[bytes, Version] = {}
        self._known: dict[bytes, Shipped] = {}
        self._rows: dict[TaskType, TypeView] = {}  # as shown: schemas take long to make
        self.versions: list[Version] = []

    # --- what the reactor asks ------------------------------------------------------------------

    def get(self, name: str, version: str = "", plugin: bytes = b"") -> TaskType:
        """Return a type, its newest version by default; UnknownTaskType when there is none.

        Args:
            name: of the type.
            version: of the type.
            plugin: the archive whose code is wanted, if it is still loaded.
        """
        pinned = self._loaded.get(plugin)
        if pinned is not None:
            try:
                return pinned.plugins.get(name, version)
            except UnknownTaskType:
                pass  # it was hidden by a plugin of another archive then
        return self._plugins.get(name, version)

    def plugin(self, name: str, version: str) -> bytes:
        """Return the archive that the code of a type in service is in; empty if it is in none."""
        try:
            return self._archives.get(self._plugins.where(name, version), b"")
        except UnknownTaskType:
            return b""

    def shipped(self, plugin: bytes) -> Shipped | None:
        """Return what is to be known of an archive to ship it; None if it is not known."""
        return self._known.get(plugin)

    # --- what the shelf says --------------------------------------------------------------------

    def know(self, shipped: Shipped) -> None:
        """Note an archive that can be shipped."""
        self._known[shipped.plugin.digest] = shipped

    def forget(self, plugin: bytes) -> None:
        """Note that no job runs an archive any more, unless it has come back into service."""
        if all(version.digest != plugin for version in self.versions):
            self._known.pop(plugin, None)

    def keep(self, version: Version) -> None:
        """Note a version that is loaded for jobs that go on with it."""
        self.know(version.shipped)
        self._loaded[version.digest] = version

    def unload(self, plugin: bytes) -> None:
        """Note that the code of an archive is not loaded any more; it can still be shipped."""
        self._loaded.pop(plugin, None)

    def serve(self, versions: Sequence[Version], broken: Mapping[str, str]) -> None:
        """Put these versions into service, and no others.

        Args:
            versions: in order: of two plugins or types of one name the first one stays.
            broken: by plugin, a line on what else is wrong.
        """
        plugins, archives = Plugins(), dict[str, bytes]()
        for version in versions:
            self.keep(version)
            for source in version.imported:
                archives.setdefault(source.name, version.digest)
                plugins.load(source)
        for lines in (*(version.plugins.broken for version in versions), broken):
            for name, line in lines.items():
                plugins.broken[name] = "; ".join(filter(None, [plugins.broken.get(name), line]))
        self._plugins, self._archives, self.versions = plugins, archives, list(versions)
        self._rows = {}

    @property
    def loaded(self) -> list[Version]:
        """All versions whose code is loaded."""
        return list(self._loaded.values())

    # --- what is shown --------------------------------------------------------------------------

    @property
    def broken(self) -> dict[str, str]:
        """Plugins that could not be loaded, and why."""
        return dict(self._plugins.broken)

    def names(self) -> list[TypeName]:
        """The task types in service."""
        return [TypeName(one.name, one.version) for one in self._plugins.types]

    def rows(self) -> list[TypeView]:
        """Return each type in service as the API shows it."""
        return [self._row(type_) for type_ in self._plugins.types]

    def _row(self, type_: TaskType) -> TypeView:
        found = self._rows.get(type_)
        if found is None:
            found = self._rows[type_] = self._new_row(type_)
        return found

    def _new_row(self, type_: TaskType) -> TypeView:
        plugin = self._plugins.where(type_.name, type_.version)
        return TypeView(
            name=type_.name,
            version=type_.version,
            plugin=plugin,
            archive=self._archives.get(plugin, b"").hex(),
            doc=type_.doc,
            payload=type_.payload_codec,
            result=type_.result_codec,
            payload_schema=type_.payload_schema,
            result_schema=type_.result_schema,
            options=dict(type_.options),
        )
