"""Who may do what: the roles of tokens, and who is on the other side of a connection.

A server on a loopback address lets everybody in, as LOCAL: who can reach it is on this computer
already. On any other address each request and each socket shows who it is from.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

from msgspec import Struct

Role: TypeAlias = Literal["view", "submit", "work", "admin"]
"""`view` sees all; `submit` submits, and sees and controls what it has submitted itself; `work`
takes tasks, and reads what belongs to those it has; `admin` may do everything."""

ROLES: Final[tuple[Role, ...]] = get_args(Role)


class Principal(Struct, frozen=True):
    """Who asks.

    Attributes:
        roles: what they may do.
        name: for people and for the audit log; of a submitter, the name its jobs are kept under.
        token: the id of the token that was shown, empty where none was.
        worker_key: the public key (64 hexadecimal digits) that a worker has proved to have; empty
            for all others.
        group: of that worker, empty for none.
        is_local: whether nobody had to show anything, because only this computer is listened to.
    """

    roles: frozenset[Role]
    name: str
    token: str = ""
    worker_key: str = ""
    group: str = ""
    is_local: bool = False

    def __repr__(self) -> str:
        """Say who it is in a line, always in the same words."""
        who = self.worker_key[:16] or self.token or self.name or "nobody"
        return f"Principal({who}: {' '.join(sorted(self.roles)) or 'no role'})"

    def may(self, *roles: Role) -> bool:
        """Whether it has one of these roles; who administers has all."""
        return "admin" in self.roles or not self.roles.isdisjoint(roles)

    @property
    def sees_all(self) -> bool:
        """Whether it may read everything, and not only what is its own."""
        return self.may("view")


LOCAL: Final = Principal(frozenset(ROLES), "", is_local=True)
"""Whoever reaches a server that listens on a loopback address alone."""

NOBODY: Final = Principal(frozenset(), "")
"""Who has shown nothing."""
