"""`/api/openapi.json`, `/api/problems/CODE`: what the API says of itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from dc.errors import DcError
from dc.http import Response
from dc.server.api_body import JSON
from dc.server.openapi import description
from dc.server.problems import ANSWERED, OF_REQUESTS, BadRequest, status_of, title_of
from dc.server.routes import Call, Route
from dc.view_server import ProblemKind


class DescriptionApi:
    """Answers requests about the API.

    Args:
        routes: all others that there are.
        version: of the server.
    """

    def __init__(self, routes: Iterable[Route], version: str) -> None:
        self._all = [*routes, *self.routes()]
        self._version = version
        self._text = b""

    def routes(self) -> list[Route]:
        """Return what there is of the description."""
        return [
            Route(
                "GET", "/api/openapi.json", self._openapi, dict[str, Any],
                "This description, in OpenAPI 3.1", "server",
            ),
            Route(
                "GET", "/api/problems/{code}", self._problem, ProblemKind,
                "What a kind of problem is", "server", codes=("not_found",),
            ),
        ]  # fmt: skip

    async def _openapi(self, _: Call[None, None]) -> Response:
        if not self._text:
            self._text = msgspec.json.encode(description(self._all, self._version))
        return Response(200, self._text, JSON)

    async def _problem(self, call: Call[None, None]) -> ProblemKind:
        code = str(call.path["code"])
        if code in OF_REQUESTS:
            status, title = OF_REQUESTS[code]
            return ProblemKind(code, status, title, title)
        for kind in _all_kinds(ANSWERED):
            if kind.code == code:
                text = " ".join((kind.__doc__ or "").split())
                return ProblemKind(code, status_of(kind), title_of(kind), text)
        raise BadRequest("not_found", f"there is no kind of problem called {code[:80]!r}")


def _all_kinds(kinds: Iterable[type[DcError]]) -> Iterable[type[DcError]]:
    for kind in kinds:
        yield kind
        yield from _all_kinds(kind.__subclasses__())
