"""What the API and the pages show, as plain dictionaries.

It comes from the reactor where a job is in memory, and from the store where it is not.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from dc import limits
from dc._core import ASSIGNED, RUNNING
from dc.errors import UnknownJob, UnknownTask, UnknownWorker
from dc.messages import PROTOCOL, Blob, Counts, Failure, Payload
from dc.records import JobRow, TaskRow, WorkerRow
from dc.requirements import need_text, needs_of
from dc.server.app import ServerApp
from dc.server.jobs import Job, job_state
from dc.server.orders import GONE
from dc.server.reason import Reason
from dc.server.roster import KEY_SHOWN, Worker
from dc.signing import public_text

View = dict[str, Any]

RUNNING_SHOWN = 64
"""Tasks of one worker that are listed as running, at most."""


class Views:
    """Looks things up for those who ask over HTTP.

    Args:
        app: the server.
    """

    def __init__(self, app: ServerApp) -> None:
        self._app = app

    # --- the whole ------------------------------------------------------------------------------

    async def status(self) -> View:
        """Return the server's state in numbers."""
        board, settings = self._app.reactor.board, self._app.settings
        totals = await self._app.store.totals()
        states: dict[str, int] = {}
        queued = assigned = running = 0
        for job in board.jobs.values():
            state, counts, _ = board.state(job)
            if not job.finished:
                states[state] = states.get(state, 0) + 1
            queued += counts.queued
            assigned += counts.assigned
            running += counts.running
        tasks = msgspec.structs.replace(totals, queued=queued, assigned=assigned, running=running)
        side = self._app.reactor.workers
        workers = side.by_peer.values()
        return {
            "software": settings.software,
            "version": settings.software.partition(" ")[2],
            "protocol": PROTOCOL,
            "started": settings.started,
            "address": settings.address,
            "data": str(settings.data),
            "tasks": _plain(tasks),
            "jobs": states,
            "workers": len(workers),
            "away": len(side.roster.away),
            "sick": side.health.count(),
            "slots": sum(worker.about.slots for worker in workers),
            "busy": sum(min(self._load(w)[0], w.about.slots) for w in workers),
            "rate": board.rate.value(board.now),
            "types": len(self._app.types.rows()),
            "broken": self._app.types.broken,
            "refused": dict(sorted(board.refusals.items())),
            "trouble": self._app.committer.trouble,
            "retention": self._app.retention.view(),
            "bytes": board.usage.all,
            "quotas": _plain(board.usage.quotas),
            "reserve": settings.reserve,
        }

    def submitters(self) -> list[View]:
        """Return who has jobs or a weight, by name; `jobs` are the unfinished ones."""
        known = self._app.reactor.board.submitters
        jobs, sizes = known.jobs(), self._app.reactor.board.usage.submitters()
        return [
            {
                "name": name,
                "weight": known.weight(name),
                "jobs": jobs.get(name, 0),
                "bytes": sizes.get(name, 0),
            }
            for name in sorted({*jobs, *known.weights, *sizes} - {""})
        ]

    def types(self, *, schemas: bool = False) -> View:
        """Return the task types, and the plugins that could not be loaded.

        Args:
            schemas: with what payloads and results look like, as JSON Schema.
        """
        rows = self._app.types.rows(schemas=schemas)
        return {"types": rows, "broken": self._app.types.broken}

    # --- jobs -----------------------------------------------------------------------------------

    async def jobs(self, before: int | None, limit: int, submitter: str = "") -> list[View]:
        """Return jobs, newest first; those of one submitter if one is named."""
        rows = await self._app.store.jobs(before, limit, submitter)
        return [self._job_view(row) for row in rows]

    async def job(self, job: int) -> View:
        """Return one job; UnknownJob if there is none."""
        return self._job_view(await self._row(job))

    async def _row(self, job: int) -> JobRow:
        """Return a job as the store has it or, while it is not on disk yet, as it will have it."""
        live = self._live(job)
        row = await self._app.store.job(job)
        if row is not None:
            return row
        if live is not None:
            return live.row
        raise UnknownJob(f"there is no job {job}{self._app.settings.keep.text}")

    def _job_view(self, row: JobRow) -> View:
        job = self._live(row.job)
        reason = None
        if job is not None:
            state, counts, note = self._app.reactor.board.state(job)
            if job.scheduled and not job.cancelled:
                whys = self._app.reactor.whys
                reason = whys.of_job(job, fresh=False) if counts.queued else whys.held(job)
        else:
            counts, note = _settled(row), row.why
            state = job_state(row.ended, row.cancelled_at is not None, counts)
        options = row.options
        return {
            "job": row.job,
            "name": options.name,
            "type": row.type,
            "version": row.version,
            "payload": row.payload,
            "result": row.result,
            "state": state,
            "note": note,
            **_why(reason),
            "counts": _plain(counts),
            "priority": options.priority,
            "retries": options.retries,
            "timeout": options.timeout,
            "requires": options.requires,
            "resources": options.resources,
            "alternatives": [_plain(one) for one in options.alternatives],
            "needs": [text for need in needs_of(options) if (text := need_text(need))],
            "limits": options.limits,
            "environment": options.environment,
            "submitter": options.submitter,
            "weight": options.weight,
            "after": options.after,
            "after_what": options.after_what,
            "each": options.each,
            "not_before": options.not_before or None,
            "deadline": options.deadline or None,
            "created": row.created,
            "bytes": job.bytes if job is not None else row.bytes,
            "inputs": {n: {"sha256": b.name, "size": b.size} for n, b in options.inputs.items()},
            "keep_output": options.keep_output,
        }

    def _live(self, job: int) -> Job | None:
        return self._app.reactor.board.jobs.get(job)

    # --- tasks ----------------------------------------------------------------------------------

    async def tasks(self, job: int, first: int, limit: int, failed: bool) -> list[View]:
        """Return tasks of a job by number, all or only the failed ones."""
        row = await self._row(job)
        rows = await self._app.store.tasks(job, first, limit, failed)
        return [self._task_view(task, row) for task in rows]

    async def task(self, job: int, task: int) -> View:
        """Return one task; UnknownJob or UnknownTask if there is none."""
        row = await self._row(job)
        found = await self._app.store.task(job, task)
        if found is None:
            raise UnknownTask(f"job {job} has no task {task}")
        live = self._app.reactor.workers.outputs.get(job, task)
        stored = await self._app.store.output(job, task) if live is None else None
        size = live.captured.total if live is not None else stored.total if stored else 0
        return self._task_view(found, row) | {"output_size": size}

    def _task_view(self, row: TaskRow, job: JobRow) -> View:
        state, attempt, crashes, worker = self._task_state(row, job)
        failure = row.outcome if isinstance(row.outcome, Failure) else None
        return {
            "job": row.job,
            "number": row.number,
            "state": state,
            "attempt": attempt,
            "crashes": crashes,
            "worker": worker,
            "finished_at": row.at if row.finished else None,
            "time": row.time if row.finished else None,
            "payload_size": row.payload_size,
            "result_size": row.outcome_size if row.finished and not row.failed else None,
            "failure": _plain(failure) if failure is not None else None,
            **_why(self._reason(row)),
            "progress": self._progress(row.job, row.number),
        }

    def _reason(self, row: TaskRow) -> Reason | None:
        live = self._live(row.job) if not row.finished else None
        return self._app.reactor.whys.of_task(live, row.number) if live is not None else None

    def _progress(self, job: int, number: int) -> View | None:
        told = self._app.reactor.workers.telling.progress(job, number)
        return (
            None if told is None else {"fraction": told.fraction, "text": told.text, "at": told.at}
        )

    def _task_state(self, row: TaskRow, job: JobRow) -> tuple[str, int, int, str]:
        if row.finished:
            return "failed" if row.failed else "done", row.attempt, row.crashes, row.worker
        if job.cancelled_at is not None:
            return "cancelled", row.attempt, row.crashes, ""
        live = self._live(row.job)
        if live is not None and live.tail.has(row.number):
            waits = live.tail.closed or live.holds.state == "waiting"
            return "waiting" if waits else "queued", row.attempt, row.crashes, ""
        board = self._app.reactor.board
        found = board.scheduler.state(row.job, row.number) if live and live.scheduled else None
        if found is None:
            return "running", row.attempt, row.crashes, ""
        names = {ASSIGNED: "assigned", RUNNING: "running"}
        worker = self._app.reactor.workers.name_of(found[3])
        return names.get(found[0], "queued"), found[1], found[2], worker

    async def payload(self, job: int, task: int) -> Payload:
        """Return a task's payload; UnknownTask if there is no such task."""
        live = self._live(job)
        at_hand = live.peek(task) if live is not None else None
        if at_hand is not None:
            return at_hand
        return (await self._app.store.payloads(job, [task]))[0]

    async def result(self, job: int, task: int) -> Payload:
        """Return a task's result; UnknownTask if it has none."""
        row = await self._app.store.task(job, task, outcome=True)
        if row is None:
            raise UnknownTask(f"job {job} has no task {task}")
        if not isinstance(row.outcome, (bytes, Blob)):
            raise UnknownTask(f"task {task} of job {job} has no result")
        return row.outcome

    # --- workers --------------------------------------------------------------------------------

    def workers(self, gone: int = limits.KNOWN_WORKERS) -> list[View]:
        """Return all workers by name: those that are here or away, and the last that have gone.

        Args:
            gone: so many of these at most.
        """
        side = self._app.reactor.workers
        views = [self._worker_view(one) for one in side.roster.by_key.values()]
        views += [gone_view(row) for row in list(side.register.gone())[-gone:]]
        return sorted(views, key=lambda view: (view["name"], view["state"] == GONE))

    def worker(self, name: str) -> View:
        """Return a worker by its name: who is here, or else who was last.

        Raises:
            UnknownWorker: nobody of this name is known.
        """
        side = self._app.reactor.workers
        found = side.roster.named(name)
        if found is not None:
            return self._worker_view(found)
        gone = {row.shown: row for row in side.register.gone()}
        if name not in gone:
            raise UnknownWorker(f"no worker is called {name}")
        return gone_view(gone[name])

    def names_of(self, keys: list[str]) -> list[str]:
        """Return the names of the workers of these keys, as far as they are remembered."""
        rows = [self._app.reactor.workers.register.get(key) for key in keys]
        return sorted(row.shown for row in rows if row is not None)

    def workers_of(self, keys: list[str]) -> list[View]:
        """Return the workers of these keys that there are, by name."""
        side = self._app.reactor.workers
        here = [side.roster.by_key[key] for key in keys if key in side.roster.by_key]
        views = [self._worker_view(one) for one in here]
        wanted = set(keys)
        views += [gone_view(row) for row in side.register.gone() if row.key in wanted]
        return sorted(views, key=lambda view: str(view["name"]))

    def _load(self, worker: Worker) -> tuple[int, int, float]:
        return self._app.reactor.board.scheduler.worker_load(worker.id)

    def _worker_view(self, worker: Worker) -> View:
        about, now = worker.about, self._app.reactor.board.now
        tasks = self._app.reactor.workers.tasks_of(worker, max(about.slots, RUNNING_SHOWN))
        running = [task for task in tasks if task[3]] or tasks[: about.slots]
        state, note = self._app.reactor.workers.state_of(worker)
        reason = self._app.reactor.whys.of_worker(worker)
        row = self._app.reactor.workers.register.get(worker.key)
        return {
            "name": worker.name,
            "state": state,
            "note": row.note if row is not None else "",
            "address": worker.address,
            "slots": about.slots,
            "own_slots": worker.said.slots,
            "held": self._load(worker)[0],
            "running": [
                {"job": j, "number": n, "attempt": a, "progress": self._progress(j, n)}
                for j, n, a, _ in running
            ],
            "types": [{"name": t.name, "version": t.version} for t in about.types],
            "labels": about.labels,
            "resources": about.resources,
            **_why(Reason(state, note) if note else reason),
            "broken": about.broken,
            "takes_plugins": about.takes_plugins,
            "installs": about.installs,
            "trusts": [public_text(key) for key in about.trusts],
            "lapses_in": self._app.reactor.workers.leases.lapses_in(worker),
            "connected_at": worker.since or None,
            "seen": None,
            "leaves_in": worker.until - now if worker.until < math.inf else None,
            "done": worker.done,
            "failed": worker.failed,
        }


def gone_view(row: WorkerRow) -> View:
    """Return a worker that is not here, with the same fields as one that is."""
    decided = f"; {row.state} by an operator" if row.state else ""
    text = f"it has gone, or the server could not wait for it any longer{decided}"
    return {
        "name": row.shown or row.key[:KEY_SHOWN],
        "state": GONE,
        **_why(Reason(GONE, text)),
        "note": row.note,
        "address": "",
        "slots": row.slots,
        "own_slots": 0,
        "held": 0,
        "running": [],
        "types": [],
        "labels": row.labels,
        "resources": {},
        "broken": {},
        "takes_plugins": False,
        "installs": False,
        "trusts": [],
        "lapses_in": None,
        "connected_at": None,
        "seen": row.seen,
        "leaves_in": None,
        "done": 0,
        "failed": 0,
    }


def _settled(row: JobRow) -> Counts:
    """Return the counts of a job that is not in memory: what has no outcome was cancelled."""
    counts = row.counts
    missing = counts.total - counts.done - counts.failed
    return msgspec.structs.replace(counts, queued=0, cancelled=missing)


def _why(reason: Reason | None) -> View:
    """Return a reason as fields of what it is about: the sentence, and the same for programs."""
    if reason is None:
        return {"why": "", "reason": None}
    return {"why": reason.text, "reason": {"kind": reason.kind, "figures": reason.figures}}


def _plain(struct: msgspec.Struct) -> View:
    return msgspec.structs.asdict(struct)
