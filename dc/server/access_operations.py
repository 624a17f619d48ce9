"""Does what is asked about who is let in, and writes the audit log.

A change holds at once, and is answered once it is on disk with its entry of the audit log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from msgspec import Struct

from dc import tokens
from dc.errors import DcError
from dc.records_access import (
    AccessForgotten,
    AccessRecord,
    Audited,
    AuditRow,
    GroupRow,
    TokenKept,
    WorkerKeyRow,
)
from dc.roles import Principal
from dc.server import access_views
from dc.server.audit_words import said_of
from dc.server.board import Board
from dc.server.commands import Command, Then
from dc.server.commands_access import (
    AccessCommand,
    ApproveKey,
    Audit,
    ForgetGroup,
    ForgetKey,
    JoinWorker,
    KeepGroup,
    KnockWorker,
    MakeInvite,
    MakeToken,
    RevealNumber,
    RevokeInvite,
    RevokeToken,
    SignedIn,
    SignIn,
    SignOut,
)
from dc.server.workers import WorkerSide
from dc.view_access import Joined, KnockAnswer, MadeToken, MeView

REFUSALS: Final = {
    SignIn: "sign_in.refused",
    JoinWorker: "join.refused",
    KnockWorker: "join.refused",
    RevealNumber: "join.refused",
}
"""Commands of those who are nobody yet, and what it is called when they are refused."""


class Done(Struct, frozen=True):
    """What was done: its answer, what to write down, and the entry of the audit log, if any."""

    answer: object
    records: list[AccessRecord] = []
    kind: str = ""
    what: str = ""


class AccessOperations:
    """Takes such commands.

    Args:
        board: what all share.
        workers: where a worker that is let in, moved or deleted may be.

    Attributes:
        on_ended: is told the ids of tokens and sessions that let nobody in any more.
    """

    def __init__(self, board: Board, workers: WorkerSide) -> None:
        self.on_ended: Callable[[list[str]], None] = _nobody
        self._board = board
        self._workers = workers
        self._access = board.access
        board.access.keys.is_here = workers.roster.by_key.__contains__

    # --- commands -------------------------------------------------------------------------------

    def do(self, command: AccessCommand, by: Principal, address: str, then: Then) -> None:
        """Do what is asked; call `then` with the answer once it is on disk.

        Args:
            command: what.
            by: who asks.
            address: from where.
            then: takes the answer.

        Raises:
            DcError: why nothing was done.
        """
        try:
            done = self._done(command, by, address)
        except DcError as error:
            if (kind := REFUSALS.get(type(command))) is not None:
                what = f"{_wanted(command)}: {error.code}"
                self._board.audit.refused(kind, by, address, what, self._board.wall)
            raise
        self._write(done.records)
        if done.kind:
            self._enter(done.kind, by, address, done.what)
        self._board.after_writes(partial(then, done.answer))

    def _done(self, command: AccessCommand, by: Principal, address: str) -> Done:
        access, now = self._access, self._board.wall
        match command:
            case MakeToken():
                return self._make_token(command)
            case RevokeToken(id_):
                return Done(None, access.revoke_token(id_, now), "token.revoked", f"token {id_}")
            case MakeInvite(wanted, secret):
                row, records = access.make_invite(wanted, now, secret)
                what = f"invite {row.id} for {_purpose(row.purpose)}: {row.name or 'no name'}"
                return Done(access_views.invite(row, now), records, "invite.created", what)
            case RevokeInvite(id_):
                return Done(None, access.revoke_invite(id_, now), "invite.revoked", f"invite {id_}")
            case SignIn() | SignOut():
                return self._of_session(command)
            case JoinWorker() | KnockWorker() | RevealNumber():
                return self._of_joining(command, address)
            case ApproveKey() | ForgetKey():
                return self._of_key(command, by)
            case KeepGroup() | ForgetGroup():
                return self._of_group(command)
            case Audit(kind, what):
                self._board.audit.refused(kind, by, address, what, now)
                return Done(None)

    def _make_token(self, command: MakeToken) -> Done:
        access, now = self._access, self._board.wall
        expires = None if command.lifetime is None else now + command.lifetime
        token, records = access.make_token(
            command.roles, command.name, expires, now, command.random
        )
        row = access.token(token.id)
        assert row is not None
        what = f"token {row.id} for {row.name}: {', '.join(row.roles)}"
        made = MadeToken(token.text, access_views.token(access, row, now))
        return Done(made, records, "token.created", what)

    def _of_session(self, command: SignIn | SignOut) -> Done:
        access, now = self._access, self._board.wall
        if isinstance(command, SignOut):
            row = access.token(command.session)
            if row is None or not row.parent:
                return Done(None)
            records = access.revoke_token(row.id, now)
            return Done(None, records, "signed_out", f"session {row.id}")
        token, row, records = access.sign_in(command.secret, now, command.random)
        me = MeView(
            needed=True,
            signed_in=True,
            name=row.name,
            roles=row.roles,
            token=row.id,
            expires=row.expires,
        )
        what = f"session {row.id} of {row.name}, by {row.parent}"
        return Done(SignedIn(token.text, me), records, "signed_in", what)

    def _of_joining(self, command: JoinWorker | KnockWorker | RevealNumber, address: str) -> Done:
        access, now, server = self._access, self._board.wall, self._board.server
        match command:
            case JoinWorker(join):
                self._workers.register.check(join.key)
                row, records = access.join(join, address, now)
                kind = f"worker.{row.state}" if records else ""
                what = f"{_worker(row)}, by invite {row.invite}"
                answer = Joined(server=server, state=row.state, name=row.name)
                return Done(answer, records, kind, what)
            case KnockWorker(knock, nonce, pin):
                self._workers.register.check(knock.key)
                access.knock(knock, nonce, address, now)
                return Done(KnockAnswer(nonce.hex(), pin or server))
            case RevealNumber(reveal, pin):
                half = bytes.fromhex(reveal.nonce)
                one = access.reveal(reveal.key, half, pin or server, now)
                return Done(Joined(server=server, state="pending", name=one.knock.name))

    def _of_key(self, command: ApproveKey | ForgetKey, by: Principal) -> Done:
        access, now, key = self._access, self._board.wall, command.key
        if isinstance(command, ApproveKey):
            row, records = access.approve(key, command.group, by.name, now)
            self._regroup([key])
            what = f"{_worker(row)}{f', in group {row.group}' * bool(row.group)}"
            return Done(None, records, "worker.approved" if records else "", what)
        records = access.forget_key(key, now)
        self._workers.orders.delete(key)
        return Done(None, records, "worker.forgotten", f"worker key {key[:16]}")

    def _of_group(self, command: KeepGroup | ForgetGroup) -> Done:
        access, name = self._access, command.name
        if isinstance(command, ForgetGroup):
            records = access.forget_group(name, self._board.wall)
            return Done(None, records, "group.removed", f"group {name}")
        row = GroupRow(name, list(command.new.types), command.new.note)
        records = access.set_group(row)
        self._regroup(access.keys.of_group(name))
        what = f"group {name}: {', '.join(row.types) or 'all task types'}"
        return Done(access_views.group(access, row), records, "group.changed", what)

    def _regroup(self, keys: Iterable[str]) -> None:
        """Have workers that are here take only what they may run now."""
        roster = self._workers.roster
        for key in keys:
            if (worker := roster.by_key.get(key)) is not None:
                roster.regroup(worker, worker.about)

    # --- other commands, and time ---------------------------------------------------------------

    def did(self, command: Command, answer: object, by: Principal, address: str) -> None:
        """Note that another command was done; one that found nothing to do has no entry."""
        if answer not in ([], 0):
            kind, what = said_of(command, answer)
            self._enter(kind, by, address, what)

    def deleted(self, keys: Iterable[str]) -> None:
        """Have workers be nobody any more that an operator has deleted."""
        for key in keys:
            self._write(self._access.deleted(key))

    def tick(self, *, last: bool = False) -> None:
        """Write down what time has brought about; with `last` also what is only counted yet."""
        board = self._board
        self._write(self._access.tick(board.wall))
        if rows := board.audit.take(board.wall, all_=last):
            board.write(Audited(rows), board.audit.written)

    def _enter(self, kind: str, by: Principal, address: str, what: str) -> None:
        board = self._board
        row: AuditRow = board.audit.done(kind, by, address, what, board.wall)
        board.write(Audited([row]), _nothing)

    def _write(self, records: list[AccessRecord]) -> None:
        for record in records:
            self._board.write(record, _nothing)
        if ended := _ended(records):
            self.on_ended(ended)


def _ended(records: list[AccessRecord]) -> list[str]:
    """Return the ids of tokens and sessions that let nobody in any more, by what is written."""
    found: list[str] = []
    for record in records:
        if isinstance(record, AccessForgotten):
            found += record.tokens
        elif isinstance(record, TokenKept) and record.row.revoked is not None:
            found.append(record.row.id)
    return found


def _wanted(command: AccessCommand) -> str:
    """Return in words what somebody wanted that was refused; no secret is among them."""
    match command:
        case SignIn(secret):
            shown = tokens.read(secret)
            return f"sign in by token {shown.id}" if shown is not None else "sign in by a code"
        case JoinWorker(join):
            return f"worker {join.name} ({join.key[:16]}) by a code"
        case KnockWorker(knock):
            return f"worker {knock.name} ({knock.key[:16]}) by a number"
        case RevealNumber(reveal):
            return f"worker ({reveal.key[:16]}) by a number"
    return type(command).__name__


def _purpose(purpose: str) -> str:
    return "workers" if purpose == "worker" else "browsers"


def _worker(row: WorkerKeyRow) -> str:
    return f"worker {row.name} ({row.key[:16]})"


def _nothing() -> None:
    """Stand in for what follows a write."""


def _nobody(_: list[str]) -> None:
    """Stand in for who closes what was opened by a token."""
