"""What the API shows of the server as a whole. Times are Unix times in seconds."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from msgspec import Struct

from dc.view_jobs import CountsView, FailureGroup, Left

Level: TypeAlias = Literal["info", "warning", "error"]


class Problem(Struct, frozen=True, kw_only=True):
    """Why nothing was done, as in RFC 9457; `application/problem+json`.

    Attributes:
        type: a relative reference to what the API's description says of this code.
        title: the same for each problem of this code.
        status: the HTTP status.
        detail: what is wrong here, and what to do.
        code: one word for programs.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str


class ProblemKind(Struct, frozen=True):
    """What the problems of a code have in common; `text` says all that is to be said of them."""

    code: str
    status: int
    title: str
    text: str


class StatusView(Struct, frozen=True, kw_only=True):
    """The server in numbers.

    Attributes:
        jobs: unfinished ones, by state.
        refused: answers of workers that were not taken, by code, since the start.
        trouble: why nothing is written down at present, or empty.
        disk_free: where the data folder is.
    """

    software: str
    version: str
    protocol: int
    identity: str = ""
    started: float
    address: str
    data: str
    tasks: CountsView
    jobs: dict[str, int]
    workers: int
    away: int
    sick: int
    slots: int
    busy: int
    rate: float
    types: int
    broken: dict[str, str]
    refused: dict[str, int]
    trouble: str
    retention: dict[str, Any]
    bytes: int
    quotas: dict[str, int | None]
    reserve: int | None
    disk_free: int | None = None


class Attention(Struct, frozen=True):
    """Something that an operator should look at.

    Attributes:
        kind: one word, such as `sick`, `impossible`, `disk`, `away`, `trouble`, `plugin`,
            `deserted`, `failing`.
        text: a sentence on what it is and what to do.
        link: the path of the page to look at.
        since: when it began, if that is known.
    """

    kind: str
    level: Level
    text: str
    link: str
    since: float | None = None


class RecentFailure(Struct, frozen=True):
    """A group of failures of a job, lately."""

    job: int
    name: str
    type: str
    group: FailureGroup


class OverviewView(Struct, frozen=True):
    """All that the first page shows at a glance."""

    now: float
    status: StatusView
    left: Left
    attention: list[Attention]
    failures: list[RecentFailure]


class HistoryView(Struct, frozen=True):
    """The server over time, in steps of `step` seconds, the oldest first.

    `at` has the Unix time of the beginning of each step; `series` has by name a list as long:
    `done` and `failed` (tasks in that step), `queued`, `running`, `workers`, `away`, `slots`,
    `busy` (at its end), `bytes`. None where the server did not run.
    """

    step: float
    at: list[float]
    series: dict[str, list[float | None]]


class EventView(Struct, frozen=True, kw_only=True):
    """Something that an operator or the system did.

    Attributes:
        event: its number; they grow.
        kind: such as `job.submitted`, `job.paused`, `worker.came`, `worker.sick`, `plugin.added`,
            `setting.changed`, `server.started`.
        who: `operator`, `server`, a submitter, or a worker's name.
        text: a sentence.
        job, task, worker: what it is about.
    """

    event: int
    at: float
    level: Level
    kind: str
    who: str
    text: str
    job: int | None = None
    task: int | None = None
    worker: str = ""


class EventsPage(Struct, frozen=True):
    """Some events, the newest first; `next` is the cursor of those before them."""

    events: list[EventView]
    next: str | None = None


class SettingView(Struct, frozen=True, kw_only=True):
    """Something that is set of the server.

    Attributes:
        name: as on the command line, without the dashes.
        value: as it is now, as text; `text` the same for people.
        origin: `default`, `command line` or `operator`.
        doc: what it is, with its unit.
        changeable: whether it can be set while the server runs.
    """

    name: str
    value: str
    text: str
    origin: Literal["default", "command line", "operator"]
    doc: str
    changeable: bool


class SettingsView(Struct, frozen=True):
    """All settings."""

    settings: list[SettingView]


class SubmitterView(Struct, frozen=True):
    """Who submits jobs; `jobs` counts the unfinished ones."""

    name: str
    weight: float
    jobs: int
    bytes: int


class SubmittersView(Struct, frozen=True):
    """All submitters."""

    submitters: list[SubmitterView]


class ShareView(Struct, frozen=True):
    """The weight that a submitter has now."""

    name: str
    weight: float
