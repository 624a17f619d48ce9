"""Who is let in: tokens, invites, keys of workers, groups.

Theory of operation
-------------------
Everything that is asked at each request is in memory, and found by an id or a digest. What changes
is given back as records: whoever asked for the change is told once they are on disk. So what is
told was made to last, and a change holds from the moment it was asked for.

A join and the use of its invite are one record. So a server that is killed at any moment knows
either both or neither, and a worker that has heard no answer asks again, with the same key, and is
told what holds.

Times are Unix times in seconds; random bytes come from outside.
"""

from __future__ import annotations

from msgspec.structs import replace

from dc import invites as invite_codes
from dc import limits_access as limits
from dc import tokens as token_texts
from dc.errors import InviteRefused, NotPossible, NotSignedIn, OptionsError, UnknownKey
from dc.records_access import (
    AccessRecord,
    AccessRows,
    GroupRow,
    InviteKept,
    InviteRow,
    KeyState,
    TokenRow,
    WorkerKeyForgotten,
    WorkerKeyKept,
    WorkerKeyRow,
)
from dc.roles import Principal, Role
from dc.server.access_groups import GroupBook, fits
from dc.server.access_invites import REFUSED, InviteBook, digest_of, id_of, state_of
from dc.server.access_keys import KeyBook
from dc.server.access_knocks import KnockBook, Knocking, short
from dc.server.access_tokens import TokenBook
from dc.server.event_log import plain
from dc.tokens import Token
from dc.view_access import Join, Knock, NewInvite

NOT_VALID = "this token or link lets nobody in: it is wrong, used up, taken back, or has expired"


class Access:
    """Knows who is let in, and as what.

    Attributes:
        tokens, invites, keys, knocks, groups: the parts.
    """

    def __init__(self) -> None:
        self.tokens = TokenBook()
        self.invites = InviteBook()
        self.keys = KeyBook()
        self.knocks = KnockBook()
        self.groups = GroupBook()

    def recovered(self, rows: AccessRows) -> None:
        """Take what is on disk."""
        self.tokens.recovered(rows.tokens)
        self.invites.recovered(rows.invites)
        self.keys.recovered(rows.keys)
        self.groups.recovered(rows.groups)

    def tick(self, now: float) -> list[AccessRecord]:
        """Return what time alone has brought about, to be written down."""
        self.knocks.expire(now)
        return self.tokens.tick(now)

    # --- who it is ------------------------------------------------------------------------------

    def who_has(self, token_text: str, now: float) -> Principal | None:
        """Return who shows a token or a session; None for whatever is not valid."""
        row = self.tokens.shown(token_text, now)
        return None if row is None else Principal(frozenset(row.roles), row.name, row.id)

    def stands(self, principal: Principal, now: float) -> bool:
        """Whether somebody who was let in once would be now (Unix time)."""
        if principal.worker_key:
            return self.keys.joined(principal.worker_key) is not None
        token = self.tokens.get(principal.token)
        return token is not None and self.tokens.state(token, now) == "valid"

    def token(self, id_: str) -> TokenRow | None:
        """Return a token or session by its id."""
        return self.tokens.get(id_)

    def worker(self, key: str) -> Principal | None:
        """Return the worker that has proved to have a key; None if it has not joined."""
        row = self.keys.joined(key)
        if row is None:
            return None
        return Principal(frozenset({"work"}), row.name, worker_key=key, group=row.group)

    def key_state(self, key: str, now: float) -> KeyState | None:
        """Return how far the worker of a key is in; None for nobody."""
        row = self.keys.get(key)
        if row is not None:
            return row.state
        return "pending" if self.knocks.get(key, now) is not None else None

    def name_of(self, key: str, now: float) -> str:
        """Return what the worker of a key calls itself; empty for nobody."""
        if (row := self.keys.get(key)) is not None:
            return row.name
        knocking = self.knocks.get(key, now)
        return plain(knocking.knock.name) if knocking is not None else ""

    # --- tokens ---------------------------------------------------------------------------------

    def make_token(
        self,
        roles: list[Role],
        name: str,
        expires: float | None,
        now: float,
        random: bytes,
        parent: str = "",
    ) -> tuple[Token, list[AccessRecord]]:
        """Make a token, or with a `parent` a session.

        Args:
            roles: what it lets one do.
            name: whose it is.
            expires: when it ends; None for never.
            now: the time.
            random: tokens.RANDOM_BYTES.
            parent: the id of what a session is opened by.

        Raises:
            NotPossible: there are as many as there may be.
            OptionsError: it has no roles, or a submitter's has no name.
        """
        if not roles:
            raise OptionsError("a token has one role at least")
        if not name.strip():
            raise OptionsError("a token has a name: whose it is, or what for")
        token = token_texts.make(random)
        roles = sorted(set(roles))
        row = TokenRow(token.id, token.digest, roles, name, now, expires, parent=parent)
        return token, self.tokens.add(row, now)

    def revoke_token(self, id_: str, now: float) -> list[AccessRecord]:
        """End a token, with the sessions that it has opened; UnknownToken if there is none."""
        return self.tokens.revoke(id_, now)

    def sign_in(
        self, secret: str, now: float, random: bytes
    ) -> tuple[Token, TokenRow, list[AccessRecord]]:
        """Open a session for a browser.

        Args:
            secret: the text of a token, or the secret of an invite for browsers.
            now: the time.
            random: tokens.RANDOM_BYTES.

        Returns:
            The session, as it is shown and as it is kept, and what to write down.

        Raises:
            NotSignedIn: it is not valid.
        """
        until = now + limits.SESSION_SECONDS
        invite = self.invites.of_secret(invite_codes.read_secret(secret), "sign_in")
        if invite is not None and state_of(invite, now) == "valid":
            name = invite.name or f"browser {invite.id}"  # jobs are kept under names
            token, made = self.make_token(invite.roles, name, until, now, random, invite.id)
            # In this order: a server that is killed between the two has not used up the link.
            records = [*made, InviteKept(self.invites.spend(invite, now))]
            return token, self._row(token), records
        row = self.tokens.shown(secret, now)
        if row is None or row.parent:
            raise NotSignedIn(NOT_VALID)
        until = until if row.expires is None else min(until, row.expires)
        token, records = self.make_token(row.roles, row.name, until, now, random, row.id)
        return token, self._row(token), records

    def _row(self, token: Token) -> TokenRow:
        row = self.tokens.get(token.id)
        assert row is not None
        return row

    # --- invites --------------------------------------------------------------------------------

    def make_invite(
        self, wanted: NewInvite, now: float, secret: bytes
    ) -> tuple[InviteRow, list[AccessRecord]]:
        """Make an invite.

        Args:
            wanted: what for.
            now: the time.
            secret: invites.SECRET_BYTES random bytes: its secret.

        Raises:
            UnknownGroup: there is no such group.
            OptionsError: it is for a browser, and has no roles; or for workers, and has some.
            NotPossible: there are as many as there may be.
        """
        assert len(secret) == invite_codes.SECRET_BYTES
        if wanted.group:
            self.groups.check(wanted.group)
        if bool(wanted.roles) != (wanted.purpose == "sign_in"):
            raise OptionsError("an invite has roles if it is for a browser to sign in, else none")
        digest = digest_of(secret)
        row = InviteRow(
            id_of(digest),
            digest,
            wanted.purpose,
            wanted.name,
            now,
            sorted(set(wanted.roles)),
            wanted.group,
            wanted.approve,
            wanted.uses,
            now + wanted.lifetime,
        )
        return row, self.invites.add(row, now)

    def revoke_invite(self, id_: str, now: float) -> list[AccessRecord]:
        """Let nobody in by an invite any more, and end sessions that it has opened.

        Workers that have joined by it stay. UnknownInvite if there is none.
        """
        if self.invites.get(id_) is None:
            return self.invites.revoke(id_, now)
        return [*self.tokens.end_sessions(id_), *self.invites.revoke(id_, now)]

    # --- joining --------------------------------------------------------------------------------

    def join(self, join: Join, address: str, now: float) -> tuple[WorkerKeyRow, list[AccessRecord]]:
        """Let a worker in that has a code, or have it wait for a yes.

        It may ask again: one that is in, or that waits by the same invite, uses up nothing.

        Returns:
            How far it is in, and what to write down.

        Raises:
            InviteRefused: the code lets nobody in.
            NotPossible: there are as many workers as there may be.
        """
        invite = self.invites.of_secret(_bytes(join.secret), "worker")
        if invite is None:
            raise InviteRefused(REFUSED)
        known = self.keys.get(join.key)
        if known is not None and (known.state == "joined" or known.invite == invite.id):
            return known, []
        if state_of(invite, now) != "valid":
            raise InviteRefused(REFUSED)
        room = self.keys.make_room() if known is None else []
        row = WorkerKeyRow(
            join.key,
            "pending" if invite.approve else "joined",
            plain(join.name),
            now,
            invite.group,
            invite.id,
            short(join.about),
            address,
            None if invite.approve else now,
        )
        self.knocks.pop(join.key)
        self.keys.put(row)
        return row, [*room, WorkerKeyKept(row, self.invites.spend(invite, now))]

    def knock(self, knock: Knock, nonce: bytes, address: str, now: float) -> None:
        """Have a worker without a code wait; TooManyTries if as many wait as may.

        Raises:
            NotPossible: a worker with this key has joined.
        """
        if self.keys.joined(knock.key) is not None:
            raise NotPossible("this worker is in already: connect with its key")
        self.knocks.knock(knock, nonce, address, now)

    def reveal(self, key: str, nonce: bytes, server: str, now: float) -> Knocking:
        """Take the half of the number of a worker that has knocked; see KnockBook.reveal."""
        return self.knocks.reveal(key, nonce, server, now)

    def approve(
        self, key: str, group: str | None, by: str, now: float
    ) -> tuple[WorkerKeyRow, list[AccessRecord]]:
        """Let a worker in that waits; one that is in can be moved to another group.

        Args:
            key: whose.
            group: into which group; None for that of its invite, or the one it is in.
            by: who says so.
            now: the time.

        Raises:
            UnknownKey: nobody waits, or is in, with this key.
            UnknownGroup: there is no such group.
            NotPossible: there are as many workers as there may be.
        """
        if group:
            self.groups.check(group)
        row, knocking = self.keys.get(key), self.knocks.get(key, now)
        room: list[AccessRecord] = []
        if row is None:
            if knocking is None:
                raise _unknown(key)
            room = self.keys.make_room()
            row = _row_of(knocking)
        self.knocks.pop(key)
        group = row.group if group is None else group
        if row.state == "joined" and row.group == group:
            return row, []
        if row.state == "pending":
            row = replace(row, state="joined", approved=now, by=by)
        row = replace(row, group=group)
        self.keys.put(row)
        return row, [*room, WorkerKeyKept(row)]

    def forget_key(self, key: str, now: float) -> list[AccessRecord]:
        """Have the worker of a key be nobody; UnknownKey if it is that already."""
        waited = self.knocks.get(key, now) is not None
        self.knocks.pop(key)
        if self.keys.pop(key) is not None:
            return [WorkerKeyForgotten(key)]
        if not waited:
            raise _unknown(key)
        return []

    def deleted(self, key: str) -> list[AccessRecord]:
        """Have a worker that an operator has deleted be nobody, if it ever was somebody."""
        self.knocks.pop(key)
        return [WorkerKeyForgotten(key)] if self.keys.pop(key) is not None else []

    # --- groups ---------------------------------------------------------------------------------

    def set_group(self, row: GroupRow) -> list[AccessRecord]:
        """Make a group, or change it; see GroupBook.set."""
        return self.groups.set(row)

    def forget_group(self, name: str, now: float) -> list[AccessRecord]:
        """Remove a group that nobody is in, or can join; UnknownGroup if there is none.

        Raises:
            NotPossible: workers are in it, or invites lead to it.
        """
        self.groups.check(name)
        count = self.keys.in_group(name)
        if count:
            raise NotPossible(f"{count:,} workers are in group {name}: move or delete them first")
        mine = [row for row in self.invites.all() if row.group == name]
        leading = [row.id for row in mine if state_of(row, now) == "valid"]
        if leading:
            text = f"invites lead to group {name}: revoke them first: {', '.join(leading[:5])}"
            raise NotPossible(text)
        return self.groups.forget(name)

    def allowed(self, group: str, type_name: str) -> bool:
        """Whether workers of a group may run a task type; of no group, all."""
        return fits(self.groups.types(group), type_name)

    def types_of(self, key: str) -> tuple[str, ...]:
        """Return the patterns of task types that the worker of a key may run; none for all."""
        row = self.keys.joined(key)
        return self.groups.types(row.group) if row is not None else ()

    def validate(self) -> None:
        """Check what must always hold; AssertionError says what does not."""
        self.tokens.validate()
        self.invites.validate()
        self.keys.validate()


def _unknown(key: str) -> UnknownKey:
    return UnknownKey(f"no worker with the key {key[:80]} has joined, or waits to be let in")


def _row_of(one: Knocking) -> WorkerKeyRow:
    key, name = one.knock.key, plain(one.knock.name)
    return WorkerKeyRow(key, "pending", name, one.at, about=one.about, address=one.address)


def _bytes(digits: str) -> bytes | None:
    try:
        return bytes.fromhex(digits)
    except ValueError:
        return None
