"""What the API shows of workers. Times are Unix times in seconds, sizes are bytes."""

from __future__ import annotations

from msgspec import Struct

from dc.view_jobs import ProgressView, ReasonView


class TypeName(Struct, frozen=True):
    """A task type."""

    name: str
    version: str


class RunningView(Struct, frozen=True):
    """A task that a worker runs, since `began` as far as that is known."""

    job: int
    number: int
    attempt: int
    progress: ProgressView | None
    type: str = ""
    began: float | None = None


class VitalsView(Struct, frozen=True):
    """How a worker's computer is, as it said at `at`; None where it cannot tell.

    Attributes:
        processors: of 1, how busy they are, by whatever runs there.
        memory_used, memory_total, disk_free: bytes.
        temperature: degrees Celsius.
        battery: of 1; `mains` whether it is on mains power.
        dc_memory, dc_processors: of that, what this worker and its tasks use; the second in
            processors, so that 2.5 is two and a half of them.
    """

    at: float
    processors: float | None = None
    memory_used: int | None = None
    memory_total: int | None = None
    disk_free: int | None = None
    temperature: float | None = None
    battery: float | None = None
    mains: bool | None = None
    dc_memory: int | None = None
    dc_processors: float | None = None


class ApplianceView(Struct, frozen=True):
    """A computer that was booted from the image, as it said last.

    Attributes:
        image: the image's version.
        macs: addresses of its network cards, by which it can be woken.
        orders: what it can be told, of `off`, `reboot` and `reread`.
    """

    image: str
    macs: list[str]
    orders: list[str]


class WorkerView(Struct, frozen=True, kw_only=True):
    """A worker: who is here, away, or has gone.

    Attributes:
        name: by which it is called here; `own_name` what it calls itself.
        rate: tasks that finish in a second, of the last ten or, if they are few, the last sixty.
        failing: of the tasks that ended here lately, of 1, how many failed.
        appliance: what its computer was booted from, if that is the image.
    """

    name: str
    own_name: str = ""
    key: str = ""
    state: str
    why: str
    reason: ReasonView | None
    note: str
    address: str
    software: str = ""
    slots: int
    own_slots: int
    held: int
    running: list[RunningView]
    types: list[TypeName]
    labels: dict[str, str]
    own_labels: dict[str, str] = {}
    resources: dict[str, float]
    broken: dict[str, str]
    takes_plugins: bool
    installs: bool
    trusts: list[str]
    lapses_in: float | None
    connected_at: float | None
    seen: float | None
    leaves_in: float | None
    done: int
    failed: int
    rate: float = 0.0
    failing: float = 0.0
    vitals: VitalsView | None = None
    appliance: ApplianceView | None = None


class WorkersPage(Struct, frozen=True):
    """Some workers; `next` is the cursor of those that follow, None at the end."""

    workers: list[WorkerView]
    next: str | None = None


class Presence(Struct, frozen=True):
    """A time during which a worker was here; `until` is None while it is."""

    since: float
    until: float | None
    done: int
    failed: int


class WorkerHistory(Struct, frozen=True):
    """When a worker was here, lately."""

    name: str
    presence: list[Presence]


class WorkersChanged(Struct, frozen=True):
    """The workers that were changed, as they are now."""

    workers: list[WorkerView]


class WorkersWoken(Struct, frozen=True):
    """The names of the workers whose computers a call to wake was sent to, and the networks.

    Whether it woke anybody is not known: nobody answers.
    """

    sent: list[str]
    networks: list[str]


class WorkersDeleted(Struct, frozen=True):
    """The names of the workers that were deleted."""

    deleted: list[str]
