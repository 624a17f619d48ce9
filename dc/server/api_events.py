"""`/api/events`: what operators and the system did."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from dc import limits, limits_shown
from dc.errors import StoreError
from dc.messages_parts import Number
from dc.records_shown import EventFilter
from dc.server.api_rows import Rows
from dc.server.app import ServerApp
from dc.server.problems import BadRequest
from dc.server.routes import VIEWERS, Call, Route
from dc.view_server import EventsPage, EventView, Level

Said: TypeAlias = Annotated[str, Meta(max_length=limits.TEXT_CHARS)]
Search: TypeAlias = Annotated[str, Meta(max_length=limits_shown.EVENT_SEARCH_CHARS)]

CURSOR_DIGITS = 18
"""Of an event's number, at most: SQLite's integers have some more."""


class EventsQuery(Struct, forbid_unknown_fields=True):
    """Which events: those before the cursor, of which all is true that is said here.

    Attributes:
        kind: such as `job.paused`, or `job` for all kinds that begin so.
        after: only events of higher numbers.
    """

    cursor: Annotated[str, Meta(max_length=40)] = ""
    limit: Rows = 100
    kind: Said = ""
    level: Level | None = None
    who: Said = ""
    job: Number | None = None
    worker: Said = ""
    search: Search = ""
    after: Annotated[int, Meta(ge=0, le=2**60)] = 0


class EventsApi:
    """Answers requests about events.

    Args:
        app: the server.
    """

    def __init__(self, app: ServerApp) -> None:
        self._app = app

    def routes(self) -> list[Route]:
        """Return what there is of events."""
        return [
            Route(
                "GET", "/api/events", self._events, EventsPage,
                "What operators and the system did", "server", query=EventsQuery,
                problems=(StoreError,), roles=VIEWERS,
            )
        ]  # fmt: skip

    async def _events(self, call: Call[EventsQuery, None]) -> EventsPage:
        query = call.query
        wanted = EventFilter(
            query.kind, query.level or "", query.who, query.job, query.worker, query.search
        )
        log = self._app.reactor.board.log
        before = _number(query.cursor) if query.cursor else log.next
        # A text is looked for in so many events, and the next request goes on there.
        floor = (
            max(0, min(before, log.next) - 1 - limits_shown.EVENTS_SEARCHED) if query.search else 0
        )
        after = max(query.after, floor)
        rows = await self._app.store.events(wanted, after, before, query.limit)
        return EventsPage(rows, self._next(rows, query.limit, after > query.after, after))

    def _next(self, rows: list[EventView], limit: int, cut: bool, after: int) -> str | None:
        if len(rows) == limit:
            return str(rows[-1].event)
        return str(after + 1) if cut else None


def _number(cursor: str) -> int:
    if cursor.isascii() and cursor.isdigit() and len(cursor) <= CURSOR_DIGITS:
        return int(cursor)
    raise BadRequest("cursor", f"{cursor!r} is no cursor of events: take `next` of an answer")
