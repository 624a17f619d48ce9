"""Tokens and sessions: which there are, and which of them still let somebody in.

A session is a token that was made for a browser which has signed in; its `parent` is what it has
signed in by. It ends with that. Sessions that have ended are forgotten; tokens that have ended stay
to be looked at, until their place is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal, TypeAlias

from msgspec.structs import replace

from dc import limits_access as limits
from dc import tokens
from dc.errors import NotPossible, UnknownToken
from dc.records_access import AccessForgotten, AccessRecord, TokenKept, TokenRow

State: TypeAlias = Literal["valid", "expired", "revoked"]

NO_DIGEST: Final = bytes(32)
"""What the secret of an unknown token is compared with, so that it takes as long as that of any."""


class TokenBook:
    """Keeps them.

    Args:
        most: tokens.
        most_sessions: sessions in all, and of one token or invite.
    """

    def __init__(
        self,
        most: int = limits.TOKENS,
        most_sessions: tuple[int, int] = (limits.SESSIONS, limits.SESSIONS_OF_ONE),
    ) -> None:
        self._most = most
        self._most_sessions, self._most_of_one = most_sessions
        self._tokens: dict[str, TokenRow] = {}
        self._sessions: dict[str, TokenRow] = {}  # the oldest first
        self._opened: dict[str, dict[str, None]] = {}  # sessions by their parents
        self._touched: dict[str, None] = {}
        self._written = self._looked = 0.0

    def recovered(self, rows: Sequence[TokenRow]) -> None:
        """Take what is on disk."""
        for row in sorted(rows, key=lambda row: row.created):
            if row.parent:
                self._enter(row)
            else:
                self._tokens[row.id] = row

    # --- letting in -----------------------------------------------------------------------------

    def shown(self, text: str, now: float) -> TokenRow | None:
        """Return the token or session that a text is, if it is valid now (Unix time)."""
        token = tokens.read(text)
        row = self.get(token.id) if token is not None else None
        right = token is not None and token.is_of(NO_DIGEST if row is None else row.digest)
        if row is None or not right or self.state(row, now) != "valid":
            return None
        return self._touch(row, now)

    def state(self, row: TokenRow, now: float) -> State:
        """Return whether a token still lets anybody in."""
        if row.revoked is not None:
            return "revoked"
        if row.expires is not None and row.expires <= now:
            return "expired"
        parent = self._tokens.get(row.parent)
        return "valid" if parent is None else self.state(parent, now)

    def _touch(self, row: TokenRow, now: float) -> TokenRow:
        """Note that a token was used, to the minute."""
        minute = now // limits.USED_SECONDS * limits.USED_SECONDS
        if row.used == minute:
            return row
        row = replace(row, used=minute)
        self._touched[row.id] = None
        (self._sessions if row.parent else self._tokens)[row.id] = row
        return row

    # --- making and ending ----------------------------------------------------------------------

    def add(self, row: TokenRow, now: float) -> list[AccessRecord]:
        """Take in a new token or session; return what to write down.

        Raises:
            NotPossible: there are as many tokens as there may be, or one of this id.
        """
        if self.get(row.id) is not None:
            raise NotPossible("by chance there is a token of this id already: try again")
        if row.parent:
            forgotten = self._make_way(row.parent)
            self._enter(row)
        else:
            forgotten = self._make_room(now)
            self._tokens[row.id] = row
        return [*_forgotten(forgotten), TokenKept(row)]

    def revoke(self, id_: str, now: float) -> list[AccessRecord]:
        """End a token, with the sessions that it has opened, or a session.

        Sessions go first, so that none of them outlives its token on a disk that stops in between.

        Raises:
            UnknownToken: there is none.
        """
        row = self.get(id_)
        if row is None:
            raise UnknownToken(f"there is no token {id_[:80]}")
        if row.parent:
            self._leave(id_)
            return _forgotten([id_])
        ended = self.end_sessions(id_)
        if row.revoked is not None:
            return ended
        self._tokens[id_] = replace(row, revoked=now)
        return [*ended, TokenKept(self._tokens[id_])]

    def end_sessions(self, parent: str) -> list[AccessRecord]:
        """End the sessions that were opened by a token or an invite."""
        ended = list(self._opened.get(parent, ()))
        for id_ in ended:
            self._leave(id_)
        return _forgotten(ended)

    def tick(self, now: float) -> list[AccessRecord]:
        """Return what to write down of tokens that were used, and of sessions that have ended."""
        records: list[AccessRecord] = []
        if abs(now - self._looked) >= limits.SESSIONS_LOOKED_SECONDS:
            self._looked = now
            over = [id_ for id_, row in self._sessions.items() if self.state(row, now) != "valid"]
            for id_ in over:
                self._leave(id_)
            records += _forgotten(over)
        if self._touched and abs(now - self._written) >= limits.USED_SECONDS:
            part = list(self._touched)[: limits.USED_WRITTEN]
            for id_ in part:
                del self._touched[id_]
            self._written = self._written if self._touched else now
            records += [TokenKept(row) for id_ in part if (row := self.get(id_)) is not None]
        return records

    def _make_room(self, now: float) -> list[str]:
        """Forget tokens that have ended, if there are as many as there may be."""
        if len(self._tokens) < self._most:
            return []
        ended = [id_ for id_, row in self._tokens.items() if self.state(row, now) != "valid"]
        if not ended:
            raise NotPossible(f"there are {self._most:,} tokens already: revoke some first")
        over = [session for id_ in ended for session in self._opened.get(id_, ())]
        for id_ in over:
            self._leave(id_)
        for id_ in ended:
            del self._tokens[id_]
        return over + ended

    def _make_way(self, parent: str) -> list[str]:
        """Forget the oldest sessions, if there are as many as there may be."""
        gone: list[str] = []
        while len(self._opened.get(parent, ())) >= self._most_of_one:
            gone.append(self._leave(next(iter(self._opened[parent]))))
        while len(self._sessions) >= self._most_sessions:
            gone.append(self._leave(next(iter(self._sessions))))
        return gone

    def _enter(self, row: TokenRow) -> None:
        self._sessions[row.id] = row
        self._opened.setdefault(row.parent, {})[row.id] = None

    def _leave(self, id_: str) -> str:
        row = self._sessions.pop(id_)
        siblings = self._opened[row.parent]
        del siblings[id_]
        if not siblings:
            del self._opened[row.parent]
        return id_

    # --- looking --------------------------------------------------------------------------------

    def get(self, id_: str) -> TokenRow | None:
        """Return a token or session by its id."""
        return self._tokens.get(id_) or self._sessions.get(id_)

    def all(self) -> Iterator[TokenRow]:
        """Yield all tokens and sessions."""
        yield from self._tokens.values()
        yield from self._sessions.values()

    def validate(self) -> None:
        """Check that sessions are found by what they were opened by."""
        opened = {(row.parent, id_) for id_, row in self._sessions.items()}
        found = {(parent, id_) for parent, ids in self._opened.items() for id_ in ids}
        assert opened == found, "a session does not end with what it was opened by"
        assert len(self._tokens) <= self._most
        assert len(self._sessions) <= self._most_sessions


def _forgotten(ids: list[str]) -> list[AccessRecord]:
    return [AccessForgotten(tokens=ids)] if ids else []
