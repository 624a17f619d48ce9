"""How each kind of topic is looked at: the same views as the API gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from dc import limits_shown
from dc.records_shown import EventFilter
from dc.server.app import ServerApp
from dc.server.live_streams import Look
from dc.server.topics import Kind, Topic
from dc.server.views import Views
from dc.view_jobs import JobsPage, OutputView
from dc.view_server import EventView
from dc.view_workers import WorkersPage

JOBS: Final = 50
"""Jobs that are watched together: the newest."""

WORKERS: Final = 200
"""Workers that are watched together: the first by name."""


class TopicLooks:
    """Looks at topics.

    Args:
        app: the server.
        views: where things are looked up.
    """

    def __init__(self, app: ServerApp, views: Views) -> None:
        self._app = app
        self._views = views

    def all(self) -> Mapping[Kind, Look]:
        """Return how to look at each kind that there is."""
        return {
            "overview": self._overview,
            "history": self._history,
            "jobs": self._jobs,
            "job": self._job,
            "task": self._task,
            "workers": self._workers,
            "worker": self._worker,
        }

    async def piece(self, job: int, task: int, first: int) -> OutputView:
        """Return what a task has written from byte `first` on."""
        return await self._views.outputs.view(job, task, first)

    def listen(self, told: Callable[[EventView], None]) -> int:
        """Have a function called with each event from now on, once it is on disk.

        Returns:
            The number of the newest event so far.
        """
        log = self._app.reactor.board.log
        log.on_event = told
        return log.next - 1

    async def events_after(self, event: int) -> tuple[list[EventView], int | None]:
        """Return the next events after one, the oldest first.

        Returns:
            Some events, and the number up to which there are no others; None if there are no more.
        """
        following = self._app.reactor.board.log.next
        first = max(event, following - 1 - limits_shown.EVENTS_KEPT)
        before = first + 1 + limits_shown.WATCH_EVENTS
        found = await self._app.store.events(
            EventFilter(), first, before, limits_shown.WATCH_EVENTS
        )
        return found[::-1], before - 1 if before < following else None

    async def _overview(self, _: Topic) -> object:
        return await self._views.overview.look()

    async def _history(self, _: Topic) -> object:
        return await self._views.history.last()

    async def _jobs(self, topic: Topic) -> object:
        return JobsPage(await self._views.jobs.newest(None, JOBS, topic.submitter or ""))

    async def _job(self, topic: Topic) -> object:
        return await self._views.jobs.one(topic.job)

    async def _task(self, topic: Topic) -> object:
        return await self._views.tasks.one(topic.job, topic.task)

    async def _workers(self, _: Topic) -> object:
        return WorkersPage(await self._views.workers.first(WORKERS))

    async def _worker(self, topic: Topic) -> object:
        return self._views.workers.one(topic.worker)
