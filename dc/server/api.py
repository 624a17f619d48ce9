"""`/api/…`: what the pages show and the command line needs, in JSON; and what operators ask for."""

from __future__ import annotations

from dc.http import Request, Response
from dc.server.api_body import Answer, BadRequest
from dc.server.api_jobs import JobsApi
from dc.server.api_workers import WorkersApi
from dc.server.app import ServerApp
from dc.server.plugin_views import PluginViews
from dc.server.views import Views

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
        self._jobs = JobsApi(views, app)
        self._workers = WorkersApi(views, app)
        self._plugins = PluginViews(app)

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
            case ["plugins"]:
                return {"GET": self._all_plugins}
            case ["workers", *rest]:
                return self._workers.methods(request, rest)
            case ["jobs", *rest]:
                return self._jobs.methods(request, rest)
            case ["types", *rest]:
                return self._jobs.of_types(request, rest)
            case ["submitters", *rest]:
                return self._jobs.of_submitters(request, rest)
        return {}

    async def _types(self) -> object:
        return self._views.types(schemas=True)

    async def _all_plugins(self) -> object:
        return self._plugins.plugins()


def _problem(code: str, text: str, status: int) -> Response:
    return Response.json({"error": code, "text": text}, status)
