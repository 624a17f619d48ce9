"""The task types of the server's plugins, and the plugins that could not be loaded."""

from __future__ import annotations

from typing import Any

from dc.plugins import Plugins
from dc.server.board import TypeInfo


class PluginTypes:
    """What the server shows and checks of its plugins."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins

    def get(self, name: str, version: str = "") -> TypeInfo:
        """Return a type, its newest version by default; UnknownTaskType when there is none."""
        return self._plugins.get(name, version)

    @property
    def broken(self) -> dict[str, str]:
        """Plugins that could not be loaded, and why."""
        return dict(self._plugins.broken)

    def rows(self) -> list[dict[str, Any]]:
        """Return each type as the API shows it."""
        return [
            {
                "name": type_.name,
                "version": type_.version,
                "plugin": self._plugins.where(type_.name, type_.version),
                "doc": type_.doc,
                "payload": type_.payload_codec,
                "result": type_.result_codec,
            }
            for type_ in self._plugins.types
        ]
