"""`group`: groups of workers."""

from __future__ import annotations

from argparse import Namespace
from urllib.parse import quote

from dc.cli.screen import Screen
from dc.client.plain_client import Client


def group(args: Namespace, client: Client, screen: Screen) -> int:
    """List groups, set one, or remove one."""
    if args.action == "list":
        answer = client.get("/api/groups")
        if args.json:
            screen.json(answer)
            return 0
        rows = (
            (one["name"], ", ".join(one["types"]) or "all", one["workers"], one["note"])
            for one in answer["groups"]
        )
        screen.table(("group", "task types", "workers", "note"), rows)
        return 0
    path = f"/api/groups/{quote(args.name, safe='')}"
    if args.action == "set":
        answer = client.request("PUT", path, {"types": args.type, "note": args.note})
        said = f"workers of {args.name} run {', '.join(args.type) or 'all task types'}"
    else:
        client.request("DELETE", path)
        answer, said = {"removed": args.name}, f"{args.name} is removed"
    screen.json(answer) if args.json else screen.write(f"{said}\n")
    return 0
