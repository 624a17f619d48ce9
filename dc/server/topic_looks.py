"""How each kind of topic is looked at: the same views as the API gives."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from dc.server.live_streams import Look
from dc.server.output_views import OutputViews
from dc.server.topics import Kind, Topic
from dc.server.views import Views
from dc.view_jobs import OutputView

JOBS = 50
"""Jobs that are watched together: the newest."""

WORKERS = 200
"""Workers that are watched together: the first by name."""


class TopicLooks:
    """Looks at topics.

    Args:
        views: where things are looked up.
        outputs: where it is looked up what tasks have written.
    """

    def __init__(self, views: Views, outputs: OutputViews) -> None:
        self._views = views
        self._outputs = outputs

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
        return msgspec.convert(await self._outputs.view(job, task, first), OutputView)

    async def _overview(self, _: Topic) -> object:
        return {"status": await self._views.status()}

    async def _jobs(self, _: Topic) -> object:
        return {"jobs": await self._views.jobs(None, JOBS), "next": None}

    async def _job(self, topic: Topic) -> object:
        return await self._views.job(topic.job)

    async def _task(self, topic: Topic) -> object:
        return await self._views.task(topic.job, topic.task)

    async def _workers(self, _: Topic) -> object:
        return {"workers": self._views.workers()[:WORKERS], "next": None}

    async def _worker(self, topic: Topic) -> object:
        return self._views.worker(topic.worker)
