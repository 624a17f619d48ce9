"""`invite`: the line by which another computer joins; and those that there are."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from dc.cli.access_arguments import DAY_SECONDS
from dc.cli.qr import qr_text
from dc.cli.screen import Screen
from dc.cli.secret_file import keep_secret
from dc.cli.show import when
from dc.client.plain_client import Client
from dc.errors import NotPossible, OptionsError


def invite(args: Namespace, client: Client, screen: Screen) -> int:
    """Make an invite, list them, or revoke one."""
    if args.action == "list" and args.id is not None:
        raise OptionsError("invite list takes no ID: it lists all")
    if (args.id is not None) != (args.action == "revoke"):
        raise OptionsError("say which invite is revoked: python -m dc invite revoke ID")
    if args.action == "list":
        return _list(args, client, screen)
    if args.action == "revoke":
        client.request("DELETE", f"/api/invites/{quote(args.id, safe='')}")
        screen.json({"revoked": args.id}) if args.json else screen.write(f"{args.id} is revoked\n")
        return 0
    return _make(args, client, screen)


def _make(args: Namespace, client: Client, screen: Screen) -> int:
    keep, _ = keep_secret(args.file), keep_secret(args.iso)
    wanted = {
        "name": args.name, "uses": None if args.any else args.uses,
        "lifetime": args.days * DAY_SECONDS, "approve": args.approve, "group": args.group,
        "addresses": args.address, "public": args.public,
    }  # fmt: skip
    made = client.request("POST", "/api/invites", wanted)
    keep(made["file"])
    if args.iso is not None:
        _fetch(made["iso_arm64" if args.arm64 else "iso"], client, args.iso)
        screen.note(f"an image for a stick or a CD, with the code in it: {args.iso}")
    if args.json:
        screen.json(made)
        return 0
    if args.file is not None:
        screen.note(f"for a boot image: {args.file}")
    if args.pxe:
        screen.write("".join(f"{made[one]}\n" for one in ("boot", "pxe") if made[one]))
    elif args.file is None and args.iso is None:
        screen.write(f"{made['shell']}\n")
    if args.qr:
        screen.write(qr_text(made["qr"], colours=screen.streams_to_terminal))
    screen.note(_said(made["invite"]))
    return 0


def _fetch(place: str, client: Client, to: Path) -> None:
    """Fetch an image with a code in it; NotPossible if the server has none."""
    if not place:
        raise NotPossible("the invite is made, but the server has no such image: see docs/boot.md")
    url = urlsplit(place)
    client.download(f"{url.path}{'?' * bool(url.query)}{url.query}", to)


def _said(one: dict[str, Any]) -> str:
    """Return what an invite lets in, in a line."""
    uses = {None: "any number of computers", 1: "one computer"}
    who = uses.get(one["uses"], f"{one['uses']} computers")
    until = f", until {when(one['expires'])}" if one["expires"] is not None else ""
    approved = "; each waits for: python -m dc approve" if one["approve"] else ""
    return f"for {who}{until}{approved}; to take it back: python -m dc invite revoke {one['id']}"


def _list(args: Namespace, client: Client, screen: Screen) -> int:
    answer = client.get("/api/invites")
    if args.json:
        screen.json(answer)
        return 0
    titles = ("invite", "name", "for", "group", "approve", "left", "state", "made", "ends")
    screen.table(titles, (_row(one) for one in answer["invites"]))
    return 0


def _row(one: dict[str, Any]) -> tuple[Any, ...]:
    purpose = "workers" if one["purpose"] == "worker" else f"sign-in: {', '.join(one['roles'])}"
    left = "any number" if one["uses"] is None else str(one["uses"])
    return (
        *(one["id"], one["name"], purpose, one["group"], "yes" if one["approve"] else "no"),
        *(left, one["state"], when(one["created"])),
        "never" if one["expires"] is None else when(one["expires"]),
    )
