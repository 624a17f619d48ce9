"""dc turns a pile of unequal computers into one. These are its public names."""

from __future__ import annotations

from dc.errors import (
    ConnectionLost,
    DcError,
    DuplicateName,
    JobCancelled,
    NotPermitted,
    OptionsError,
    PayloadError,
    PluginError,
    ProtocolError,
    ServerStopped,
    StartError,
    StoreError,
    TaskFailed,
    UnknownJob,
    UnknownTask,
    UnknownTaskType,
    VersionError,
)
from dc.hooks import hookimpl
from dc.tasktypes import Context, TaskType, task_type

__version__ = "0.1.0"

__all__ = [
    "ConnectionLost",
    "Context",
    "DcError",
    "DuplicateName",
    "JobCancelled",
    "NotPermitted",
    "OptionsError",
    "PayloadError",
    "PluginError",
    "ProtocolError",
    "ServerStopped",
    "StartError",
    "StoreError",
    "TaskFailed",
    "TaskType",
    "UnknownJob",
    "UnknownTask",
    "UnknownTaskType",
    "VersionError",
    "__version__",
    "hookimpl",
    "task_type",
]
