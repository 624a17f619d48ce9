"""`audit`: who was let in or refused, and who changed what."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dc.cli.lists import rows
from dc.cli.screen import Screen, one_line
from dc.client.plain_client import Client


def audit(args: Namespace, client: Client, screen: Screen) -> int:
    """List the newest entries, the oldest of them first."""
    outcome = "true" if args.done else "false" if args.refused else None
    said = {"kind": args.kind, "who": args.who, "address": args.address, "ok": outcome}
    found = rows(client, "/api/audit", "entries", args.limit, **said)
    if args.json:
        screen.json({"entries": found})
        return 0
    for entry in reversed(found):
        screen.write(_line(entry) + "\n")
    return 0


def _line(entry: Mapping[str, Any]) -> str:
    at = datetime.fromtimestamp(entry["at"]).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    refused = "" if entry["ok"] else "refused: "
    who = one_line(entry["who"]) or "nobody"
    where = f" ({one_line(entry['address'])})" if entry["address"] else ""
    return f"{at}  {entry['kind']}  {who}{where}  {refused}{one_line(entry['what'])}"
