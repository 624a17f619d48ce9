"""The task types that the client knows: those it was given, and those of plugins at hand."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

from dc.errors import UnknownTaskType
from dc.messages_client import Accepted, Status
from dc.plugins import Plugins, load_plugins
from dc.tasktypes import TaskType, untyped
from dc.typed import Codec


class KnownTypes:
    """Finds task types by name; plugins are loaded when the first one is asked for.

    Args:
        folders: of plugins, beside those of installed packages.
    """

    def __init__(self, folders: Iterable[str | Path]) -> None:
        self._folders = [Path(folder) for folder in folders]
        self._plugins: Plugins | None = None
        self._loading = threading.Lock()

    @property
    def loaded(self) -> bool:
        """Whether the plugins have been loaded."""
        return self._plugins is not None

    def load(self) -> Plugins:
        """Load the plugins, the first time; any thread may call this.

        Raises:
            StartError: one of the plugin folders is none.
        """
        with self._loading:
            if self._plugins is None:
                self._plugins = load_plugins(self._folders)
            return self._plugins

    def get(self, kind: str | TaskType, version: str = "") -> TaskType:
        """Return a task type; without a version, the newest at hand.

        Raises:
            UnknownTaskType: there is no plugin for it here.
            StartError: one of the plugin folders is none.
        """
        if isinstance(kind, TaskType):
            return kind
        return self.load().get(kind, version)

    def agreed(self, kind: str | TaskType, said: Accepted | Status) -> TaskType:
        """Return the type as the server has it: ours if that is the same, else an untyped one.

        Args:
            kind: the type or its name.
            said: what the server said of it.
        """
        theirs = (said.version, said.payload, said.result)
        try:
            ours = self.get(kind, said.version)
        except UnknownTaskType:
            pass
        else:
            if (ours.version, ours.payload_codec, ours.result_codec) == theirs:
                return ours
        return untyped(said.type, said.version, _codec(said.payload), _codec(said.result))


def _codec(name: str) -> Codec:
    return "bytes" if name == "bytes" else "msgpack"
