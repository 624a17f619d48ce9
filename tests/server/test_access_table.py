"""Who may do what is as the tables of docs/access.md say, for all routes and all messages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, get_args

import pytest

import dc
from dc.messages import PROTOCOL, FromClient, FromWorker, Heartbeat, Hello, Refused, Welcome
from dc.messages_client import (
    Cancel,
    Consumed,
    EndOfJob,
    Payloads,
    Submit,
    Subscribe,
    Unsubscribe,
    Watch,
)
from dc.messages_parts import Failure, Message
from dc.messages_worker import (
    About,
    Cached,
    Checkpoint,
    Done,
    Failed,
    Goodbye,
    Held,
    Leaving,
    Output,
    Progress,
    Resting,
    Returned,
    Running,
    Vitals,
)
from dc.roles import Principal, Role
from dc.server.api_bytes import byte_routes
from dc.server.routes import Route
from tests.server.guests import LINES, FakePeer, Guests, all_guests, settle

DOCS = Path(dc.__file__).parent.parent / "docs" / "access.md"

ROW = re.compile(r"^\| `([A-Z]+) (/\S*)` \|((?: \w+ \|){5})$", re.MULTILINE)
SAID = re.compile(r"^\| (`\w+`|Hello as a \w+) \|((?: \w+ \|){4})$", re.MULTILINE)

ROLES: tuple[Role, ...] = ("view", "submit", "work", "admin")
COLUMNS = ("nobody", *ROLES)

KINDS = {
    "nobody": "nobody", "expired": "nobody", "revoked": "nobody", "pending": "nobody",
    "view": "view", "ann": "submit", "bob": "submit", "has": "work", "other": "work",
    "token": "work", "admin": "admin",
}  # fmt: skip
"""Guests, and the column that each is in."""

REFUSALS = ("not_signed_in", "not_permitted")

FIELDS = {"job": "1", "task": "0", "sha256": "0" * 64, "key": "0" * 64, "code": "query"}


def cells(text: str) -> list[str]:
    return [cell.strip() for cell in text.strip().strip("|").split("|")]


def routes_of(text: str) -> dict[tuple[str, str], dict[str, str]]:
    return {
        (method, path): dict(zip(COLUMNS, cells(row), strict=True))
        for method, path, row in ROW.findall(text)
    }


def messages_of(text: str) -> dict[str, dict[str, str]]:
    return {
        name.strip("`"): dict(zip(ROLES, cells(row), strict=True))
        for name, row in SAID.findall(text)
    }


def expected(cell: str, who: str, route: Route) -> str:
    """Return the code by which a request is refused, empty if it is not."""
    if cell == "no":
        return "not_signed_in" if KINDS[who] == "nobody" else "not_permitted"
    if cell == "held" and who != "has":
        return "unknown_job"
    if cell == "own" and who == "bob":
        if "{job}" in route.path:
            return "unknown_job"
        return "not_permitted" if route.path == "/api/stream" else ""
    return ""


async def asked(guests: Guests, who: str, route: Route) -> str:
    """Ask for a route; return the code by which it was refused, empty if it was not."""
    target = re.sub(r"{(\w+)}", lambda found: FIELDS.get(found[1], "nothing"), route.path)
    if route.path == "/api/stream":
        target += "?topics=job:1"
    body, kind = b"", ""
    if route.body is not None:
        body, kind = b"{}", "application/json"
    if isinstance(route.body, str):
        body, kind = b"x", LINES if route.path == "/api/jobs" else route.body
    how = {"Content_Type": kind} if kind else {}
    code = await guests.code(who, route.method, target, body, **how)
    return code if code in REFUSALS or code == "unknown_job" else ""


def all_routes(guests: Guests) -> list[Route]:
    routes = [*guests.served.site._router.routes, *byte_routes()]
    return sorted(routes, key=lambda route: route.method != "GET")


async def test_every_route_is_for_those_whom_the_table_names(tmp_path: Path) -> None:
    table, wrong = routes_of(DOCS.read_text("utf-8")), []
    async with all_guests(tmp_path) as guests:
        routes = all_routes(guests)
        assert {(route.method, route.path) for route in routes} == set(table)
        for route in routes:
            for who, column in KINDS.items():
                cell = table[route.method, route.path][column]
                wanted, code = expected(cell, who, route), await asked(guests, who, route)
                if wanted != code:
                    wrong.append(f"{route.method} {route.path} {who}: {code!r}, not {wanted!r}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "BREW"])
async def test_other_methods_are_no_way_round(tmp_path: Path, method: str) -> None:
    async with all_guests(tmp_path) as guests:
        for route in all_routes(guests):
            if route.method != "GET" or not route.who:
                continue
            target = re.sub(r"{(\w+)}", lambda found: FIELDS.get(found[1], "nothing"), route.path)
            code = await guests.code("nobody", method, target)
            seen = method == "HEAD" and route.path != "/api/backup"  # which has no such method
            assert code == ("not_signed_in" if seen else "not_allowed"), route.path


async def test_pages_and_their_files_are_for_everybody(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests:
        for path in ("/", "/jobs", "/workers/x", "/plugins/dc_sample", "/icon.svg", "/favicon.ico"):
            answer = await guests.answer("nobody", "GET", path, Accept="text/html")
            assert getattr(answer, "status", 0) == 200, path


# --- the socket ---------------------------------------------------------------------------------

ABOUT = About("somebody", "a key", 1, [], {}, {}, "run")

SAYS: list[Message] = [
    Held(1, [0], [0]),
    Running(1, [0], [0], [0.1]),
    Done(1, 1, [0], [0], [0.1], [b""]),
    Failed(1, 1, 0, 0, 0.1, Failure("error", "no")),
    Returned(1, 1, [0], [0]),
    Goodbye(),
    Leaving(),
    Resting("somebody uses it"),
    Output(1, 0, 0, 0, b"x", 1),
    Progress(1, 0, 0, 0.5, ""),
    Checkpoint(1, 0, 0, b"x"),
    Cached([], []),
    Vitals(),
    Submit(1, "copy", "", {}),
    Payloads(1, 0, [b"x"]),
    EndOfJob(1),
    Subscribe(2, 1, ordered=False),
    Consumed(2, 1),
    Unsubscribe(2),
    Watch(3, 1),
    Cancel(4, 1),
    Heartbeat(),
]
"""One of each."""


def test_all_messages_are_in_the_table() -> None:
    kinds = {kind.__name__ for kind in (*get_args(FromWorker), *get_args(FromClient))}
    assert {type(message).__name__ for message in SAYS} == kinds - {"Hello"}
    names = set(messages_of(DOCS.read_text("utf-8")))
    assert names == kinds - {"Hello"} | {"Hello as a worker", "Hello as a client"}


def hello(
    role: Literal["worker", "client"], principal: Principal, guests: Guests, number: int
) -> FakePeer:
    peer = FakePeer(guests, number, principal)
    about = ABOUT if role == "worker" else None
    peer.say(Hello(PROTOCOL, role, "dc test", [], about))
    return peer


def is_let_in(peer: FakePeer) -> bool:
    return any(isinstance(message, Welcome) for message in peer.heard)


@pytest.mark.parametrize("role", ROLES)
async def test_who_says_what_it_may_not_is_sent_away(tmp_path: Path, role: Role) -> None:
    """Each message in each kind of socket that the role may open."""
    table, wrong, number = messages_of(DOCS.read_text("utf-8")), [], 100
    principal = Principal(frozenset({role}), "carl", f"token of {role}")
    async with all_guests(tmp_path) as guests:
        guests.app.reactor.admission.stands = lambda *_: True  # type: ignore[method-assign]
        for message in SAYS:
            name, taken = type(message).__name__, []
            kinds: tuple[Literal["worker", "client"], ...] = ("worker", "client")
            for kind in kinds:
                number += 1
                peer = hello(kind, principal, guests, number)
                may = table[f"Hello as a {kind}"][role] == "yes"
                assert is_let_in(peer) == may
                if may:
                    peer.say(message)
                    taken.append(is_taken(peer))
                if peer.closed is None:
                    guests.app.leave(number)
            if any(taken) != (table[name][role] != "no"):
                wrong.append(f"{name}: {taken}")
    assert not wrong, "\n".join(wrong)


def is_taken(peer: FakePeer) -> bool:
    """Whether the last message was one that such a peer sends."""
    refused = [one for one in peer.heard if isinstance(one, Refused)]
    return not any("does not send" in one.text or one.code == "not_permitted" for one in refused)


@pytest.mark.parametrize("role", ["submit", "admin"])
async def test_jobs_of_others_are_not_there(tmp_path: Path, role: Role) -> None:
    table = messages_of(DOCS.read_text("utf-8"))
    async with all_guests(tmp_path) as guests:
        guests.app.reactor.admission.stands = lambda *_: True  # type: ignore[method-assign]
        for number, who in enumerate(("ann", "bob"), 200):
            peer = hello("client", Principal(frozenset({role}), who, who), guests, number)
            for message in (Watch(3, 1), Subscribe(2, 1, ordered=False), Cancel(4, 1)):
                peer.heard.clear()
                peer.say(message)
                await settle()
                own = table[type(message).__name__][role] == "own"
                codes = [one.code for one in peer.heard if isinstance(one, Refused)]
                assert ("unknown_job" in codes) == (own and who == "bob"), (who, message)
