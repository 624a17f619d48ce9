"""What an operator should look at: what is wrong, and what to do about it.

All of it comes from what is in memory. What many have in common is one item or a few, so that the
list stays short whatever happens; it is made anew every few seconds at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final
from urllib.parse import quote

from dc import limits_shown
from dc.requirements import bytes_text, need_text, needs_of
from dc.server.board import Board
from dc.server.chronicle import Chronicle
from dc.server.event_log import counted, named, plain
from dc.server.health import SICK, TRIAL
from dc.server.jobs import Job
from dc.server.roster import Worker
from dc.server.workers import WorkerSide
from dc.view_server import Attention, Level

ORDER: Final = {"error": 0, "warning": 1, "info": 2}
"""What is graver comes first."""

EACH: Final = 5
"""Items of one kind that are told each; the others are counted."""

FAILING_TASKS: Final = 10
"""Failed tasks of a job from which on they may be worth a look; fewer are in its own page."""

FAILING_SHARE: Final = 0.1
"""Of the tasks of a job that have ended: more failed ones are worth a look."""

RESERVED: Final = {"add": "%61dd"}
"""Names of workers whose pages would have the address of another page; the page itself knows the
same."""

PAUSED_SECONDS: Final = 3600.0
"""After which what is paused may have been forgotten."""


class AttentionList:
    """Makes the list.

    Args:
        board: what the parts of the reactor share.
        workers: the workers' side.
        chronicle: knows of the disk, of plugins, and since when what is paused.
    """

    def __init__(self, board: Board, workers: WorkerSide, chronicle: Chronicle) -> None:
        self._board = board
        self._workers = workers
        self._chronicle = chronicle
        self._made: list[Attention] = []
        self._made_at = float("-inf")

    def look(self) -> list[Attention]:
        """Return what to look at, the gravest first."""
        for _ in self.steps():
            pass
        return self.seen

    @property
    def seen(self) -> list[Attention]:
        """The same as it was when it was looked last."""
        return self._made

    def steps(self) -> Iterator[None]:
        """Look anew, if the last look was a while ago; others may have their turn at each step."""
        now = self._board.now
        many = len(self._board.jobs) + len(self._workers.roster.by_key)
        serves = max(limits_shown.ATTENTION_SECONDS, many / limits_shown.ATTENTION_LOOKED_AT)
        if now - self._made_at < min(serves, limits_shown.ATTENTION_SECONDS_MOST):
            return
        found: list[Attention] = []
        for one in chain(self._of_server(), self._of_workers(), self._of_jobs()):
            if one is None:
                yield
            else:
                found.append(one)
        self._made, self._made_at = _cut(found), now

    # --- the server -----------------------------------------------------------------------------

    def _of_server(self) -> Iterator[Attention]:
        chronicle, board = self._chronicle, self._board
        if board.trouble:
            text = f"nothing is written down, and nothing handed out: {plain(board.trouble)}"
            yield Attention("trouble", "error", text, "/events?kind=server.trouble")
        if chronicle.disk_low:
            free = bytes_text(chronicle.disk_free or 0)
            text = f"the disk of the data folder is nearly full, {free} are free: make room, or set"
            yield Attention("disk", "warning", f"{text} for how long jobs are kept", "/settings")
        broken = [(plain(why), "/plugins") for why in chronicle.broken.values()]
        yield from _some("plugin", "error", broken, "plugins cannot be used", "/plugins")
        statistics = board.scheduler.statistics()
        if not self._workers.roster.by_peer and statistics.queued:
            text = "tasks wait, and no worker is connected; start one: python -m dc.worker URL"
            yield Attention("no_workers", "error", text, "/workers")

    # --- workers --------------------------------------------------------------------------------

    def _of_workers(self) -> Iterator[Attention | None]:
        """Yield what is the matter with workers; None now and then, while it looks."""
        side = self._workers
        sick, paused = [], []
        unusable: dict[str, list[str]] = {}
        for at, worker in enumerate(list(side.roster.by_peer.values()), start=1):
            if at % limits_shown.TURN_ITEMS == 0:
                yield None
            if not side.roster.has(worker):
                continue  # it has gone meanwhile
            if side.health.state(worker.process) in (SICK, TRIAL):
                text = f"worker {plain(worker.name)} is sick: {side.state_of(worker)[1]}"
                sick.append((text, page_of(worker)))
            for why in (*worker.about.broken.values(), *worker.unusable.values()):
                unusable.setdefault(plain(why), []).append(worker.name)
            row = side.register.get(worker.key)
            if row is not None and row.state == "paused" and self._is_long_paused(worker.key):
                paused.append((f"worker {plain(worker.name)} is paused", page_of(worker)))
        yield from _some("sick", "warning", sick, "workers are sick", "/workers?state=sick")
        yield from self._away()
        lacks = [
            (f"{_names(names)} cannot use a plugin: {why}", page_named(names[0]))
            for why, names in unusable.items()
        ]
        yield from _some("unusable", "warning", lacks, "plugins cannot be used", "/workers")
        yield from _some(
            "paused", "info", paused, "workers have been paused for long", "/workers?state=paused"
        )

    def _away(self) -> Iterator[Attention]:
        away = list(self._workers.roster.away.values())
        if away:
            names = [worker.name for worker in away]
            lapse = [self._workers.leases.lapses_in(worker) or 0.0 for worker in away]
            text = f"away: {_names(names)}; tasks wait for what is away, the first go to"
            since = self._board.wall - max(self._board.now - worker.heard for worker in away)
            text = f"{text} others in {min(lapse):,.0f} s"
            yield Attention("away", "warning", text, "/workers?state=away", since)

    def _is_long_paused(self, key: str | int) -> bool:
        since = self._chronicle.paused.get(key)
        return since is not None and self._board.wall - since >= PAUSED_SECONDS

    # --- jobs -----------------------------------------------------------------------------------

    def _of_jobs(self) -> Iterator[Attention | None]:
        """Yield what is the matter with jobs; None now and then, while it looks."""
        kinds: dict[str, list[tuple[str, str]]] = {name: [] for name in JOB_KINDS}
        for at, job in enumerate(list(self._board.jobs.values()), start=1):
            if at % limits_shown.TURN_ITEMS == 0:
                yield None
            if not job.cancelled and not job.finished:
                for kind, text in self._of_job(job):
                    name = f"job {job.number}{named(job.options.name)}"
                    kinds[kind].append((f"{name} {text}", f"/jobs/{job.number}"))
        kinds["impossible"] = list(self._impossible())
        for kind, found in kinds.items():
            level, many = JOB_KINDS[kind]
            yield from _some(kind, level, found, many, "/jobs")

    def _of_job(self, job: Job) -> Iterator[tuple[str, str]]:
        if job.deserted:
            yield "deserted", "was left before all of it was submitted: go on with it, or cancel it"
        if job.failed > FAILING_TASKS and job.failed > FAILING_SHARE * (job.done + job.failed):
            share = job.failed / (job.done + job.failed)
            yield "failing", f"fails: {counted(job.failed, 'task')} of it did, {share:.0%}"
        if job.holds.overdue:
            yield "overdue", "was not finished by its deadline: what is left of it fails"
        if job.holds.paused and self._is_long_paused(job.number):
            yield "paused", "has been paused for long: resume it, or cancel it"

    def _impossible(self) -> Iterator[tuple[str, str]]:
        """Yield jobs that nobody can run, one for all that need the same."""
        if not self._workers.roster.by_key:
            return
        jobs: dict[int, list[Job]] = {}
        for job in self._board.jobs.values():
            if job.scheduled and not job.cancelled and not job.holds.any:
                jobs.setdefault(job.class_, []).append(job)
        stuck = [
            same for class_, same in jobs.items() if not any(self._board.matching.able(class_))
        ]
        for same in stuck[:EACH]:
            job, more = same[0], len(same) - 1
            name = f"job {job.number}{named(job.options.name)}"
            rest = f" and {counted(more, 'other')} like it" if more else ""
            # What is lacking where is looked for among all workers, so its own page says that.
            needs = "; or ".join(text for one in needs_of(job.options) if (text := need_text(one)))
            what = plain(f"{job.row.type} {job.row.version}{' with ' if needs else ''}{needs}")
            yield f"nobody can run {name}{rest}: it needs {what}", f"/jobs/{job.number}"
        for same in stuck[EACH:]:
            yield f"nobody can run job {same[0].number}", f"/jobs/{same[0].number}"


def _cut(found: list[Attention]) -> list[Attention]:
    """Return the gravest of what was found, and how many others there are."""
    found.sort(key=lambda one: ORDER[one.level])
    more = len(found) - limits_shown.ATTENTION_ITEMS
    if more > 0:
        text = f"{counted(more, 'other thing')} of this list: see to these first"
        found[limits_shown.ATTENTION_ITEMS :] = [
            Attention("more", "info", f"and {text}", "/events")
        ]
    return found


JOB_KINDS: Final[dict[str, tuple[Level, str]]] = {
    "impossible": ("error", "jobs need what no worker has"),
    "deserted": ("warning", "jobs were left before all of them was submitted"),
    "failing": ("warning", "jobs have many failed tasks"),
    "overdue": ("warning", "jobs were not finished by their deadlines"),
    "paused": ("info", "jobs have been paused for long"),
}
"""What may be the matter with jobs: how grave it is, and what is said of many."""


def page_of(worker: Worker) -> str:
    """Return the path of a worker's page."""
    return page_named(worker.name)


def page_named(name: str) -> str:
    """Return the path of the page of the worker of a name, which is none of another page."""
    return f"/workers/{RESERVED.get(name) or quote(name, safe='')}"


def _some(
    kind: str, level: Level, found: list[tuple[str, str]], many: str, link: str
) -> Iterator[Attention]:
    """Yield some texts, each with its link, and say how many more there are."""
    for text, own in found[:EACH]:
        yield Attention(kind, level, text, own)
    if len(found) > EACH:
        yield Attention(kind, level, f"{len(found) - EACH:,} more {many}", link)


def _names(names: list[str]) -> str:
    """Return workers in words."""
    shown = ", ".join(plain(name) for name in names[:EACH])
    if len(names) == 1:
        return f"worker {shown}"
    more = f" and {len(names) - EACH} more" if len(names) > EACH else ""
    return f"{len(names)} workers ({shown}{more})"
