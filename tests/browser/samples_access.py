"""What a server that others can reach shows of who is let in, made up."""

from __future__ import annotations

from typing import Any, Final

from dc.roles import Role
from dc.view_access import (
    AuditPage,
    AuditView,
    GroupsView,
    GroupView,
    InvitesView,
    InviteView,
    MadeInvite,
    MadeToken,
    MeView,
    TokensView,
    TokenView,
    WorkerKeysView,
    WorkerKeyView,
)
from tests.browser.samples import NOW

DAY: Final = 86_400.0
SECRET: Final = "dct_2jq4mzzy7hkd3wxa_aebagbafaydqqcikbmga2dqpcaireeyu"
CODE: Final = "dc1-aebagbafaydqqcikbmga2dqpcaireeyucikbmga2dqpcaireeyuculbogazdinryhi6aeh7"
NUMBER: Final = "123456"
BOOT: Final = "/boot/aebagbafaydqqcik"


def me(*roles: Role, name: str = "operator", signed_in: bool = True) -> MeView:
    return MeView(
        needed=True,
        signed_in=signed_in,
        name=name if signed_in else "",
        roles=list(roles),
        token="s7q4mzzy7hkd3wxa" if signed_in else "",
        expires=NOW + 30 * DAY if signed_in else None,
    )


def token(**changes: Any) -> TokenView:
    values: dict[str, Any] = {
        "id": "2jq4mzzy7hkd3wxa",
        "name": "ci",
        "roles": ["submit", "view"],
        "state": "valid",
        "created": NOW - 3 * DAY,
        "expires": NOW + 90 * DAY,
        "used": NOW - 60,
        "kind": "token",
    }
    return TokenView(**(values | changes))


def tokens() -> TokensView:
    return TokensView(
        [
            token(),
            token(id="k4q4mzzy7hkd3wxb", name="operator", roles=["admin"], expires=None),
            token(id="o2q4mzzy7hkd3wxc", name="old laptop", roles=["work"], state="expired",
                  expires=NOW - DAY, used=None),
            token(id="p7q4mzzy7hkd3wxd", name="ada", roles=["view"], state="revoked"),
            token(id="s7q4mzzy7hkd3wxa", name="operator", roles=["admin"], kind="session"),
        ]
    )  # fmt: skip


def invite(**changes: Any) -> InviteView:
    values: dict[str, Any] = {
        "id": "a1b2c3d4",
        "name": "the lab's desktops",
        "purpose": "worker",
        "roles": [],
        "group": "",
        "approve": False,
        "uses": 1,
        "state": "valid",
        "created": NOW - 3600,
        "expires": NOW + DAY,
    }
    return InviteView(**(values | changes))


def invites() -> InvitesView:
    return InvitesView(
        [
            invite(),
            invite(id="b1b2c3d4", name="", uses=None, approve=True, group="farm"),
            invite(id="c1b2c3d4", name="first start", purpose="sign_in", roles=["admin"], uses=0,
                   state="used"),
            invite(id="d1b2c3d4", state="revoked"),
            invite(id="e1b2c3d4", state="expired", expires=NOW - DAY),
        ]
    )  # fmt: skip


def made_invite(**changes: Any) -> MadeInvite:
    values: dict[str, Any] = {
        "invite": invite(),
        "code": CODE,
        "link": "",
        "shell": f"python -m dc.worker {CODE}",
        "file": f"dc.invite={CODE}\n",
        "pxe": f"dc.invite={CODE}",
        "qr": qr(),
        "boot": f"http://192.168.1.5:8220{BOOT}/boot.ipxe",
        "iso": f"https://192.168.1.5:8220{BOOT}/worker.iso",
    }
    return MadeInvite(**(values | changes))


def qr() -> list[str]:
    """Return something that looks like a QR code."""
    return ["".join("01"[(x * y + x // 3 + y) % 3 % 2] for x in range(37)) for y in range(37)]


def key(**changes: Any) -> WorkerKeyView:
    values: dict[str, Any] = {
        "key": "5f" * 32,
        "state": "pending",
        "name": "attic",
        "group": "",
        "invite": "",
        "number": NUMBER,
        "about": {"system": "Linux 6.1, x86_64", "processors": "8", "memory": "15.5 GiB"},
        "address": "192.168.1.31",
        "created": NOW - 40,
        "approved": None,
        "by": "",
    }
    return WorkerKeyView(**(values | changes))


def keys() -> WorkerKeysView:
    return WorkerKeysView(
        [
            key(),
            key(key="6a" * 32, name="phone", number="", invite="b1b2c3d4", group="farm", about={}),
            *joined(),
        ]
    )


def joined() -> list[WorkerKeyView]:
    about = {"state": "joined", "number": "", "approved": NOW - DAY}
    return [
        key(key="7b" * 32, name="lab-01", by="operator", **about),
        key(key="8c" * 32, name="lab-02", invite="a1b2c3d4", group="farm", **about),
    ]


def groups() -> GroupsView:
    return GroupsView(
        [
            GroupView(name="farm", types=["render.*", "shrink"], note="at night only", workers=2),
            GroupView(name="guests", types=[], note="", workers=0),
        ]
    )


def entry(number: int, **changes: Any) -> AuditView:
    values: dict[str, Any] = {
        "entry": number,
        "at": NOW - 100 * (100 - number),
        "kind": "token.created",
        "ok": True,
        "who": "operator",
        "token": "k4q4mzzy7hkd3wxb",
        "address": "192.168.1.5",
        "what": "token ci (submit, view)",
    }
    return AuditView(**(values | changes))


def audit() -> AuditPage:
    return AuditPage(
        [
            entry(9, kind="sign_in.failed", ok=False, who="", token="", address="203.0.113.9",
                  what="41 times in a minute"),
            entry(8, kind="worker.joined", who="", token="", what="lab-02, by invite a1b2c3d4"),
            entry(7),
        ],
        "7",
    )  # fmt: skip


def answers() -> dict[str, object]:
    """Return what such a server answers to somebody who administers it."""
    attic = f"/api/worker-keys/{'5f' * 32}"
    return {
        "/api/me": me("admin"),
        "/api/tokens": tokens(),
        "/api/invites": invites(),
        "/api/worker-keys": keys(),
        "/api/groups": groups(),
        "/api/audit": audit(),
        "POST /api/sign-in": me("admin"),
        "POST /api/sign-out": {},
        "POST /api/tokens": MadeToken(SECRET, token()),
        "DELETE /api/tokens/2jq4mzzy7hkd3wxa": {},
        "POST /api/invites": made_invite(),
        "DELETE /api/invites/a1b2c3d4": {},
        f"POST {attic}/approve": key(state="joined"),
        f"DELETE {attic}": {},
        f"POST /api/worker-keys/{'7b' * 32}/approve": key(state="joined", group="farm"),
        f"DELETE /api/worker-keys/{'7b' * 32}": {},
        "PUT /api/groups/guests": groups().groups[1],
        "PUT /api/groups/slow%20ones": groups().groups[1],
        "DELETE /api/groups/guests": {},
    }
