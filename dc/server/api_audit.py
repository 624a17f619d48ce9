"""`/api/audit`: who was let in or refused, and who has changed what."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from dc import limits
from dc.errors import StoreError
from dc.records_access import AuditFilter
from dc.server import access_views
from dc.server.api_rows import Rows
from dc.server.app import ServerApp
from dc.server.cursors import cursor_of, place_of
from dc.server.routes import ADMIN, Call, Route
from dc.view_access import AuditPage

LIST = "the audit log"

Said = Annotated[str, Meta(max_length=limits.TEXT_CHARS)]
Entry = Annotated[int, Meta(ge=0, le=2**60)]


class AuditQuery(Struct, forbid_unknown_fields=True):
    """Which entries, the newest first: those of which all is true that is said here.

    Attributes:
        cursor: where the page before ended, as its `next` says.
        limit: entries of one page, at most.
        kind: such as `token.created`, or `token` for all kinds that begin so.
        who: the name of the token.
        address: where it came from.
        ok: whether it was done.
    """

    cursor: Annotated[str, Meta(max_length=200)] = ""
    limit: Rows = 100
    kind: Said = ""
    who: Said = ""
    address: Said = ""
    ok: bool | None = None


class AuditApi:
    """Answers requests for the audit log.

    Args:
        app: the server.
    """

    def __init__(self, app: ServerApp) -> None:
        self._app = app

    def routes(self) -> list[Route]:
        """Return what there is of it."""
        return [
            Route(
                "GET", "/api/audit", self._audit, AuditPage, "Who was let in, and has done what",
                "access", query=AuditQuery, problems=(StoreError,), roles=ADMIN,
            )
        ]  # fmt: skip

    async def _audit(self, call: Call[AuditQuery, None]) -> AuditPage:
        query = call.query
        wanted = AuditFilter(query.kind, query.who, query.address, query.ok)
        newest = self._app.reactor.board.audit.next
        before = place_of(LIST, query.cursor, Entry) if query.cursor else newest
        rows = await self._app.store.audit(wanted, before, query.limit)
        full = len(rows) == query.limit
        following = cursor_of(LIST, rows[-1].entry) if full else None
        return AuditPage([access_views.audit(row) for row in rows], following)
