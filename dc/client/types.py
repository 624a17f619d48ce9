"""The task types that the client knows: those it was given, and those of plugins at hand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dc.errors import UnknownTaskType
from dc.plugins import Plugins, load_plugins
from dc.tasktypes import Codec, TaskType, untyped


class KnownTypes:
    """Finds task types by name; plugins are loaded when the first one is asked for.

    Args:
        folders: of plugins, beside those of installed packages.
    """

    def __init__(self, folders: Iterable[str | Path]) -> None:
        self._folders = [Path(folder) for folder in folders]
        self._plugins: Plugins | None = None

    def get(self, kind: str | TaskType, version: str = "") -> TaskType:
        """Return a task type; without a version, the newest at hand.

        Raises:
            UnknownTaskType: there is no plugin for it here.
            StartError: one of the plugin folders is none.
        """
        if isinstance(kind, TaskType):
            return kind
        if self._plugins is None:
            self._plugins = load_plugins(self._folders)
        return self._plugins.get(kind, version)

    def agreed(
        self, kind: str | TaskType, version: str, payload: str, result: str
    ) -> TaskType:
        """Return the type as the server has it: ours if that is the same, else an untyped one.

        Args:
            kind: its name, or the type itself.
            version: the server's.
            payload: the server's codec of payloads, `bytes` or `msgpack`.
            result: the same of results.
        """
        theirs = (version, payload, result)
        try:
            ours = self.get(kind, version)
        except UnknownTaskType:
            pass
        else:
            if (ours.version, ours.payload_codec, ours.result_codec) == theirs:
                return ours
        name = kind if isinstance(kind, str) else kind.name
        return untyped(name, version, _codec(payload), _codec(result))


def _codec(name: str) -> Codec:
    return "bytes" if name == "bytes" else "msgpack"
