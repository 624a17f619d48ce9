"""In an executor: plugins that came from the server, imported when a task needs them first."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from dc.context import Context
from dc.errors import DcError, PluginError, UnknownTaskType
from dc.plugin_manifest import DEPS
from dc.plugin_shipped import adopt, sources_of
from dc.plugin_unpacked import carries
from dc.plugins import Plugins
from dc.tasktypes import TaskType
from dc.typed import Typed


class Shipped:
    """What this process has imported, by the folders of unpacked archives."""

    def __init__(self) -> None:
        self._all: dict[str, Plugins] = {}

    def has(self, folder: str) -> bool:
        """Whether a plugin was imported, or found to be broken, already."""
        return folder in self._all

    def load(self, folder: str, site: str) -> str:
        """Import a plugin; return why that cannot be done, or an empty text.

        What is broken stays so in this process; what is not there is looked for again.

        Args:
            folder: of its unpacked archive.
            site: of what was installed for it; empty for nothing.
        """
        place = Path(folder)
        plugins = Plugins()
        try:
            sources = sources_of(place)
            if site and not Path(site).is_dir():
                raise PluginError(f"what was installed for it is gone: {site}")
        except PluginError as error:
            return str(error)
        adopt([*([place / DEPS] if carries(place) else []), *([Path(site)] if site else [])])
        with contextlib.redirect_stdout(sys.stderr):
            for source in sources:
                plugins.load(source)
        self._all[folder] = plugins
        return "" if plugins.types else "; ".join(plugins.broken.values())

    def get(self, folder: str, name: str, version: str) -> TaskType:
        """Return a task type of a plugin; one whose every run says why, if there is none."""
        plugins = self._all.get(folder)
        if plugins is None:
            return Absent(name, version, PluginError("its plugin could not be imported"))
        try:
            return plugins.get(name, version)
        except UnknownTaskType as error:
            broken = "; ".join(plugins.broken.values())
            return Absent(name, version, PluginError(broken) if broken else error)


class Absent(TaskType):
    """Stands for a task type of which there is no code here: each run raises the error."""

    def __init__(self, name: str, version: str, error: DcError) -> None:
        side = Typed("bytes", bytes, name)
        super().__init__(name, version, side, side)
        self._error = error

    def run(self, payload: bytes, context: Context | None = None) -> bytes:  # noqa: ARG002
        """Raise what is wrong: a task like any other, that fails."""
        raise self._error.with_traceback(None)
