"""What the API takes and shows of who is let in. Times are Unix times in seconds."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from dc import limits
from dc.messages_parts import Text
from dc.records_access import KeyState
from dc.roles import Role

Lifetime: TypeAlias = Annotated[float, Meta(gt=0, le=10 * 366 * 86400)]
"""Seconds until something ends: ten years at most."""

Patterns: TypeAlias = Annotated[list[Text], Meta(max_length=limits.TYPES)]
About: TypeAlias = Annotated[dict[Text, Text], Meta(max_length=limits.LABELS)]
PublicKey: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", max_length=64)]
Hex: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]*$", max_length=128)]

# --- who one is ---------------------------------------------------------------------------------


class MeView(Struct, frozen=True, kw_only=True):
    """Who asks.

    Attributes:
        needed: whether one has to sign in at all on this server.
        signed_in: whether one has.
        roles: what one may do.
        token: the id of the token or session.
        expires: when one has to sign in again; None for never.
    """

    needed: bool
    signed_in: bool
    name: str
    roles: list[Role]
    token: str = ""
    expires: float | None = None


class SignIn(Struct, frozen=True, forbid_unknown_fields=True):
    """A token, or the code of a sign-in link."""

    secret: Annotated[str, Meta(min_length=1, max_length=200)]


# --- tokens -------------------------------------------------------------------------------------


class TokenView(Struct, frozen=True, kw_only=True):
    """A token; `state` says whether it still lets anybody in. The secret is never shown again."""

    id: str
    name: str
    roles: list[Role]
    state: Literal["valid", "expired", "revoked"]
    created: float
    expires: float | None
    used: float | None
    kind: Literal["token", "session"]


class NewToken(Struct, frozen=True, forbid_unknown_fields=True):
    """A token that is wanted; `lifetime` is in seconds, null for one without an end."""

    roles: Annotated[list[Role], Meta(min_length=1, max_length=4)]
    name: Text
    lifetime: Lifetime | None = None


class MadeToken(Struct, frozen=True):
    """A token that was made: `secret` is the whole of it as text, and this is the only time."""

    secret: str
    token: TokenView


class TokensView(Struct, frozen=True):
    """All tokens, the newest first."""

    tokens: list[TokenView]


# --- invites ------------------------------------------------------------------------------------


class InviteView(Struct, frozen=True, kw_only=True):
    """An invite; `uses` is how many may still join by it, null for any number."""

    id: str
    name: str
    purpose: Literal["worker", "sign_in"]
    roles: list[Role]
    group: str
    approve: bool
    uses: int | None
    state: Literal["valid", "used", "expired", "revoked"]
    created: float
    expires: float | None


class NewInvite(Struct, frozen=True, forbid_unknown_fields=True):
    """An invite that is wanted.

    Attributes:
        name: what for.
        uses: how many may join by it; null for any number until it ends.
        lifetime: seconds until it ends.
        approve: whether each one waits for a yes.
        group: of the workers.
        addresses: where the server is reached, as HOST:PORT; empty for what it knows itself.
        public: whether the server's certificate is verified by authorities instead of by its pin.
        purpose: for workers to join, or for a browser to sign in, with these `roles`.
    """

    name: Text = ""
    uses: Annotated[int, Meta(ge=1, le=1_000_000)] | None = 1
    lifetime: Lifetime = 86400.0
    approve: bool = False
    group: Text = ""
    addresses: Annotated[list[Text], Meta(max_length=8)] = []
    public: bool = False
    purpose: Literal["worker", "sign_in"] = "worker"
    roles: Annotated[list[Role], Meta(max_length=4)] = []


class MadeInvite(Struct, frozen=True, kw_only=True):
    """An invite that was made; this is the only time that it is shown.

    Attributes:
        code: the join code, `dc1-…`; of a browser's, the secret of its link.
        link: an address for a browser that signs in; what is secret stands behind the `#`.
        shell: a line for a terminal.
        file: what stands in the file for the boot image.
        pxe: what is put behind a kernel's command line.
        qr: the rows of a QR code of the code or the link, of `0` and `1`.
        boot: the address of a script for iPXE, by which a computer boots from the network; empty if
            the server has no image, as are the next two.
        iso: the address of an image for a stick or a CD, with the code in it.
        iso_arm64: the same for ARM processors of 64 bits.
    """

    invite: InviteView
    code: str
    link: str
    shell: str
    file: str
    pxe: str
    qr: list[str]
    boot: str = ""
    iso: str = ""
    iso_arm64: str = ""


class InvitesView(Struct, frozen=True):
    """All invites that still let anybody in, and those of late that do not; the newest first."""

    invites: list[InviteView]


# --- joining ------------------------------------------------------------------------------------


class Join(Struct, frozen=True, forbid_unknown_fields=True):
    """A worker that joins by a code; it may be sent again, and uses up nothing by that.

    Attributes:
        secret: of the join code, as hexadecimal digits.
        key: the worker's public key.
        name: as it calls itself.
        about: what it is, for who approves.
    """

    secret: Hex
    key: PublicKey
    name: Text
    about: About = {}


class Knock(Struct, frozen=True, forbid_unknown_fields=True):
    """A worker without a code, which is to be confirmed by a number that both sides show.

    `commitment` is the SHA-256 of the 16 bytes that it reveals once it has the server's.
    """

    commitment: Annotated[str, Meta(pattern="^[0-9a-f]{64}$", max_length=64)]
    key: PublicKey
    name: Text
    about: About = {}


class KnockAnswer(Struct, frozen=True):
    """The server's half of the number.

    Attributes:
        nonce: its 16 bytes, as hexadecimal digits.
        server: what the number binds of it: its pin as 64 hexadecimal digits, or its identity.
    """

    nonce: str
    server: str = ""


class Reveal(Struct, frozen=True, forbid_unknown_fields=True):
    """The worker's 16 bytes, as hexadecimal digits."""

    key: PublicKey
    nonce: Annotated[str, Meta(pattern="^[0-9a-f]{32}$", max_length=32)]


class Joined(Struct, frozen=True, kw_only=True):
    """How far a worker is in; `server` is the server's identity."""

    server: str
    state: KeyState
    name: str


class WorkerKeyView(Struct, frozen=True, kw_only=True):
    """The key of a worker; `number` is the six digits to compare, empty where none are."""

    key: str
    state: KeyState
    name: str
    group: str
    invite: str
    number: str
    about: dict[str, str]
    address: str
    created: float
    approved: float | None
    by: str


class WorkerKeysView(Struct, frozen=True):
    """Those that wait first, then the newest."""

    keys: list[WorkerKeyView]


class Approve(Struct, frozen=True, forbid_unknown_fields=True):
    """Let a worker in; into a group, or into that of its invite."""

    group: Text | None = None


# --- groups and the audit log -------------------------------------------------------------------


class GroupView(Struct, frozen=True, kw_only=True):
    """A group of workers, and how many are in it."""

    name: str
    types: list[str]
    note: str
    workers: int


class NewGroup(Struct, frozen=True, forbid_unknown_fields=True):
    """A group as it is to be; `types` are names of task types or patterns, none for all."""

    types: Patterns = []
    note: Annotated[str, Meta(max_length=limits.NOTE_CHARS)] = ""


class GroupsView(Struct, frozen=True):
    """All groups by name."""

    groups: list[GroupView]


class AuditView(Struct, frozen=True, kw_only=True):
    """An entry of the audit log."""

    entry: int
    at: float
    kind: str
    ok: bool
    who: str
    token: str
    address: str
    what: str


class AuditPage(Struct, frozen=True):
    """Entries, the newest first; `next` is the cursor of those before, null at the end."""

    entries: list[AuditView]
    next: str | None
