"""`events` and `settings`: what operators and the system did, and what is set of the server."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from dc.cli.screen import Screen, one_line
from dc.client.plain_client import Client

FOLLOW_SECONDS: Final = 1.0
"""Between two looks for new events."""

FOLLOWED: Final = 100_000
"""Events between two looks that are shown, at most: the newest."""

FILTERS: Final = ("kind", "level", "who", "job", "worker", "search")


def events(args: Namespace, client: Client, screen: Screen) -> int:
    """List the newest events, the oldest of them first; with --follow go on with what comes."""
    said = {name: getattr(args, name) for name in FILTERS}
    query = {name: value for name, value in said.items() if value is not None}
    found = _newest(client, query, args.limit)
    if args.json and not args.follow:
        screen.json({"events": found})
        return 0
    _write(args, screen, reversed(found))
    while args.follow:
        time.sleep(FOLLOW_SECONDS)
        last = found[0]["event"] if found else 0
        more = _newest(client, {**query, "after": last}, FOLLOWED)
        found = more or found
        _write(args, screen, reversed(more))
    return 0


def _newest(client: Client, query: Mapping[str, Any], limit: int) -> list[dict[str, Any]]:
    """Return the newest events; the server looks through so many of them in one answer."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while len(found) < limit:
        rest = {**query, **cursor, "limit": min(limit - len(found), 1000)}
        answer = client.get(f"/api/events?{urlencode(rest)}")
        found += answer["events"]
        if answer["next"] is None:
            break
        cursor = {"cursor": answer["next"]}
    return found


def _write(args: Namespace, screen: Screen, found: Iterable[Mapping[str, Any]]) -> None:
    for event in found:
        if args.json:
            screen.json(event, indent=False)
        else:
            screen.write(_line(event) + "\n")


def _line(event: Mapping[str, Any]) -> str:
    at = datetime.fromtimestamp(event["at"]).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    level = "" if event["level"] == "info" else f"{event['level']}: "
    who, text = one_line(event["who"]), one_line(event["text"])
    return f"{at}  {event['kind']}  {who}  {level}{text}"


def settings(args: Namespace, client: Client, screen: Screen) -> int:
    """Show what is set of the server, or set one thing."""
    if args.reset is not None:
        answer = client.request("PATCH", "/api/settings", {args.reset: None})
    elif args.value is not None:
        answer = client.request("PATCH", "/api/settings", {args.name: args.value})
    else:
        answer = client.get("/api/settings")
    name = args.reset or args.name
    rows = [one for one in answer["settings"] if name in (None, one["name"])]
    if name is not None and not rows:
        screen.note(f"dc: there is no setting {name}: python -m dc settings lists them")
        return 2
    if args.json:
        screen.json({"settings": rows})
    else:
        cells = [
            (
                one["name"], one["text"], one["origin"],
                "while it runs" if one["changeable"] else "at its start", one["doc"],
            )
            for one in rows
        ]  # fmt: skip
        screen.table(("setting", "value", "from", "can be set", "what it is"), cells)
    return 0
