"""What tasks have written, as it is shown: from memory while they run, else from the store."""

from __future__ import annotations

from typing import Any

from dc import limits
from dc.captured import Captured
from dc.errors import UnknownTask
from dc.messages_parts import Blob
from dc.server.app import ServerApp
from dc.server.task_views import TaskViews
from dc.view_jobs import OutputView

OVER = frozenset({"done", "failed", "cancelled"})
"""States of tasks that write nothing more."""

PAGE_BYTES = 16 * limits.KIB
"""Of a task's last output on its page: the whole of what is kept is behind a link."""


class OutputViews:
    """Looks up what tasks have written.

    Args:
        app: the server.
        tasks: what is shown of the tasks themselves.
    """

    def __init__(self, app: ServerApp, tasks: TaskViews) -> None:
        self._app = app
        self._tasks = tasks

    async def view(self, job: int, task: int, first: int = 0) -> OutputView:
        """Return what a task has written from byte `first` on, as far as it is kept.

        `next` is where to go on; `live` says whether more may come.

        Raises:
            UnknownJob, UnknownTask: there is no such task.
        """
        state = (await self._tasks.one(job, task)).state
        attempt, captured = await self._captured(job, task)
        start = min(first, captured.total)
        return OutputView(
            job=job,
            number=task,
            attempt=attempt,
            start=start,
            text=captured.text(start),
            total=captured.total,
            next=captured.total,
            live=state not in OVER,
        )

    async def whole(self, job: int, task: int) -> Blob | None:
        """Return the blob with all that a task has written, if its job keeps that."""
        if self._app.reactor.workers.outputs.get(job, task) is not None:
            return None
        stored = await self._app.store.output(job, task)
        return None if stored is None else stored.whole

    async def text(self, job: int, task: int) -> bytes:
        """Return what a task has written as text; what is left out is said in it.

        Raises:
            UnknownTask: there is no such task.
        """
        if await self._app.store.task(job, task) is None:
            raise UnknownTask(f"job {job} has no task {task}")
        return (await self._captured(job, task))[1].text().encode()

    async def of_page(self, job: int, task: int) -> dict[str, Any]:
        """Return the size of what a task has written, of which attempt it is, and its last part."""
        attempt, captured = await self._captured(job, task)
        text = captured.last(PAGE_BYTES)
        return {"total": captured.total, "attempt": attempt, "text": text}

    async def _captured(self, job: int, task: int) -> tuple[int, Captured]:
        """Return the attempt and the output of the newest attempt that has written something."""
        live = self._app.reactor.workers.outputs.get(job, task)
        if live is not None:
            return live.attempt, live.captured
        stored = await self._app.store.output(job, task)
        if stored is None:
            return 0, Captured()
        return stored.attempt, Captured(stored.head, stored.tail, stored.total)
