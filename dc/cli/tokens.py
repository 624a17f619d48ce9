"""`token`: makes, lists and revokes tokens."""

from __future__ import annotations

from argparse import Namespace
from typing import Any
from urllib.parse import quote

from dc.cli.access_arguments import DAY_SECONDS
from dc.cli.screen import Screen
from dc.cli.secret_file import keep_secret
from dc.cli.show import when
from dc.client.plain_client import Client


def token(args: Namespace, client: Client, screen: Screen) -> int:
    """Do something with tokens."""
    if args.action == "create":
        return _create(args, client, screen)
    if args.action == "revoke":
        return _revoke(args, client, screen)
    answer = client.get("/api/tokens")
    if args.json:
        screen.json(answer)
        return 0
    titles = ("token", "name", "kind", "may", "state", "made", "ends", "last used")
    screen.table(titles, (_row(one) for one in answer["tokens"]))
    return 0


def _row(one: dict[str, Any]) -> tuple[Any, ...]:
    ends = "never" if one["expires"] is None else when(one["expires"])
    used = "never" if one["used"] is None else when(one["used"])
    roles = ", ".join(one["roles"])
    return (
        *(one["id"], one["name"], one["kind"], roles, one["state"]),
        *(when(one["created"]), ends, used),
    )


def _create(args: Namespace, client: Client, screen: Screen) -> int:
    lifetime = None if args.days is None else args.days * DAY_SECONDS
    wanted = {"roles": list(dict.fromkeys(args.role)), "name": args.name, "lifetime": lifetime}
    keep = keep_secret(args.file)  # a name that is taken is told before anything is made
    made = client.request("POST", "/api/tokens", wanted)
    if args.file is not None:
        keep(f"{made['secret']}\n")
        screen.note(f"token {made['token']['id']} is in {args.file}")
        made = {"token": made["token"], "file": str(args.file)}
    if args.json:
        screen.json(made)
    elif args.file is None:
        screen.write(f"{made['secret']}\n")
        screen.note("it is shown this once; to use it: python -m dc sign-in FILE, or $DC_TOKEN")
    return 0


def _revoke(args: Namespace, client: Client, screen: Screen) -> int:
    for one in args.ids:
        client.request("DELETE", f"/api/tokens/{quote(one, safe='')}")
        if not args.json:
            screen.write(f"{one} is revoked\n")
    if args.json:
        screen.json({"revoked": args.ids})
    return 0
