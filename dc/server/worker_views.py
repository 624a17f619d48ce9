"""What is shown of workers."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable

import trio
from msgspec import structs

from dc import limits
from dc.errors import UnknownWorker
from dc.messages_worker import About
from dc.records import WorkerRow
from dc.server.app import ServerApp
from dc.server.orders import GONE
from dc.server.reason import Reason, view_of
from dc.server.roster import KEY_SHOWN, Worker
from dc.signing import public_text
from dc.view_workers import ApplianceView, RunningView, TypeName, VitalsView, WorkerView

SIZES = ("memory_used", "memory_total", "disk_free", "dc_memory")
"""What of the vitals is in bytes."""

VIEWS_AT_ONCE = 50
"""Views of workers that are made before others have their turn: some milliseconds."""

RUNNING_SHOWN = 64
"""Tasks of one worker that are listed as running, at most."""


class WorkerViews:
    """Looks workers up for those who ask over HTTP.

    Args:
        app: the server.
    """

    def __init__(self, app: ServerApp) -> None:
        self._app = app

    def all(self, gone: int = limits.KNOWN_WORKERS) -> list[WorkerView]:
        """Return all workers by name: those that are here or away, and the last that have gone.

        Args:
            gone: so many of these at most.
        """
        side = self._app.reactor.workers
        views = [self.view(one) for one in side.roster.by_key.values()]
        views += [gone_view(row) for row in list(side.register.gone())[-gone:]]
        return sorted(views, key=lambda view: (view.name, view.state == GONE))

    async def first(self, count: int) -> list[WorkerView]:
        """Return the first workers by name, of those that are here or away; then those gone."""
        side = self._app.reactor.workers
        here = heapq.nsmallest(count, side.roster.by_key.values(), key=lambda one: one.name)
        left = count - len(here)
        gone = heapq.nsmallest(left, side.register.gone(), lambda row: row.shown) if left else []
        return await self.some([*here, *gone])

    async def some(self, workers: Iterable[Worker | WorkerRow]) -> list[WorkerView]:
        """Return what is shown of workers; others have their turn now and then."""
        views: list[WorkerView] = []
        for at, one in enumerate(workers, start=1):
            if at % VIEWS_AT_ONCE == 0:
                await trio.lowlevel.checkpoint()
            if isinstance(one, WorkerRow):
                views.append(gone_view(one))
            elif self._app.reactor.workers.roster.has(one):  # it may have gone meanwhile
                views.append(self.view(one))
        return views

    def one(self, name: str) -> WorkerView:
        """Return a worker by its name: who is here, or else who was last.

        Raises:
            UnknownWorker: nobody of this name is known.
        """
        side = self._app.reactor.workers
        found = side.roster.named(name)
        if found is not None:
            return self.view(found, fresh=True)
        gone = {row.shown: row for row in side.register.gone()}
        if name not in gone:
            raise UnknownWorker(f"no worker is called {name}")
        return gone_view(gone[name])

    def names_of(self, keys: list[str]) -> list[str]:
        """Return the names of the workers of these keys, as far as they are remembered."""
        rows = [self._app.reactor.workers.register.get(key) for key in keys]
        return sorted(row.shown for row in rows if row is not None)

    def macs_of(self, keys: list[str]) -> list[str]:
        """Return by which addresses the computers of the workers of these keys can be woken."""
        rows = [self._app.reactor.workers.register.get(key) for key in keys]
        said = [row.appliance for row in rows if row is not None]
        return [mac for one in said if one is not None for mac in one.macs]

    def of_keys(self, keys: list[str]) -> list[WorkerView]:
        """Return the workers of these keys that there are, by name."""
        side = self._app.reactor.workers
        here = [side.roster.by_key[key] for key in keys if key in side.roster.by_key]
        views = [self.view(one) for one in here]
        wanted = set(keys)
        views += [gone_view(row) for row in side.register.gone() if row.key in wanted]
        return sorted(views, key=lambda view: view.name)

    def view(self, worker: Worker, *, fresh: bool = False) -> WorkerView:
        """Return what is shown of a worker that is here or away.

        Args:
            worker: which.
            fresh: look anew at why it idles; else as it was a moment ago.
        """
        about, side = worker.about, self._app.reactor.workers
        state, note = side.state_of(worker)
        reason = Reason(state, note) if note else self._idle(worker, fresh)
        row = side.register.get(worker.key)
        return WorkerView(
            name=worker.name,
            own_name=row.name if row is not None else worker.said.name,
            key=worker.key[:KEY_SHOWN],
            state=state,
            why="" if reason is None else reason.text,
            reason=view_of(reason),
            note=row.note if row is not None else "",
            address=worker.address,
            software=worker.software,
            slots=about.slots,
            own_slots=worker.said.slots,
            held=self._app.reactor.board.scheduler.worker_load(worker.id)[0],
            running=self._running(worker),
            types=_types(about),
            labels=about.labels,
            own_labels=worker.said.labels,
            resources=about.resources,
            broken=about.broken,
            takes_plugins=about.takes_plugins,
            installs=about.installs,
            trusts=[public_text(key) for key in about.trusts],
            lapses_in=side.leases.lapses_in(worker),
            connected_at=worker.since or None,
            seen=None,
            leaves_in=self._leaves_in(worker),
            done=worker.done,
            failed=worker.failed,
            rate=worker.tally.rate(self._app.reactor.board.now),
            failing=worker.tally.failing,
            vitals=vitals_view(worker),
            appliance=appliance_view(row),
        )

    def _idle(self, worker: Worker, fresh: bool) -> Reason | None:
        return self._app.reactor.whys.of_worker(worker, fresh=fresh)

    def _leaves_in(self, worker: Worker) -> float | None:
        return worker.until - self._app.reactor.board.now if worker.until < math.inf else None

    def _running(self, worker: Worker) -> list[RunningView]:
        slots, side = worker.about.slots, self._app.reactor.workers
        tasks = side.tasks_of(worker, max(slots, RUNNING_SHOWN))
        running = [task for task in tasks if task[3]] or tasks[:slots]
        shown = side.telling.shown
        return [
            RunningView(job, n, attempt, shown(job, n), self._type(job), side.began(job, n))
            for job, n, attempt, _ in running
        ]

    def _type(self, number: int) -> str:
        job = self._app.reactor.board.jobs.get(number)
        return job.row.type if job is not None else ""


def _types(about: About) -> list[TypeName]:
    return [TypeName(one.name, one.version) for one in about.types]


def vitals_view(worker: Worker) -> VitalsView | None:
    """Return how a worker's computer is, as it said last; None if it has not."""
    vitals = worker.vitals
    if vitals is None:
        return None
    told = {name: value for name, value in structs.asdict(vitals).items() if value >= 0}
    sizes = {name: int(told[name]) for name in SIZES if name in told}
    mains = bool(told.pop("mains")) if "mains" in told else None
    return VitalsView(worker.vitals_at, **(told | sizes), mains=mains)


def appliance_view(row: WorkerRow | None) -> ApplianceView | None:
    """Return what is shown of a computer that was booted from the image; None of any other."""
    if row is None or row.appliance is None:
        return None
    said = row.appliance
    return ApplianceView(said.image, said.macs, said.orders)


def gone_view(row: WorkerRow) -> WorkerView:
    """Return what is shown of a worker that is not here."""
    decided = f"; {row.state} by an operator" if row.state else ""
    text = f"it has gone, or the server could not wait for it any longer{decided}"
    return WorkerView(
        name=row.shown or row.key[:KEY_SHOWN],
        own_name=row.name,
        key=row.key[:KEY_SHOWN],
        state=GONE,
        why=text,
        reason=view_of(Reason(GONE, text)),
        note=row.note,
        address="",
        slots=row.slots,
        own_slots=0,
        held=0,
        running=[],
        types=[],
        labels=row.labels,
        resources={},
        broken={},
        takes_plugins=False,
        installs=False,
        trusts=[],
        lapses_in=None,
        connected_at=None,
        seen=row.seen,
        leaves_in=None,
        done=0,
        failed=0,
        appliance=appliance_view(row),
    )
