"""Parts of a worker that a usual start does not use, each imported when it is first asked for.

On a slow computer most of the time until a worker has its first task is the import of its modules,
and so it is with an executor. So what is run instead of the worker, or what only few plugins, tasks
and command lines ask for, is named here, and who needs such a part takes it from here:
`seldom.install` is the module dc.worker.install. An import reads files: once a worker is at work,
it belongs into a thread.
"""

from __future__ import annotations

import importlib
import typing

if typing.TYPE_CHECKING:
    from dc.worker import former_fetch, install, plugin_needs, senses, show

__all__ = ["former_fetch", "install", "plugin_needs", "senses", "show"]

if not typing.TYPE_CHECKING:  # which would take every name for one that is there

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return importlib.import_module(f"dc.worker.{name}")
