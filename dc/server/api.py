"""`/api/…`: what the pages show and the command line needs, in JSON; and what operators ask for."""

from __future__ import annotations

from dc.http import Request, Response
from dc.server.api_body import Answer, BadRequest, parameter
from dc.server.api_workers import WorkersApi
from dc.server.app import ServerApp
from dc.server.commands import CancelJob
from dc.server.views import Views, number

MOST_ROWS = 1000
"""Rows of one answer, at most: more is asked for page by page."""


class Api:
    """Answers the API's requests.

    Args:
        views: where it looks things up.
        app: what it acts on.
    """

    def __init__(self, views: Views, app: ServerApp) -> None:
        self._views = views
        self._app = app
        self._workers = WorkersApi(views, app)

    async def answer(self, request: Request, parts: list[str]) -> Response:
        """Answer the request for `/api/` and these parts of the path.

        Raises:
            DcError: nothing was done, and why.
        """
        methods = self._methods(request, parts)
        if not methods:
            return _problem("not_found", f"no such path: {request.path}", 404)
        answer = methods.get("GET" if request.method == "HEAD" else request.method)
        if answer is None:
            return Response.not_allowed(*methods, *(("HEAD",) if "GET" in methods else ()))
        try:
            return Response.json(await answer())
        except BadRequest as error:
            return _problem(error.code, str(error), error.status)

    def _methods(self, request: Request, parts: list[str]) -> dict[str, Answer]:
        """Return what answers each method of a path; nothing if there is no such path."""
        views = self._views
        match parts:
            case ["status"]:
                return {"GET": views.status}
            case ["types"]:
                return {"GET": self._types}
            case ["workers", *rest]:
                return self._workers.methods(request, rest)
            case ["jobs", *rest]:
                return self._of_jobs(request, rest)
        return {}

    def _of_jobs(self, request: Request, parts: list[str]) -> dict[str, Answer]:
        views = self._views
        match parts:
            case []:
                return {"GET": lambda: self._jobs(request)}
            case [job]:
                return {"GET": lambda: views.job(number(job))}
            case [job, "tasks"]:
                return {"GET": lambda: self._tasks(request, number(job))}
            case [job, "tasks", task]:
                return {"GET": lambda: views.task(number(job), number(task))}
            case [job, "cancel"]:
                return {"POST": lambda: self._cancel(number(job))}
        return {}

    async def _types(self) -> object:
        return self._views.types()

    async def _jobs(self, request: Request) -> object:
        before = parameter(request, "before", 0) or None
        return {"jobs": await self._views.jobs(before, _limit(request))}

    async def _tasks(self, request: Request, job: int) -> object:
        first = parameter(request, "first", 0)
        failed = request.query.get("failed", "0") not in ("0", "")
        return {"tasks": await self._views.tasks(job, first, _limit(request), failed)}

    async def _cancel(self, number: int) -> object:
        await self._app.ask(CancelJob(number))
        return await self._views.job(number)


def _limit(request: Request) -> int:
    return min(MOST_ROWS, parameter(request, "limit", 100))


def _problem(code: str, text: str, status: int) -> Response:
    return Response.json({"error": code, "text": text}, status)
