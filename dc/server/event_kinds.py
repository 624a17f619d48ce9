"""The kinds of events, and what is said of many of one kind."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from dc import limits_shown
from dc.view_server import Level


class Kind(Struct, frozen=True):
    """A kind of event.

    Attributes:
        many: what is said of `{count}` of them at once, by `{who}`.
        level: how grave one is.
        at_once: how many in a row are each told for themselves.
    """

    many: str
    level: Level = "info"
    at_once: int = limits_shown.EVENTS_AT_ONCE


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "server.started": Kind("the server started {count} times"),
        "server.stopped": Kind("the server stopped {count} times"),
        "server.trouble": Kind("writing failed {count} times, for one reason or another", "error"),
        "server.mended": Kind("writing worked again {count} times"),
        "disk.low": Kind("the disk was nearly full {count} times", "warning"),
        "disk.free": Kind("the disk had room again {count} times"),
        "setting.changed": Kind("{count} settings were changed by {who}"),
        "plugin.added": Kind("{count} plugins were added"),
        "plugin.changed": Kind("{count} plugins were changed"),
        "plugin.broken": Kind("{count} plugins could not be taken up", "error"),
        "submitter.weight": Kind("the weights of {count} submitters were set by {who}"),
        "job.submitted": Kind("{count} jobs of {who} were submitted"),
        "job.finished": Kind("{count} jobs of {who} finished"),
        "job.failed": Kind("{count} jobs of {who} finished with failed tasks", "warning"),
        "job.cancelled": Kind("{count} jobs were cancelled by {who}"),
        "job.paused": Kind("{count} jobs were paused by {who}"),
        "job.resumed": Kind("{count} jobs were resumed by {who}"),
        "job.changed": Kind("{count} jobs were changed by {who}"),
        "job.retried": Kind("failed tasks of {count} jobs were queued again by {who}"),
        "job.deserted": Kind("{count} jobs were left by {who} before their end", "warning"),
        "job.removed": Kind("{count} jobs that were kept for long enough were removed", at_once=0),
        "task.cancelled": Kind("tasks of jobs were cancelled {count} times by {who}"),
        "worker.came": Kind("{count} workers came"),
        "worker.back": Kind("{count} workers came back"),
        "worker.away": Kind("{count} workers are away: their connections are lost", "warning"),
        "worker.went": Kind("{count} workers went"),
        "worker.lost": Kind("{count} workers were away for too long and lost tasks", "warning"),
        "worker.sick": Kind("{count} workers are sick", "warning"),
        "worker.well": Kind("{count} workers are well again"),
        "worker.paused": Kind("{count} workers were paused by {who}"),
        "worker.resumed": Kind("{count} workers were resumed by {who}"),
        "worker.drained": Kind("{count} workers were drained by {who}"),
        "worker.stopped": Kind("{count} workers were stopped by {who}"),
        "worker.restarted": Kind("{count} workers were restarted by {who}"),
        "worker.off": Kind("the computers of {count} workers were switched off by {who}"),
        "worker.rebooted": Kind("the computers of {count} workers were booted anew by {who}"),
        "worker.reread": Kind("{count} workers were told by {who} to read configurations anew"),
        "worker.woken": Kind("{count} computers were called to wake by {who}"),
        "worker.deleted": Kind("{count} workers were deleted by {who}"),
        "worker.renamed": Kind("{count} workers were renamed by {who}"),
        "worker.changed": Kind("{count} workers were changed by {who}"),
    }
)
"""All kinds. What they begin with, before the point, says what they are about."""
