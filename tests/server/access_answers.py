"""What `test_every_answer` asks of the API of access: what can be done, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from dc import invites, join_number, tokens
from dc.errors import NotPossible, TooManyTries
from dc.roles import LOCAL
from dc.server.access_invites import digest_of, id_of
from dc.server.access_keys import KeyBook
from dc.server.commands import OrderWorkers, Which
from dc.server.commands_access import (
    JoinWorker,
    KeepGroup,
    KnockWorker,
    MakeInvite,
    MakeToken,
)
from dc.view_access import Join, Knock, NewGroup, NewInvite
from tests.server.images import make_image
from tests.server.served import Served

TOKEN = tokens.make(bytes(30))
CODE, WAITS = bytes(10), b"0123456789"
BOOT = f"/boot/{invites.secret_text(CODE)}"
IN, PENDING, KNOCKS, DELETED, NEW = ("1" * 64, "2" * 64, "3" * 64, "4" * 64, "5" * 64)
HALF = bytes(16)

JOIN = {"secret": CODE.hex(), "key": IN, "name": "in"}
KNOCK = {"commitment": join_number.commitment(HALF), "key": KNOCKS, "name": "knocks"}
REVEAL = {"key": KNOCKS, "nonce": HALF.hex()}

Good = dict[tuple[str, str], tuple[str, Any]]

GOOD: Good = {
    ("POST", "/api/sign-in"): ("/api/sign-in", {"secret": TOKEN.text}),
    ("POST", "/api/tokens"): ("/api/tokens", {"roles": ["view"], "name": "one"}),
    ("DELETE", "/api/tokens/{id}"): (f"/api/tokens/{TOKEN.id}", None),
    ("GET", "/boot/{secret}/{file}"): (f"{BOOT}/worker.iso", None),
    ("GET", "/boot/{secret}/arm64/{file}"): (f"{BOOT}/arm64/worker.iso", None),
    ("POST", "/api/invites"): ("/api/invites", {"name": "lab", "addresses": ["lab.example:1"]}),
    ("DELETE", "/api/invites/{id}"): (f"/api/invites/{id_of(digest_of(WAITS))}", None),
    ("POST", "/api/join"): ("/api/join", JOIN),
    ("GET", "/api/join/keys/{key}"): (f"/api/join/keys/{IN}", None),
    ("POST", "/api/join/knock"): ("/api/join/knock", KNOCK),
    ("POST", "/api/join/reveal"): ("/api/join/reveal", REVEAL),
    ("POST", "/api/worker-keys/{key}/approve"): (f"/api/worker-keys/{PENDING}/approve", {}),
    ("DELETE", "/api/worker-keys/{key}"): (f"/api/worker-keys/{PENDING}", None),
    ("PUT", "/api/groups/{name}"): ("/api/groups/lab", {"types": ["copy"]}),
    ("DELETE", "/api/groups/{name}"): ("/api/groups/nobodys", None),
}
"""What is asked for, and a body."""

AFTERWARDS = {
    ("POST", "/api/sign-in"), ("POST", "/api/join/reveal"), ("DELETE", "/api/worker-keys/{key}"),
    ("DELETE", "/api/groups/{name}"),
}  # fmt: skip
"""What has its own turn: the token is revoked by then, or it can be done once."""

Case = tuple[str, str, str, object, int, str]
"""A method, a template, a target, a value to send, and the status and code that answer it."""

KEY, APPROVE, GROUP = (
    "/api/worker-keys/{key}",
    "/api/worker-keys/{key}/approve",
    "/api/groups/{name}",
)
SIGN_IN = {"secret": tokens.make(b"x" * 30).text}
ROLES = {"roles": ["view"]}

CASES: list[Case] = [
    ("POST", "/api/sign-in", "", {"secret": "wrong"}, 401, "not_signed_in"),
    ("POST", "/api/sign-in", "", SIGN_IN, 200, ""),
    ("POST", "/api/tokens", "", {**ROLES, "name": " "}, 400, "options"),
    ("DELETE", "/api/tokens/{id}", "/api/tokens/nothing", None, 404, "unknown_token"),
    ("POST", "/api/invites", "", {"roles": ["view"]}, 400, "options"),
    ("POST", "/api/invites", "", {"addresses": ["a b"]}, 400, "options"),
    ("POST", "/api/invites", "", {"addresses": ["x" * 64]}, 400, "options"),
    ("POST", "/api/invites", "", {"group": "odd"}, 404, "unknown_group"),
    ("DELETE", "/api/invites/{id}", "/api/invites/nothing", None, 404, "unknown_invite"),
    ("POST", "/api/join", "", {**JOIN, "secret": "ab"}, 403, "invite"),
    ("POST", "/api/join", "", {**JOIN, "key": DELETED}, 403, "worker_deleted"),
    ("GET", "/api/join/keys/{key}", f"/api/join/keys/{NEW}", None, 404, "unknown_key"),
    ("POST", "/api/join/knock", "", {**KNOCK, "key": IN}, 409, "not_possible"),
    ("POST", "/api/join/knock", "", {**KNOCK, "key": DELETED}, 403, "worker_deleted"),
    ("POST", "/api/join/reveal", "", {**REVEAL, "key": NEW}, 403, "invite"),
    ("POST", "/api/join/knock", "", KNOCK, 200, ""),
    ("POST", "/api/join/reveal", "", REVEAL, 200, ""),
    ("POST", APPROVE, f"/api/worker-keys/{NEW}/approve", {}, 404, "unknown_key"),
    ("POST", APPROVE, f"/api/worker-keys/{IN}/approve", {"group": "odd"}, 404, "unknown_group"),
    ("DELETE", KEY, f"/api/worker-keys/{NEW}", None, 404, "unknown_key"),
    ("PUT", GROUP, "/api/groups/%20", {}, 400, "options"),
    ("DELETE", GROUP, "/api/groups/odd", None, 404, "unknown_group"),
    ("POST", APPROVE, f"/api/worker-keys/{IN}/approve", {"group": "lab"}, 200, ""),
    ("DELETE", GROUP, "/api/groups/lab", None, 409, "not_possible"),
    ("DELETE", GROUP, "/api/groups/nobodys", None, 200, ""),
]

FULL: list[Case] = [
    ("POST", "/api/sign-in", "", SIGN_IN, 429, "too_many"),
    ("POST", "/api/join", "", JOIN, 429, "too_many"),
    ("POST", "/api/join/knock", "", KNOCK, 429, "too_many"),
    ("POST", "/api/join/reveal", "", REVEAL, 429, "too_many"),
    ("POST", "/api/tokens", "", {**ROLES, "name": "one"}, 409, "not_possible"),
    ("POST", "/api/invites", "", {}, 409, "not_possible"),
    ("PUT", GROUP, "/api/groups/another", {}, 409, "not_possible"),
    ("POST", APPROVE, f"/api/worker-keys/{KNOCKS}/approve", {}, 409, "not_possible"),
]

FULL_OF_KEYS: list[Case] = [
    ("POST", "/api/join", "", {**JOIN, "key": NEW}, 409, "not_possible"),
]

ENDS: list[Case] = [("DELETE", KEY, f"/api/worker-keys/{PENDING}", None, 200, "")]


async def prepare(served: Served) -> None:
    """Make what is asked for."""
    make_image(served.app.settings.data / "os-image")
    ask = served.app.ask
    await ask(MakeToken(["submit"], "kept", None, bytes(30)))
    await ask(MakeToken(["submit"], "signs in", None, b"x" * 30))
    await ask(MakeInvite(NewInvite(uses=None), CODE))
    await ask(MakeInvite(NewInvite(uses=None, approve=True), WAITS))
    await ask(JoinWorker(Join(CODE.hex(), IN, "in")))
    await ask(JoinWorker(Join(WAITS.hex(), PENDING, "pending")))
    await ask(JoinWorker(Join(CODE.hex(), DELETED, "deleted")))
    served.work("gone", 9005, principal=served.app.reactor.board.access.worker(DELETED) or LOCAL)
    await ask(OrderWorkers(Which(["gone"], exact=True), "delete"))
    await ask(KnockWorker(Knock(KNOCK["commitment"], KNOCKS, "knocks"), bytes(16)))
    await ask(KeepGroup("lab", NewGroup()))
    await ask(KeepGroup("nobodys", NewGroup()))


class NoTries:
    """Lets nobody try."""

    def check_try(self, host: str, now: float) -> None:
        raise TooManyTries("wait")

    def failed(self, host: str, now: float) -> None:
        """Take no note."""

    def passed(self, host: str) -> None:
        """Take no note."""


@contextmanager
def full(served: Served, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have no room for anything, and let nobody try."""
    access = served.app.reactor.board.access
    with patch.context() as patched:
        patched.setattr(served.site.doorkeeper, "tries", NoTries())
        for book in (access.tokens, access.invites, access.groups):
            patched.setattr(book, "_most", -1)
        patched.setattr(access.tokens, "state", lambda *_: "valid")
        patched.setattr(access.invites, "_make_room", no_room)
        with no_keys(patch):
            yield


@contextmanager
def no_keys(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have no room for keys."""
    with patch.context() as patched:
        patched.setattr(KeyBook, "make_room", no_room)
        yield


def no_room(*_: object) -> list[Any]:
    raise NotPossible("there is no room")
