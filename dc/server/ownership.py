"""Whose jobs are whose: who may look at one, change it, and read the bytes of its tasks."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from dc.errors import NotPermitted, UnknownJob
from dc.roles import Principal
from dc.server.app import ServerApp
from dc.server.topics import Topic
from dc.server.views import Views

ALONE = frozenset({"task", "output", "job"})
"""Kinds of topics that are of one job."""


class Ownership:
    """Looks up whose jobs are whose. What one may not know of is as if it were not there.

    Args:
        app: the server.
        views: where jobs are looked up.
    """

    def __init__(self, app: ServerApp, views: Views) -> None:
        self._app = app
        self._views = views

    async def check(self, principal: Principal, job: int, change: bool) -> None:
        """See to it that somebody may look at a job or the bytes of its tasks, or change it.

        A worker may look at those that it has tasks of, and at those that these come after.

        Raises:
            UnknownJob: there is none that it may know of.
            NotPermitted: it may look at it and no more.
        """
        if principal.may("admin" if change else "view"):
            return
        if not change and "work" in principal.roles and self._works_for(principal, job):
            return
        if "submit" in principal.roles:
            row = await self._views.jobs.row(job)
            if row.options.submitter == principal.name:
                return
        if not principal.sees_all:
            raise self._unknown(job)
        await self._views.jobs.row(job)  # it is another error if there is no such job
        raise NotPermitted(f"job {job} is of another submitter: it takes the role admin")

    def _works_for(self, principal: Principal, job: int) -> bool:
        reactor = self._app.reactor
        behind = reactor.control.dependencies.behind(job)
        return reactor.admission.may_read(principal, job, behind)

    async def check_topics(self, principal: Principal, topics: Sequence[Topic]) -> Sequence[Topic]:
        """Return topics as somebody may watch them: of all jobs, who submits sees its own.

        Raises:
            NotPermitted: it may not watch one of them; whether its job is there is not said.
        """
        if principal.sees_all:
            return topics
        return [await self._own_topic(principal, topic) for topic in topics]

    async def _own_topic(self, principal: Principal, topic: Topic) -> Topic:
        if topic.kind == "jobs":
            return replace(topic, submitter=own_jobs(principal, ""))
        if topic.kind not in ALONE:
            raise NotPermitted(f"to watch {topic.kind} takes the role view")
        try:
            await self.check(principal, topic.job, change=False)
        except UnknownJob:
            raise NotPermitted(f"{topic.name} is of no job of {principal.name}") from None
        return topic

    def _unknown(self, job: int) -> UnknownJob:
        return UnknownJob(f"there is no job {job}{self._app.reactor.board.kept}")


def own_jobs(principal: Principal, submitter: str) -> str:
    """Return whose jobs are listed for somebody that asks for those of a submitter, or of all.

    Raises:
        NotPermitted: it may see its own alone.
    """
    if principal.sees_all:
        return submitter
    if principal.name and submitter in ("", principal.name):
        return principal.name
    raise NotPermitted("to see the jobs of others takes the role view")
