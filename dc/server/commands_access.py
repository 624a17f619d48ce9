"""What is asked of the server about who is let in: commands, beside those of `commands`.

Who asks, and from where, is said beside a command. Random bytes are in it. What is answered is on
disk.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from dc.roles import Role
from dc.view_access import Join, Knock, MeView, NewGroup, NewInvite, Reveal


class MakeToken(Struct, frozen=True):
    """Make a token; the answer is a MadeToken.

    Attributes:
        roles: what it lets one do.
        name: whose it is.
        lifetime: seconds until it ends, None for never.
        random: tokens.RANDOM_BYTES.
    """

    roles: list[Role]
    name: str
    lifetime: float | None
    random: bytes


class RevokeToken(Struct, frozen=True):
    """End a token or session, and the sessions that it has opened; the answer is None."""

    id: str


class MakeInvite(Struct, frozen=True):
    """Make an invite of this secret (invites.SECRET_BYTES); the answer is an InviteView."""

    wanted: NewInvite
    secret: bytes


class RevokeInvite(Struct, frozen=True):
    """Let nobody in by an invite any more; the answer is None."""

    id: str


class SignIn(Struct, frozen=True):
    """Open a session for a browser, by a token or the secret of a link; the answer is SignedIn."""

    secret: str
    random: bytes


class SignedIn(Struct, frozen=True):
    """A session: `secret` is its text, for the cookie."""

    secret: str
    me: MeView


class SignOut(Struct, frozen=True):
    """End a session; the answer is None, also if there is none."""

    session: str


class JoinWorker(Struct, frozen=True):
    """Let a worker in that has a code; the answer is Joined."""

    join: Join


class KnockWorker(Struct, frozen=True):
    """Have a worker without a code wait; `nonce` is 16 random bytes. The answer is KnockAnswer.

    `server` is the server's whole pin as hexadecimal digits; empty where it has no TLS of its own.
    """

    knock: Knock
    nonce: bytes
    server: str = ""


class RevealNumber(Struct, frozen=True):
    """Take such a worker's half of the number; the answer is Joined.

    `server` is as in KnockWorker.
    """

    reveal: Reveal
    server: str = ""


class ApproveKey(Struct, frozen=True):
    """Let a worker in that waits, or move one to another group; the answer is None.

    `group` is None for that of its invite, or the one that it is in.
    """

    key: str
    group: str | None = None


class ForgetKey(Struct, frozen=True):
    """Refuse a worker that waits, or delete one that is in; the answer is None."""

    key: str


class KeepGroup(Struct, frozen=True):
    """Make a group of workers, or change it; the answer is a GroupView."""

    name: str
    new: NewGroup


class ForgetGroup(Struct, frozen=True):
    """Remove a group that nobody is in; the answer is None."""

    name: str


class Audit(Struct, frozen=True):
    """Note in the audit log what was refused, such as a request; the answer is None, at once.

    Attributes:
        kind: such as `request.refused`.
        what: of what, for people.
    """

    kind: str
    what: str


AccessCommand: TypeAlias = (
    MakeToken
    | RevokeToken
    | MakeInvite
    | RevokeInvite
    | SignIn
    | SignOut
    | JoinWorker
    | KnockWorker
    | RevealNumber
    | ApproveKey
    | ForgetKey
    | KeepGroup
    | ForgetGroup
    | Audit
)
