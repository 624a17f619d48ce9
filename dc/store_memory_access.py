"""Who is let in, and the audit log, in the store's twin in memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import trio

from dc import limits_access as limits
from dc.errors import StoreConflict
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


class MemoryAccess:
    """The part of the twin that keeps who is let in."""

    def __init__(self) -> None:
        self._tokens: dict[str, TokenRow] = {}
        self._invites: dict[str, InviteRow] = {}
        self._keys: dict[str, WorkerKeyRow] = {}
        self._groups: dict[str, GroupRow] = {}
        self._audit: dict[int, AuditRow] = {}

    def _admit(self, record: AccessRecord, undo: list[Callable[[], object]]) -> None:
        """Take in a record."""
        parts = ("_tokens", "_invites", "_keys", "_groups", "_audit")
        undo.extend(partial(setattr, self, name, getattr(self, name)) for name in parts)
        match record:
            case TokenKept(row):
                self._tokens = self._tokens | {row.id: row}
            case InviteKept(row):
                self._invites = self._invites | {row.id: row}
            case WorkerKeyKept(row, invite):
                self._keys = self._keys | {row.key: row}
                self._invites = self._invites | ({invite.id: invite} if invite else {})
            case WorkerKeyForgotten(key):
                self._keys = {k: row for k, row in self._keys.items() if k != key}
            case AccessForgotten(tokens, invites):
                self._tokens = {i: row for i, row in self._tokens.items() if i not in tokens}
                self._invites = {i: row for i, row in self._invites.items() if i not in invites}
            case GroupKept(row):
                self._groups = self._groups | {row.name: row}
            case GroupForgotten(name):
                self._groups = {n: row for n, row in self._groups.items() if n != name}
            case Audited(rows):
                self._audit = _with_entries(self._audit, rows)

    async def access(self) -> AccessRows:
        """See Store."""
        await trio.lowlevel.checkpoint()
        return AccessRows(
            [self._tokens[id_] for id_ in sorted(self._tokens)],
            [self._invites[id_] for id_ in sorted(self._invites)],
            [self._keys[key] for key in sorted(self._keys)],
            [self._groups[name] for name in sorted(self._groups, key=str.encode)],
        )

    async def next_audit(self) -> int:
        """See Store."""
        await trio.lowlevel.checkpoint()
        return max(self._audit, default=0) + 1

    async def audit(self, wanted: AuditFilter, before: int, limit: int) -> list[AuditRow]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        found = [self._audit[entry] for entry in sorted(self._audit, reverse=True)]
        return [row for row in found if row.entry < before and fits(row, wanted)][:limit]


def fits(row: AuditRow, wanted: AuditFilter) -> bool:
    """Whether an entry is what a filter wants."""
    return (
        wanted.kind in ("", row.kind, row.kind.partition(".")[0])
        and wanted.who in ("", row.who)
        and wanted.address in ("", row.address)
        and wanted.ok in (None, row.ok)
    )


def _with_entries(known: dict[int, AuditRow], rows: list[AuditRow]) -> dict[int, AuditRow]:
    if any(row.entry in known for row in rows):
        raise StoreConflict("the audit log has an entry of this number already")
    found = known | {row.entry: row for row in rows}
    first = max(found, default=0) - limits.AUDIT_KEPT
    return {entry: row for entry, row in found.items() if entry > first}
