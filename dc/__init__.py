"""dc turns a pile of unequal computers into one. These are its public names.

All but errors are imported when they are first asked for. A plugin imports this module in each
executor, and a client's modules, Trio among them, would take it three quarters of its start. And
what plugins are made with is of no use to a worker's agent, in which none of their code runs.
"""

from __future__ import annotations

import importlib
import typing

from dc.errors import (
    ConnectionLost,
    DcError,
    DuplicateName,
    JobCancelled,
    KeyConflict,
    NotPermitted,
    NoWorkerWarning,
    OptionsError,
    PayloadError,
    PluginError,
    ProtocolError,
    ServerStopped,
    SignatureError,
    StartError,
    StoreError,
    TaskFailed,
    TaskStopped,
    TimeLimit,
    UnknownJob,
    UnknownTask,
    UnknownTaskType,
    VersionError,
)

if typing.TYPE_CHECKING:
    from dc.client.handles import AsyncHandle, Handle
    from dc.client.open_job import OpenJob
    from dc.client.options import JobOptions
    from dc.client.plain_client import Client
    from dc.client.plain_job import Job
    from dc.client.records import Finished, JobStatus
    from dc.client.sources import BlobRef
    from dc.client.trio_client import AsyncClient
    from dc.client.trio_job import AsyncJob
    from dc.context import Context
    from dc.hooks import hookimpl
    from dc.tasktypes import TaskType, task_type

__version__ = "0.1.0"

__all__ = [
    "AsyncClient",
    "AsyncHandle",
    "AsyncJob",
    "BlobRef",
    "Client",
    "ConnectionLost",
    "Context",
    "DcError",
    "DuplicateName",
    "Finished",
    "Handle",
    "Job",
    "JobCancelled",
    "JobOptions",
    "JobStatus",
    "KeyConflict",
    "NoWorkerWarning",
    "NotPermitted",
    "OpenJob",
    "OptionsError",
    "PayloadError",
    "PluginError",
    "ProtocolError",
    "ServerStopped",
    "SignatureError",
    "StartError",
    "StoreError",
    "TaskFailed",
    "TaskStopped",
    "TaskType",
    "TimeLimit",
    "UnknownJob",
    "UnknownTask",
    "UnknownTaskType",
    "VersionError",
    "__version__",
    "hookimpl",
    "task_type",
]

_LATER = {
    "AsyncClient": "dc.client.trio_client",
    "AsyncHandle": "dc.client.handles",
    "AsyncJob": "dc.client.trio_job",
    "BlobRef": "dc.client.sources",
    "Client": "dc.client.plain_client",
    "Context": "dc.context",
    "Finished": "dc.client.records",
    "Handle": "dc.client.handles",
    "Job": "dc.client.plain_job",
    "JobOptions": "dc.client.options",
    "JobStatus": "dc.client.records",
    "OpenJob": "dc.client.open_job",
    "TaskType": "dc.tasktypes",
    "hookimpl": "dc.hooks",
    "task_type": "dc.tasktypes",
}

if not typing.TYPE_CHECKING:  # which would take every name for one that is there

    def __getattr__(name: str) -> object:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(_LATER[name]), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
