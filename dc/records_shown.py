"""What the server writes down so that it can be shown: its life over time, events, settings."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from dc.view_server import EventView


class HistoryStep(Struct, frozen=True, array_like=True):
    """The server in one step of its history, or in several of them that were put together.

    Attributes:
        at: when the step began, in whole seconds of Unix time.
        done, failed: tasks that had their outcomes in it.
        queued, running, workers, away, slots, busy, bytes: how many at its end.
    """

    at: int
    done: int
    failed: int
    queued: int
    running: int
    workers: int
    away: int
    slots: int
    busy: int
    bytes: int


class History(Struct, frozen=True):
    """These steps of limits_shown.HISTORY_SECONDS are over.

    One that is known already is gone on with: tasks are added, the rest is as it is now.
    """

    steps: list[HistoryStep]


class PresenceRow(Struct, frozen=True, array_like=True):
    """The worker of a key was here from `since` on, in Unix time; `until` is None while it is."""

    key: str
    since: float
    until: float | None
    done: int
    failed: int


class Presences(Struct, frozen=True):
    """Workers have come or gone; one that came at the same time is the same row.

    `ended` is not None where the server has just started: nobody was here after that time.
    """

    rows: list[PresenceRow]
    ended: float | None = None


class Events(Struct, frozen=True):
    """These events are to be remembered; their numbers grow."""

    rows: list[EventView]


class EventFilter(Struct, frozen=True):
    """Which events are wanted: those of which all is true that is said here.

    Attributes:
        kind: such as `job.paused`, or `job` for all kinds that begin so.
        level: `info`, `warning` or `error`.
        who: did it.
        job: it is about this job.
        worker: it is about the worker of this name.
        search: is in its text, in whatever case of Latin letters.
    """

    kind: str = ""
    level: str = ""
    who: str = ""
    job: int | None = None
    worker: str = ""
    search: str = ""


class SettingChanged(Struct, frozen=True):
    """An operator has set something of the server; None takes that back."""

    name: str
    value: str | None


ShownRecord: TypeAlias = History | Presences | Events | SettingChanged
