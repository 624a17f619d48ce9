"""How each kind of topic is looked at: the same views as the API gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dc.server.live_streams import Look
from dc.server.topics import Kind, Topic
from dc.server.views import Views
from dc.view_jobs import JobsPage, OutputView
from dc.view_workers import WorkersPage

JOBS: Final = 50
"""Jobs that are watched together: the newest."""

WORKERS: Final = 200
"""Workers that are watched together: the first by name."""


class TopicLooks:
    """Looks at topics.

    Args:
        views: where things are looked up.
    """

    def __init__(self, views: Views) -> None:
        self._views = views

    def all(self) -> Mapping[Kind, Look]:
        """Return how to look at each kind that there is."""
        return {
            "overview": self._overview,
            "jobs": self._jobs,
            "job": self._job,
            "task": self._task,
            "workers": self._workers,
            "worker": self._worker,
        }

    async def piece(self, job: int, task: int, first: int) -> OutputView:
        """Return what a task has written from byte `first` on."""
        return await self._views.outputs.view(job, task, first)

    async def _overview(self, _: Topic) -> object:
        return {"status": await self._views.server.status()}

    async def _jobs(self, _: Topic) -> object:
        return JobsPage(await self._views.jobs.newest(None, JOBS))

    async def _job(self, topic: Topic) -> object:
        return await self._views.jobs.one(topic.job)

    async def _task(self, topic: Topic) -> object:
        return await self._views.tasks.one(topic.job, topic.task)

    async def _workers(self, _: Topic) -> object:
        return WorkersPage(self._views.workers.all()[:WORKERS])

    async def _worker(self, topic: Topic) -> object:
        return self._views.workers.one(topic.worker)
