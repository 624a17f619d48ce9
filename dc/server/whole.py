"""Figures of all jobs in memory together: how long they take, and how their tasks fail.

With ten thousand jobs a look at each of them takes a while: so it serves for some seconds, and only
the jobs with the most work are reckoned closely.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import Final

from msgspec import Struct

from dc import limits_shown
from dc.server.app import ServerApp
from dc.server.estimate import unknown
from dc.server.event_log import counted
from dc.server.failure_groups import Group
from dc.server.figure_views import FigureViews, group_view
from dc.server.figures import Figures
from dc.server.jobs import Job
from dc.view_jobs import Left
from dc.view_server import RecentFailure

MICRO: Final = 1e-6

CLOSELY: Final = 5
"""Jobs whose own time is reckoned: those with the most work."""

DOUBT: Final = 0.3
"""By how much the work of all others may be another than the mean of what has finished says."""

FAILURES: Final = 10
"""Kinds of errors that are shown, those that came last."""


class Part(Struct, frozen=True):
    """What is left of a job, `work` in seconds of run time."""

    job: Job
    figures: Figures
    tasks: int
    work: float


class Whole:
    """Looks at all jobs in memory.

    Args:
        app: the server.
        figures: gives those of each job.
    """

    def __init__(self, app: ServerApp, figures: FigureViews) -> None:
        self._app = app
        self._figures = figures
        self._looked = float("-inf")
        self._left = unknown(0, "nothing is left to do")
        self._failures: list[RecentFailure] = []

    def look(self) -> tuple[Left, list[RecentFailure]]:
        """Return how long all takes that is left, and the kinds of errors that came last."""
        for _ in self.steps():
            pass
        return self.seen

    @property
    def seen(self) -> tuple[Left, list[RecentFailure]]:
        """The same as it was when it was looked last."""
        return self._left, self._failures

    def steps(self) -> Iterator[None]:
        """Look anew, if the last look was a while ago; others may have their turn at each step."""
        now = self._app.reactor.board.now
        if now - self._looked >= limits_shown.WHOLE_SECONDS:
            yield from self._find_left()
            self._failures = self._find_failures()
            self._looked = now

    # --- failures -------------------------------------------------------------------------------

    def _find_failures(self) -> list[RecentFailure]:
        """Return them; a job in which nothing is as new as what was found is not looked at."""
        known = [
            (figures.last_at, job.number, job, figures)
            for job in self._app.reactor.board.jobs.values()
            if job.failed and (figures := self._figures.at_hand(job.number)) is not None
        ]
        known.sort(reverse=True)
        found: list[tuple[float, int, Job, Group]] = []
        for at, number, job, figures in known:
            if len(found) >= FAILURES and at <= found[-1][0]:
                break
            groups = figures.failures.groups.values()
            found += [(group.last_at, number, job, group) for group in groups]
            found.sort(key=itemgetter(0), reverse=True)
            del found[FAILURES:]
        return [
            RecentFailure(job.number, job.options.name, job.row.type, group_view(group))
            for _, _, job, group in found
        ]

    # --- time left ------------------------------------------------------------------------------

    def _find_left(self) -> Iterator[None]:
        board, parts, strange, stuck = self._app.reactor.board, [], [0, 0], [0, 0]
        runs: dict[int, bool] = {}
        for at, job in enumerate(list(board.jobs.values()), start=1):
            if at % limits_shown.TURN_ITEMS == 0:
                yield
            if not job.scheduled or job.cancelled or job.holds.any:
                continue
            counts = board.counts(job)
            count = counts.queued + counts.assigned + counts.running
            part = self._part(job, count)
            if not count:
                continue
            if not counts.running and not self._is_run(job.class_, runs):
                stuck[:] = stuck[0] + 1, stuck[1] + count
            elif part is None:
                strange[:] = strange[0] + 1, strange[1] + count
            else:
                parts.append(part)
        yield
        self._left = self._of(parts, strange, stuck)

    def _is_run(self, class_: int, known: dict[int, bool]) -> bool:
        """Whether any worker takes tasks of a class at present."""
        if class_ not in known:
            board, by_id = self._app.reactor.board, self._app.reactor.workers.roster.by_id
            able = (by_id.get(one) for one, _ in board.matching.able(class_))
            load = board.scheduler.worker_load
            known[class_] = any(one and one.ready and load(one.id)[1] for one in able)
        return known[class_]

    def _of(self, parts: list[Part], strange: list[int], stuck: list[int]) -> Left:
        """Put together jobs, and the numbers of jobs and tasks of which nothing can be told."""
        slots = self._app.reactor.board.scheduler.statistics().slots
        tasks = strange[1] + stuck[1]
        if parts and slots:
            said = [
                f"{_jobs(strange[0])} of which no task has finished yet" * bool(strange[0]),
                f"{_jobs(stuck[0])} that no worker takes at present" * bool(stuck[0]),
            ]
            without = " and ".join(filter(None, said))
            return self._together(parts, slots, f"without {without}" if without else "")
        if not tasks and not parts:
            return Left(0, 0.0, 0.0, 0.0, 0.0, "nothing is left to do")
        tasks += sum(part.tasks for part in parts)
        if not slots or not strange[0]:
            return unknown(tasks, "no worker takes tasks at present")
        return unknown(tasks, f"of {_jobs(strange[0])} no task has finished yet")

    def _part(self, job: Job, tasks: int) -> Part | None:
        figures = self._figures.at_hand(job.number) if tasks else None
        if figures is None or not figures.count:
            return None
        return Part(job, figures, tasks, tasks * figures.micros * MICRO / figures.count)

    def _together(self, parts: list[Part], slots: int, without: str) -> Left:
        work = sum(part.work for part in parts)
        low, likely, high = (work / slots * by for by in (1 - DOUBT, 1.0, 1 + DOUBT))
        for own in self._closely(parts):
            low, likely, high = (max(low, own[0]), max(likely, own[1]), max(high, own[2]))
        tasks = sum(part.tasks for part in parts)
        basis = f"the run times of {_jobs(len(parts))}, on {counted(slots, 'slot')}"
        basis += f", {without}" * bool(without)
        basis += "; what is paused or waits is left out"
        return Left(tasks, work, low, likely, high, basis, without)

    def _closely(self, parts: list[Part]) -> Iterator[tuple[float, float, float]]:
        for part in sorted(parts, key=lambda part: -part.work)[:CLOSELY]:
            own = self._figures.left(part.job, part.figures, "running", "")
            if own.low is not None and own.likely is not None and own.high is not None:
                yield own.low, own.likely, own.high


def _jobs(count: int) -> str:
    return "one job" if count == 1 else f"{count:,} jobs"
