"""What the server writes down of who is let in: tokens, invites, keys, groups, the audit log.

Of a token or an invite only the SHA-256 of its secret is kept. Times are Unix times in seconds.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from dc.roles import Role

KeyState: TypeAlias = Literal["pending", "joined"]


class TokenRow(Struct, frozen=True):
    """A token, as it is kept.

    Attributes:
        id: names it.
        digest: the SHA-256 of its secret.
        roles: what it lets one do.
        name: whose it is, or what for.
        created: when it was made.
        expires: when it ends, None for never.
        revoked: when it was taken back, None if it was not.
        parent: of a browser's session, the id of the token or invite it was opened by; it ends with
            that. Empty for all other tokens.
        used: when it was last shown, to the minute; None for never.
    """

    id: str
    digest: bytes
    roles: list[Role]
    name: str
    created: float
    expires: float | None = None
    revoked: float | None = None
    parent: str = ""
    used: float | None = None


class InviteRow(Struct, frozen=True):
    """An invite, as it is kept.

    Attributes:
        id: names it: the first 8 hexadecimal digits of `digest`.
        digest: the SHA-256 of its secret.
        purpose: what it lets one in for: a worker, or a browser that signs in.
        roles: of the session of a browser that signs in by it.
        name: what for, for people.
        group: of the workers that join by it.
        approve: whether each of them waits for an operator's yes.
        uses: how many may still join by it, None for any number.
        created, expires, revoked: as of a token.
    """

    id: str
    digest: bytes
    purpose: Literal["worker", "sign_in"]
    name: str
    created: float
    roles: list[Role] = []
    group: str = ""
    approve: bool = False
    uses: int | None = 1
    expires: float | None = None
    revoked: float | None = None


class WorkerKeyRow(Struct, frozen=True):
    """The public key of a worker that has joined, or that wants to.

    Attributes:
        key: 64 hexadecimal digits.
        state: `pending` until an operator has said yes.
        name: as the worker calls itself.
        group: whose task types it may run; empty for all.
        invite: the id of the invite it has joined by, empty for none.
        about: what it says of itself, for who approves: system, processors, memory …
        address: where it joined from.
        created: when it first asked.
        approved: when it joined; None while it is pending.
        by: who approved it, empty if nobody had to.
    """

    key: str
    state: KeyState
    name: str
    created: float
    group: str = ""
    invite: str = ""
    about: dict[str, str] = {}
    address: str = ""
    approved: float | None = None
    by: str = ""


class GroupRow(Struct, frozen=True):
    """A group of workers.

    Attributes:
        name: of the group.
        types: names of the task types that they may run, or patterns of them (`render.*`); empty
            for all.
        note: for people.
    """

    name: str
    types: list[str] = []
    note: str = ""


class AuditRow(Struct, frozen=True):
    """Somebody was let in or refused, or has changed something.

    Attributes:
        entry: numbers grow.
        at: when.
        kind: such as `token.created`, `sign_in.failed`, `worker.joined`, `job.cancelled`.
        ok: whether it was done; False if it was refused.
        who: the name of the token; empty for nobody, or for who needs none.
        token: its id.
        address: where it came from, without the port.
        what: what it was done to, and how, for people.
    """

    entry: int
    at: float
    kind: str
    ok: bool
    who: str
    token: str
    address: str
    what: str


# --- what is written ----------------------------------------------------------------------------


class TokenKept(Struct, frozen=True):
    """A token was made, or is other than it was."""

    row: TokenRow


class InviteKept(Struct, frozen=True):
    """An invite was made, or is other than it was."""

    row: InviteRow


class WorkerKeyKept(Struct, frozen=True):
    """A worker has joined or wants to, or was approved.

    `invite` is not None where a use of it is spent: both are on disk, or neither.
    """

    row: WorkerKeyRow
    invite: InviteRow | None = None


class WorkerKeyForgotten(Struct, frozen=True):
    """A worker was deleted or refused: whoever has this key is nobody."""

    key: str


class AccessForgotten(Struct, frozen=True):
    """Tokens, sessions or invites were removed, by their ids: they let nobody in any more."""

    tokens: list[str] = []
    invites: list[str] = []


class GroupKept(Struct, frozen=True):
    """A group was made, or is other than it was."""

    row: GroupRow


class GroupForgotten(Struct, frozen=True):
    """A group was removed."""

    name: str


class Audited(Struct, frozen=True):
    """These entries are to be remembered."""

    rows: list[AuditRow]


AccessRecord: TypeAlias = (
    TokenKept
    | InviteKept
    | WorkerKeyKept
    | WorkerKeyForgotten
    | AccessForgotten
    | GroupKept
    | GroupForgotten
    | Audited
)


class AccessRows(Struct, frozen=True):
    """All that is kept of who is let in, but for the audit log."""

    tokens: list[TokenRow]
    invites: list[InviteRow]
    keys: list[WorkerKeyRow]
    groups: list[GroupRow]


class AuditFilter(Struct, frozen=True):
    """Which entries of the audit log are wanted: those of which all is true that is said here.

    Attributes:
        kind: such as `token.created`, or `token` for all kinds that begin so.
        who: the name of the token.
        address: where it came from.
        ok: whether it was done.
    """

    kind: str = ""
    who: str = ""
    address: str = ""
    ok: bool | None = None
