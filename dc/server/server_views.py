"""What is shown of the server as a whole, and of who submits jobs to it."""

from __future__ import annotations

import msgspec
import trio

from dc import limits_shown
from dc.messages import PROTOCOL
from dc.server.app import ServerApp
from dc.server.job_views import counts_view
from dc.server.roster import Worker
from dc.view_server import StatusView, SubmittersView, SubmitterView


class ServerViews:
    """Looks up what concerns the server as a whole.

    Args:
        app: the server.
    """

    def __init__(self, app: ServerApp) -> None:
        self._app = app

    async def status(self) -> StatusView:
        """Return the server in numbers."""
        board, settings = self._app.reactor.board, self._app.settings
        totals = await self._app.store.totals()
        states: dict[str, int] = {}
        queued = assigned = running = 0
        for at, job in enumerate(list(board.jobs.values()), start=1):
            if at % limits_shown.TURN_ITEMS == 0:
                await trio.lowlevel.checkpoint()
            counts = board.counts(job)
            if not job.finished:
                state = board.state_of(job, counts)
                states[state] = states.get(state, 0) + 1
            queued += counts.queued
            assigned += counts.assigned
            running += counts.running
        tasks = msgspec.structs.replace(totals, queued=queued, assigned=assigned, running=running)
        side = self._app.reactor.workers
        workers = side.by_peer.values()
        return StatusView(
            software=settings.software,
            version=settings.software.partition(" ")[2],
            protocol=PROTOCOL,
            identity=self._app.reactor.board.server,
            started=settings.started,
            address=settings.address,
            data=str(settings.data),
            tasks=counts_view(tasks),
            jobs=states,
            workers=len(workers),
            away=len(side.roster.away),
            sick=side.health.count(),
            slots=sum(worker.about.slots for worker in workers),
            busy=sum(min(self._held(worker), worker.about.slots) for worker in workers),
            rate=board.rate.value(board.now),
            types=len(self._app.types.names()),
            broken=self._app.types.broken,
            refused=dict(sorted(board.refusals.items())),
            trouble=self._app.committer.trouble,
            disk_free=self._app.reactor.chronicle.disk_free,
            retention=self._app.retention.view(),
            bytes=board.usage.all,
            quotas=msgspec.structs.asdict(board.usage.quotas),
            reserve=board.settings.now.reserve,
        )

    def _held(self, worker: Worker) -> int:
        return self._app.reactor.board.scheduler.worker_load(worker.id)[0]

    def submitters(self) -> SubmittersView:
        """Return who has jobs or a weight, by name."""
        known = self._app.reactor.board.submitters
        jobs, sizes = known.jobs(), self._app.reactor.board.usage.submitters()
        return SubmittersView(
            [
                SubmitterView(name, known.weight(name), jobs.get(name, 0), sizes.get(name, 0))
                for name in sorted({*jobs, *known.weights, *sizes} - {""})
            ]
        )
