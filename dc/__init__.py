"""dc turns a pile of unequal computers into one. These are its public names."""

from __future__ import annotations

from dc.client.open_job import OpenJob
from dc.client.options import JobOptions
from dc.client.plain_client import Client, Job
from dc.client.records import Finished, JobStatus
from dc.client.trio_client import AsyncClient
from dc.client.trio_job import AsyncJob
from dc.errors import (
    ConnectionLost,
    DcError,
    DuplicateName,
    JobCancelled,
    KeyConflict,
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
    "AsyncClient",
    "AsyncJob",
    "Client",
    "ConnectionLost",
    "Context",
    "DcError",
    "DuplicateName",
    "Finished",
    "Job",
    "JobCancelled",
    "JobOptions",
    "JobStatus",
    "KeyConflict",
    "NotPermitted",
    "OpenJob",
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
