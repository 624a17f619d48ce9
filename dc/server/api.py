"""`/api/…`: what the pages show and the command line needs, in JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from dc.http import Request, Response
from dc.server.app import ServerApp
from dc.server.output_views import OutputViews
from dc.server.views import Views, number

MOST_ROWS = 1000
"""Rows of one answer, at most: more is asked for page by page."""


class BadQuery(Exception):
    """A parameter of the query is not a number in range: the caller's fault."""


class Api:
    """Answers the API's requests.

    Args:
        views: where it looks things up.
        app: what it acts on.
    """

    def __init__(self, views: Views, app: ServerApp) -> None:
        self._views = views
        self._app = app
        self._outputs = OutputViews(app, views)

    async def answer(self, request: Request, parts: list[str]) -> Response:
        """Answer the request for `/api/` and these parts of the path."""
        method, find = self._find(request, parts)
        if find is None:
            return Response.json(
                {"error": "not_found", "text": f"no such path: {request.path}"}, 404
            )
        if request.method != method and (request.method, method) != ("HEAD", "GET"):
            return Response.not_allowed(*(("GET", "HEAD") if method == "GET" else (method,)))
        try:
            return Response.json(await find())
        except BadQuery as error:
            return Response.json({"error": "query", "text": str(error)}, 400)

    def _find(
        self, request: Request, parts: list[str]
    ) -> tuple[str, Callable[[], Awaitable[object]] | None]:
        views = self._views
        match parts:
            case ["status"]:
                return "GET", views.status
            case ["types"]:
                return "GET", self._types
            case ["workers"]:
                return "GET", self._workers
            case ["jobs"]:
                return "GET", lambda: self._jobs(request)
            case ["jobs", job]:
                return "GET", lambda: views.job(number(job))
            case ["jobs", job, "tasks"]:
                return "GET", lambda: self._tasks(request, number(job))
            case ["jobs", job, "tasks", task]:
                return "GET", lambda: views.task(number(job), number(task))
            case ["jobs", job, "tasks", task, "output"]:
                return "GET", lambda: self._output(request, number(job), number(task))
            case ["jobs", job, "cancel"]:
                return "POST", lambda: self._cancel(number(job))
        return "GET", None

    async def _types(self) -> object:
        return self._views.types()

    async def _workers(self) -> object:
        return {"workers": self._views.workers()}

    async def _jobs(self, request: Request) -> object:
        before = _parameter(request, "before", 0) or None
        return {"jobs": await self._views.jobs(before, _limit(request))}

    async def _tasks(self, request: Request, job: int) -> object:
        first = _parameter(request, "first", 0)
        failed = request.query.get("failed", "0") not in ("0", "")
        return {"tasks": await self._views.tasks(job, first, _limit(request), failed)}

    async def _output(self, request: Request, job: int, task: int) -> object:
        return await self._outputs.view(job, task, _parameter(request, "from", 0))

    async def _cancel(self, number: int) -> object:
        done = trio.Event()
        if not self._app.cancel(number, done.set):
            await self._views.job(number)
        else:
            await done.wait()
        return await self._views.job(number)


def _limit(request: Request) -> int:
    return min(MOST_ROWS, _parameter(request, "limit", 100))


def _parameter(request: Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise BadQuery(f"{name}={text[:40]!r} is not a number")
    return int(text)
