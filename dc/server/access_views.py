"""Who is let in, as the API shows it. No secret is among it."""

from __future__ import annotations

from itertools import islice

from dc import limits_access as limits
from dc.records_access import AuditRow, GroupRow, InviteRow, TokenRow, WorkerKeyRow
from dc.server.access import Access
from dc.server.access_invites import state_of
from dc.server.access_knocks import Knocking
from dc.server.event_log import plain
from dc.view_access import AuditView, GroupView, InviteView, TokenView, WorkerKeyView


def tokens(access: Access, now: float) -> list[TokenView]:
    """Return all tokens and sessions as they are at a Unix time, the newest first."""
    rows = sorted(access.tokens.all(), key=lambda row: row.created, reverse=True)
    return [token(access, row, now) for row in rows]


def token(access: Access, row: TokenRow, now: float) -> TokenView:
    """Return a token or session as it is at a Unix time."""
    return TokenView(
        id=row.id,
        name=row.name,
        roles=row.roles,
        state=access.tokens.state(row, now),
        created=row.created,
        expires=row.expires,
        used=row.used,
        kind="session" if row.parent else "token",
    )


def invites(access: Access, now: float) -> list[InviteView]:
    """Return all invites as they are at a Unix time, the newest first."""
    rows = sorted(access.invites.all(), key=lambda row: row.created, reverse=True)
    return [invite(row, now) for row in rows]


def invite(row: InviteRow, now: float) -> InviteView:
    """Return an invite as it is at a Unix time."""
    return InviteView(
        id=row.id,
        name=row.name,
        purpose=row.purpose,
        roles=row.roles,
        group=row.group,
        approve=row.approve,
        uses=row.uses,
        state=state_of(row, now),
        created=row.created,
        expires=row.expires,
    )


def keys(access: Access, now: float, limit: int = limits.KEYS_SHOWN) -> list[WorkerKeyView]:
    """Return the keys of workers at a Unix time: those that wait first, then the newest."""
    knocking = [_knocking(one) for one in access.knocks.all(now)]
    rows = islice(access.keys.all(), max(0, limit - len(knocking)))
    return knocking + [_key(row) for row in rows]


def _key(row: WorkerKeyRow) -> WorkerKeyView:
    return WorkerKeyView(
        key=row.key,
        state=row.state,
        name=row.name,
        group=row.group,
        invite=row.invite,
        number="",
        about=row.about,
        address=row.address,
        created=row.created,
        approved=row.approved,
        by=row.by,
    )


def _knocking(one: Knocking) -> WorkerKeyView:
    return WorkerKeyView(
        key=one.knock.key,
        state="pending",
        name=plain(one.knock.name),
        group="",
        invite="",
        number=one.number,
        about=one.about,
        address=one.address,
        created=one.at,
        approved=None,
        by="",
    )


def groups(access: Access) -> list[GroupView]:
    """Return all groups by name."""
    return [group(access, row) for row in access.groups.all()]


def group(access: Access, row: GroupRow) -> GroupView:
    """Return a group."""
    count = access.keys.in_group(row.name)
    return GroupView(name=row.name, types=row.types, note=row.note, workers=count)


def audit(row: AuditRow) -> AuditView:
    """Return an entry of the audit log."""
    return AuditView(
        entry=row.entry,
        at=row.at,
        kind=row.kind,
        ok=row.ok,
        who=row.who,
        token=row.token,
        address=row.address,
        what=row.what,
    )
