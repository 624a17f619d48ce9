"""Who is let in, and the audit log, as rows of the database, and back."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec

from dc.records_access import (
    AccessForgotten,
    AccessRecord,
    AccessRows,
    Audited,
    AuditFilter,
    AuditRow,
    GroupForgotten,
    GroupKept,
    GroupRow,
    InviteKept,
    InviteRow,
    TokenKept,
    TokenRow,
    WorkerKeyForgotten,
    WorkerKeyKept,
    WorkerKeyRow,
)

Line: TypeAlias = tuple[int | float | str | bytes | None, ...]

FIELDS: Final = ("entry", "at", "kind", "ok", "who", "token", "address", "what")
"""Of an entry of the audit log, in the order in which the database has them."""

_encode = msgspec.json.Encoder().encode
_tokens = msgspec.json.Decoder(list[TokenRow])
_invites = msgspec.json.Decoder(list[InviteRow])
_keys = msgspec.json.Decoder(list[WorkerKeyRow])
_groups = msgspec.json.Decoder(list[GroupRow])
_entries = msgspec.json.Decoder(list[tuple[Any, ...]])


def access_row(record: AccessRecord) -> Line:
    """Return a record as a row of the view `incoming`."""
    match record:
        case TokenKept(row):
            return _line(70, row.id, _text(row))
        case InviteKept(row):
            return _line(71, row.id, _text(row))
        case WorkerKeyKept(row, invite):
            return _line(72, row.key, _text(row), None if invite is None else _text(invite))
        case WorkerKeyForgotten(key):
            return _line(73, key)
        case AccessForgotten(tokens, invites):
            return _line(74, None, _text(invites), _text(tokens))
        case GroupKept(row):
            return _line(75, row.name, _text(row))
        case GroupForgotten(name):
            return _line(76, name)
        case Audited(rows):
            return _line(77, None, _text([[getattr(row, name) for name in FIELDS] for row in rows]))


def _line(kind: int, key: str | None, head: str | None = None, numbers: str | None = None) -> Line:
    return (kind, 0, key, None, None, None, numbers, None, None, head, None)


def _text(value: object) -> str:
    return _encode(value).decode()


class AccessReader:
    """Reads it over one connection.

    Args:
        connection: which it does not close.
        queries: all queries, by name.
    """

    def __init__(self, connection: sqlite3.Connection, queries: Mapping[str, str]) -> None:
        self._connection = connection
        self._queries = queries

    def _one(self, name: str, **values: object) -> Any:
        return self._connection.execute(self._queries[name], values).fetchone()[0]

    def access(self) -> AccessRows:
        """See Store."""
        return AccessRows(
            _tokens.decode(self._one("tokens")),
            _invites.decode(self._one("invites")),
            _keys.decode(self._one("worker_keys")),
            _groups.decode(self._one("groups")),
        )

    def next_audit(self) -> int:
        """See Store."""
        return int(self._one("next_audit"))

    def audit(self, wanted: AuditFilter, before: int, limit: int) -> list[AuditRow]:
        """See Store."""
        whole = "." in wanted.kind
        text = self._one(
            "audit",
            kind=wanted.kind if whole else "",
            family="" if whole else wanted.kind,
            who=wanted.who,
            address=wanted.address,
            ok=wanted.ok,
            before=before,
            limit=limit,
        )
        rows = [dict(zip(FIELDS, row, strict=True)) for row in _entries.decode(text)]
        return [AuditRow(**{**row, "ok": bool(row["ok"])}) for row in rows]
