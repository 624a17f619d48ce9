"""Parts of a worker that a usual start does not use, each imported when it is first asked for.

`seldom.install` is the module dc.worker.install. On a slow computer the import of its modules is
most of the time until a worker has its first task. So what is run instead of the worker, or only
for what few plugins and few command lines ask, is named here, and who needs a part takes it from
here. An import reads files: once a worker is at work, it belongs into a thread.
"""

from __future__ import annotations

import importlib
import typing

if typing.TYPE_CHECKING:
    from dc.worker import install, plugin_needs, senses, show

__all__ = ["install", "plugin_needs", "senses", "show"]

if not typing.TYPE_CHECKING:  # which would take every name for one that is there

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return importlib.import_module(f"dc.worker.{name}")
