"""A secure server without a socket, and all kinds of those who ask it for something."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import msgspec
import trio
import trio.testing

from dc import invites, tokens, worker_proof
from dc.http import Response, Upgrade
from dc.messages_parts import Message
from dc.roles import Principal, Role
from dc.server import worker_sessions
from dc.server.commands_access import (
    ApproveKey,
    JoinWorker,
    MakeInvite,
    MakeToken,
    RevokeToken,
)
from dc.server.events import Opened, Received
from dc.view_access import InviteView, Join, MadeToken, NewInvite
from tests.server.served import FakeWorker, Pieces, Served, read, request, serving

JSON = "application/json"
LINES = "application/x-ndjson"


class Key:
    """A worker's key."""

    def __init__(self) -> None:
        self.private = worker_proof.new_private()
        self.text = worker_proof.public_of(self.private)


class Guests:
    """Makes tokens and workers of a server, and asks in their names.

    Attributes:
        shown: what each kind shows in Authorization, by its name.
    """

    def __init__(self, served: Served) -> None:
        self.served = served
        self.app = served.app
        self.shown: dict[str, str] = {"nobody": ""}
        self._peers = 9000
        self.has: FakeWorker

    async def token(
        self, name: str, *roles: Role, lifetime: float | None = None, shown: str = ""
    ) -> MadeToken:
        """Make a token; it is shown by who is called as it, or as `shown`."""
        random = os.urandom(tokens.RANDOM_BYTES)
        made = await self.app.ask(MakeToken(list(roles), name, lifetime, random))
        assert isinstance(made, MadeToken)
        self.shown[shown or name] = f"Bearer {made.secret}"
        return made

    async def invite(self, **wanted: Any) -> str:
        """Make an invite; return its secret in hexadecimal digits."""
        secret = os.urandom(invites.SECRET_BYTES)
        made = await self.app.ask(MakeInvite(NewInvite(**wanted), secret))
        assert isinstance(made, InviteView)
        return secret.hex()

    async def join(self, name: str, *, approve: bool = False, group: str = "") -> Key:
        """Have a worker join by an invite of its own; with `approve` it waits."""
        key = Key()
        secret = await self.invite(approve=approve, group=group)
        await self.app.ask(JoinWorker(Join(secret, key.text, name)))
        return key

    async def approve(self, key: Key) -> None:
        """Say yes to a worker."""
        await self.app.ask(ApproveKey(key.text))

    def work(self, name: str, principal: Principal) -> FakeWorker:
        """Have a worker come, and show its session from now on."""
        self._peers += 1
        worker = self.served.work(name, self._peers, principal=principal)
        secret = self.session(name, principal)
        self.app.sessions.opened(secret, self._peers)
        return worker

    def session(self, name: str, principal: Principal) -> str:
        """Make a session, which is shown from now on."""
        random = os.urandom(worker_sessions.RANDOM_BYTES)
        secret = self.app.sessions.make(principal, random, trio.current_time())
        self.shown[name] = f"Bearer {secret}"
        return secret

    def worker_of(self, key: Key) -> Principal:
        """Return who has joined with a key."""
        found = self.app.reactor.board.access.worker(key.text)
        assert found is not None
        return found

    async def answer(
        self, who: str, method: str, target: str, body: bytes = b"", **headers: str
    ) -> Response | Upgrade:
        """Ask in somebody's name; the answer is not read."""
        if self.shown[who]:
            headers["Authorization"] = self.shown[who]
        if body:
            headers.setdefault("Content_Type", JSON)
        pieces = Pieces(body) if body else None
        return await self.served.site.answer(request(method, target, pieces, **headers))

    async def ask(
        self, who: str, method: str, target: str, body: bytes = b"", **headers: str
    ) -> tuple[int, Any]:
        """Ask in somebody's name; return the status, and what came."""
        answer = await self.answer(who, method, target, body, **headers)
        assert isinstance(answer, Response)
        data = await read(answer)
        return answer.status, msgspec.json.decode(data) if "json" in answer.content_type else data

    async def code(self, who: str, method: str, target: str, body: bytes = b"", **how: str) -> str:
        """Ask in somebody's name; return the code of the problem, empty for none. Not read."""
        answer = await self.answer(who, method, target, body, **how)
        if isinstance(answer, Upgrade) or answer.status < 400:
            if isinstance(answer, Response) and hasattr(answer.body, "aclose"):
                await answer.body.aclose()
            return ""
        return str(msgspec.json.decode(await read(answer))["code"])

    async def post(self, who: str, target: str, value: Any) -> tuple[int, Any]:
        """Post a value as JSON."""
        return await self.ask(who, "POST", target, msgspec.json.encode(value))


class FakePeer:
    """A peer that is no connection, of somebody; it keeps what it hears."""

    def __init__(self, guests: Guests, number: int, principal: Principal) -> None:
        self.app, self.number = guests.app, number
        self.heard: list[Message] = []
        self.closed: tuple[int, str] | None = None
        self.app._connections.put(number, cast("Any", self))
        self.app.feed(Opened(number, "10.0.0.2:5", principal))

    def say(self, *messages: Message) -> None:
        """Say something to the server."""
        if self.closed is None:
            self.app.feed(Received(self.number, list(messages)))

    def push(self, message: Message, size: int) -> None:
        self.heard.append(message)

    def flush(self) -> None:
        pass

    def close(self, code: int, reason: str) -> None:
        self.closed = code, reason
        self.app._connections.remove(self.number)


async def settle() -> None:
    """Wait until nothing goes on."""
    await trio.testing.wait_all_tasks_blocked()


@asynccontextmanager
async def all_guests(folder: Path) -> AsyncIterator[Guests]:
    """Serve job 1 of ann, of whose tasks the worker `has` has all; and all kinds of guests."""
    async with serving(folder, secure=True) as served:
        guests = Guests(served)
        await guests.token("view", "view")
        await guests.token("ann", "submit")
        await guests.token("bob", "submit")
        await guests.token("admin", "admin")
        await guests.token("token", "work")
        await guests.token("expired", *("view", "submit", "work", "admin"), lifetime=1e-9)
        made = await guests.token("revoked", "admin")
        await guests.app.ask(RevokeToken(made.token.id))
        guests.has = guests.work("has", guests.worker_of(await guests.join("has")))
        status, _ = await guests.post("ann", "/api/jobs", {"type": "copy", "tasks": ["a", "b"]})
        assert status == 201
        await settle()
        assert len(guests.has.assigned) == 2
        guests.session("other", guests.worker_of(await guests.join("other")))
        pending = await guests.join("pending", approve=True)
        guests.session("pending", Principal(frozenset({"work"}), "x", worker_key=pending.text))
        yield guests


__all__ = ["JSON", "LINES", "FakePeer", "Guests", "Key", "all_guests", "settle"]
