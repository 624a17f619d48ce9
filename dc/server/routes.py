"""The routes of the API: which path takes what, and the way from a request to its answer.

A family of paths is a class with `routes() -> list[Route]`, in a file of its own. What a route says
of itself is all there is: the router reads requests by it, and the API's description is made of it.

    Route("GET", "/api/jobs/{job}", self._job, JobView, "One job", "jobs", problems=(UnknownJob,))

    async def _job(self, call: Call[None, None]) -> JobView:
        return await self._views.job(call.job)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any, Final, Generic, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from dc import limits
from dc.errors import DcError, UnknownJob
from dc.http import Request, Response
from dc.roles import Principal, Role
from dc.server import problems
from dc.server.api_body import read_body
from dc.server.api_query import QueryReader, refuse_query
from dc.server.gate import admit
from dc.server.kept_answers import KeptAnswers
from dc.server.problems import BadRequest

Query = TypeVar("Query")
Body = TypeVar("Body")

NUMBERS: Final = frozenset({"job", "task"})
"""Fields of paths that are numbers of jobs and tasks; all others are text."""

LOOKERS: Final[tuple[Role, ...]] = ("view", "submit")
VIEWERS: Final[tuple[Role, ...]] = ("view",)
SUBMITTERS: Final[tuple[Role, ...]] = ("submit",)
ADMIN: Final[tuple[Role, ...]] = ("admin",)
READERS: Final[tuple[Role, ...]] = ("view", "submit", "work")
EVERYBODY: Final[tuple[Role, ...]] = ()
"""Who may ask what, but for `admin`, who may all. Who submits sees and controls its own jobs."""

Values: TypeAlias = Mapping[str, int | str]


@dataclass(frozen=True, slots=True)
class Call(Generic[Query, Body]):
    """A request on its way to what answers it.

    Attributes:
        request: with its body unread, if the route has no `body`.
        path: the values of the fields of the path, by name.
        query: the query as the route's `query`, None if the route has none.
        body: the body as the route's `body`, likewise.
    """

    request: Request
    path: Values
    query: Query
    body: Body

    @property
    def job(self) -> int:
        """The number of the job that the path names."""
        return int(self.path["job"])

    @property
    def task(self) -> int:
        """The number of the task that the path names."""
        return int(self.path["task"])

    @property
    def name(self) -> str:
        """The name in the path."""
        return str(self.path["name"])

    @property
    def by(self) -> tuple[Principal, str]:
        """Who asks, and from where, as `ServerApp.ask` wants it."""
        return self.request.principal, self.request.address


CheckOwn: TypeAlias = Callable[[Principal, int, bool], Awaitable[None]]
"""Refuses who may not look at a job, by its number, or may not change it; raises a DcError."""

Answer: TypeAlias = Callable[[Call[Any, Any]], Awaitable[object]]
"""Does what a route is for; gives what goes out as JSON, or a Response that goes out as it is."""


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path.

    Attributes:
        method: GET answers HEAD too.
        path: begins with a slash; `{job}` and `{task}` are numbers, any other field is text.
        answer: called with what was asked for.
        gives: the type of what it answers, as msgspec knows it; or the media type, as text, if
            that is not JSON.
        summary: what it does, in a few words.
        tag: the family it is shown in.
        query: a Struct with `forbid_unknown_fields`; None if the path takes no query.
        body: the same of a JSON body. A route whose body is something else reads it itself, and
            says of what media type it is.
        json: of a body that is something else, what it may be in JSON instead.
        problems: errors that the answer may be, beyond those that a query or a body brings about.
        status: of an answer that is no problem.
        also: other statuses that are no problems either.
        changes: whether anything is other than before; None: all but GET do.
        codes: of what may be wrong with a request, beyond what is so for all.
        bare: the site answers it, past the router: any query is taken, and no key is heeded.
        roles: who may ask, where that is not as usual; all, if it is empty. See `who`.
    """

    method: str
    path: str
    answer: Answer
    gives: Any
    summary: str
    tag: str
    query: type[Struct] | None = None
    body: type[Struct] | str | None = None
    problems: tuple[type[DcError], ...] = ()
    status: int = 200
    also: tuple[int, ...] = ()
    changes: bool | None = None
    json: type[Struct] | None = None
    codes: tuple[str, ...] = ()
    bare: bool = False
    roles: tuple[Role, ...] | None = None

    @property
    def fields(self) -> list[str]:
        """The names of the fields of its path, in order."""
        return [part[1:-1] for part in segments_of(self.path) if part.startswith("{")]

    @property
    def who(self) -> tuple[Role, ...]:
        """Who may ask: usually, to look, who views or submits; to change, who administers."""
        if self.roles is not None:
            return self.roles
        return ADMIN if self.is_change else LOOKERS

    @property
    def is_change(self) -> bool:
        """Whether it changes anything."""
        return self.method != "GET" if self.changes is None else self.changes

    @property
    def is_keyed(self) -> bool:
        """Whether its answers are kept by Idempotency-Key; who reads bodies sees to that too."""
        return self.is_change and not isinstance(self.body, str) and not self.bare


class Router:
    """Finds the route of a request, reads what the route wants, and answers.

    Args:
        routes: all there are.
        check_own: sees to it that a request may be about a job, which the path names.
    """

    def __init__(self, routes: Iterable[Route], check_own: CheckOwn) -> None:
        self.routes = list(routes)
        self._check_own = check_own
        kinds = {route.query for route in self.routes if route.query is not None}
        self._readers = {kind: QueryReader(kind) for kind in kinds}
        self._kept = KeptAnswers()
        self._by_length: dict[int, list[tuple[list[str], Route]]] = {}
        for route in sorted(self.routes, key=lambda route: len(route.fields)):
            parts = segments_of(route.path)
            self._by_length.setdefault(len(parts), []).append((parts, route))

    def has(self, request: Request) -> bool:
        """Whether there is such a path, with whatever methods."""
        return bool(self._methods(request.segments))

    async def answer(self, request: Request) -> Response:
        """Answer a request.

        Raises:
            DcError: nothing was done, and why.
        """
        methods = self._methods(request.segments)
        if not methods:
            more = "all that there are stand in /api/openapi.json"
            raise BadRequest("not_found", f"there is no path {request.path[:200]!r}: {more}")
        found = methods.get("GET" if request.method == "HEAD" else request.method)
        if found is None:
            more_methods = ["HEAD"] if "GET" in methods else []
            return problems.not_allowed([*methods, *more_methods])
        route, parts = found
        return await self._call(route, request, parts)

    def _methods(self, parts: list[str]) -> dict[str, tuple[Route, list[str]]]:
        """Return the routes of a path by method; a path without fields goes before one with.

        What is no number is none of a job or task if another path has that word there; if none
        has, it is a number that nothing has, which the answer says.
        """
        found: dict[str, tuple[Route, list[str]]] = {}
        for template, route in self._by_length.get(len(parts), []):
            pairs = list(zip(template, parts, strict=True))
            fits = all(one == part or one.startswith("{") for one, part in pairs)
            others = any(one.path != route.path for one, _ in found.values())
            if fits and not (others and any(_is_other(one, part) for one, part in pairs)):
                found.setdefault(route.method, (route, parts))
        return found

    async def _call(self, route: Route, request: Request, parts: list[str]) -> Response:
        admit(request.principal, route.who)
        values = _values(segments_of(route.path), parts)
        if "job" in values:
            await self._check_own(request.principal, int(values["job"]), route.is_change)
        query = self._query(route, request)
        body = await read_body(request, route.body) if isinstance(route.body, type) else None
        call = Call(request, values, query, body)
        key = request.headers.get("idempotency-key")
        if key is None or not route.is_keyed:
            return await _made(route, call)
        if not 0 < len(key) <= limits.TEXT_CHARS:
            text = f"an Idempotency-Key has 1 to {limits.TEXT_CHARS} characters"
            raise BadRequest("request", text)
        asked = f"{request.method} {request.target} ".encode() + msgspec.json.encode(body)
        key = f"{request.principal.token} {key}"  # nobody meets the keys of others
        return await self._kept.answer(key, sha256(asked).digest(), partial(_made, route, call))

    def _query(self, route: Route, request: Request) -> Struct | None:
        if route.query is None:
            refuse_query(request)
            return None
        return self._readers[route.query].read(request)


async def _made(route: Route, call: Call[Any, Any]) -> Response:
    answer = await route.answer(call)
    return answer if isinstance(answer, Response) else Response.json(answer, route.status)


def segments_of(path: str) -> list[str]:
    """Return a path cut at its slashes."""
    return path.strip("/").split("/")


def number(text: str) -> int:
    """Return the number that a path gives for a job or task; UnknownJob when it is none."""
    if text.isascii() and text.isdigit() and len(text) <= 10:
        return int(text)
    raise UnknownJob(f"{text[:40]!r} is no number of a job or task")


def _is_other(field: str, part: str) -> bool:
    """Whether a field of a path is to be a number, and what stands there is none."""
    return field[1:-1] in NUMBERS and not (part.isascii() and part.isdigit())


def _values(template: list[str], parts: list[str]) -> Values:
    pairs = zip(template, parts, strict=True)
    fields = {one[1:-1]: part for one, part in pairs if one.startswith("{")}
    return {name: number(text) if name in NUMBERS else text for name, text in fields.items()}
