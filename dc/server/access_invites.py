"""Invites: which there are, and how many may still join by them.

They are found by the SHA-256 of their secrets: who knows no secret cannot find out anything by
trying, and how long a look takes says nothing about one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final, Literal, TypeAlias

from msgspec.structs import replace

from dc import limits_access as limits
from dc.errors import InviteRefused, NotPossible, UnknownInvite
from dc.records_access import AccessForgotten, AccessRecord, InviteKept, InviteRow

State: TypeAlias = Literal["valid", "used", "expired", "revoked"]

ID_CHARS: Final = 8

REFUSED: Final = (
    "this code lets nobody in: it is wrong, used up, taken back or has expired; ask who gave it to "
    "you for a new one"
)
"""Said of any of these alike: who tries codes is told nothing."""


class InviteBook:
    """Keeps them.

    Args:
        most: invites.
    """

    def __init__(self, most: int = limits.INVITES) -> None:
        self._most = most
        self._rows: dict[str, InviteRow] = {}  # by id, the oldest first
        self._ids: dict[bytes, str] = {}  # by digest

    def recovered(self, rows: Iterable[InviteRow]) -> None:
        """Take what is on disk."""
        for row in sorted(rows, key=lambda row: row.created):
            self._rows[row.id], self._ids[row.digest] = row, row.id

    def add(self, row: InviteRow, now: float) -> list[AccessRecord]:
        """Take in a new invite; return what to write down.

        Raises:
            NotPossible: there are as many as there may be, or one of this id.
        """
        if row.id in self._rows:
            raise NotPossible("by chance there is an invite of this id already: try again")
        forgotten = self._make_room(now)
        self._rows[row.id], self._ids[row.digest] = row, row.id
        return [*forgotten, InviteKept(row)]

    def revoke(self, id_: str, now: float) -> list[AccessRecord]:
        """Let nobody join by an invite any more; who has joined stays.

        Raises:
            UnknownInvite: there is none.
        """
        row = self._rows.get(id_)
        if row is None:
            raise UnknownInvite(f"there is no invite {id_[:80]}")
        if row.revoked is not None:
            return []
        row = self._rows[id_] = replace(row, revoked=now)
        return [InviteKept(row)]

    def spend(self, row: InviteRow, now: float) -> InviteRow:
        """Use an invite once; return it as it is now, to be written down.

        Raises:
            InviteRefused: it lets nobody in.
        """
        if state_of(row, now) != "valid":
            raise InviteRefused(REFUSED)
        if row.uses is not None:
            row = self._rows[row.id] = replace(row, uses=row.uses - 1)
        return row

    def _make_room(self, now: float) -> list[AccessRecord]:
        if len(self._rows) < self._most:
            return []
        ended = [id_ for id_, row in self._rows.items() if state_of(row, now) != "valid"]
        if not ended:
            raise NotPossible(f"there are {self._most:,} invites already: revoke some first")
        for id_ in ended:
            del self._ids[self._rows.pop(id_).digest]
        return [AccessForgotten(invites=ended)]

    # --- looking --------------------------------------------------------------------------------

    def of_secret(
        self, secret: bytes | None, purpose: Literal["worker", "sign_in"]
    ) -> InviteRow | None:
        """Return the invite of a secret, valid or not, if it is for that."""
        id_ = self._ids.get(digest_of(secret)) if secret else None
        row = self._rows[id_] if id_ is not None else None
        return row if row is not None and row.purpose == purpose else None

    def get(self, id_: str) -> InviteRow | None:
        """Return an invite by its id."""
        return self._rows.get(id_)

    def all(self) -> Iterator[InviteRow]:
        """Yield all invites."""
        yield from self._rows.values()

    def validate(self) -> None:
        """Check that each is found by its secret, and was not used too often."""
        assert self._ids == {row.digest: id_ for id_, row in self._rows.items()}
        assert len(self._rows) <= self._most
        for row in self._rows.values():
            assert row.uses is None or row.uses >= 0, "an invite was used too often"


def digest_of(secret: bytes) -> bytes:
    """Return what is kept of an invite's secret."""
    return hashlib.sha256(secret).digest()


def id_of(digest: bytes) -> str:
    """Return the id of the invite of a digest."""
    return digest.hex()[:ID_CHARS]


def state_of(row: InviteRow, now: float) -> State:
    """Return whether an invite still lets anybody in, at a Unix time."""
    if row.revoked is not None:
        return "revoked"
    if row.uses == 0:
        return "used"
    return "expired" if row.expires is not None and row.expires <= now else "valid"
