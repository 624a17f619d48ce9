"""The commands that show the server's plugins, and one of its task types."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from dc.cli.screen import Screen
from dc.client.plain_client import Client
from dc.errors import UnknownTaskType


def plugins(args: Namespace, client: Client, screen: Screen) -> int:
    """List the server's plugins: which versions, where from, who can run them, what is broken."""
    answer = client.get("/api/plugins")
    if args.json:
        screen.json(answer)
        return 0
    titles = (
        *("plugin", "version", "archive", "types", "needs", "carries", "signed by"),
        *("jobs", "workers", "from"),
    )
    screen.table(titles, (_row(one) for one in answer["plugins"]))
    for one in answer["plugins"]:
        for line in _notes(one):
            screen.note(f"{one['name']} {one['archive'][:12]}: {line}")
    for why in answer["broken"].values():
        screen.note(f"broken on the server: {why}")
    return 0


def _row(plugin: Mapping[str, Any]) -> tuple[Any, ...]:
    workers = plugin["workers"]
    python = [f"Python {plugin['python']}"] if plugin["python"] else []
    return (
        plugin["name"],
        plugin["version"],
        plugin["archive"][:12],
        ", ".join(f"{kind['name']} {kind['version']}" for kind in plugin["types"]),
        ", ".join([*python, *plugin["platforms"], *plugin["dependencies"]]),
        ", ".join(plugin["carried"]),
        plugin["signer"] or "nobody",
        plugin["jobs"],
        f"{workers['own']} have their own, {workers['can']} can get it",
        plugin["place"],
    )


def _notes(plugin: Mapping[str, Any]) -> Iterator[str]:
    if not plugin["in_service"]:
        yield f"an earlier version, which {plugin['jobs']} unfinished jobs run"
    if plugin["note"]:
        yield plugin["note"]
    for why, who in plugin["workers"]["cannot"].items():
        more = ", …" if who["workers"] > len(who["some"]) else ""
        yield f"{who['workers']} workers cannot get it ({', '.join(who['some'])}{more}): {why}"
    for worker, why in plugin["workers"]["failed"].items():
        yield f"failed on {worker}: {why}"


def one_type(name: str, types: Sequence[Mapping[str, Any]], as_json: bool, screen: Screen) -> int:
    """Show the task types of one name, each version.

    Raises:
        UnknownTaskType: there is none.
    """
    found = [one for one in types if one["name"] == name]
    if not found:
        there = ", ".join(sorted({one["name"] for one in types})) or "none"
        raise UnknownTaskType(f"no task type {name!r}; there is {there}")
    if as_json:
        screen.json(found)
        return 0
    for one in found:
        screen.fields(_fields(one))
    return 0


def _fields(kind: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "type", f"{kind['name']} {kind['version']}"
    yield "what it does", kind["doc"]
    yield "plugin", " ".join(filter(None, [kind["plugin"], kind["archive"][:12]]))
    for side in ("payload", "result"):
        schema = msgspec.json.format(msgspec.json.encode(kind[f"{side}_schema"]), indent=2)
        yield side, schema.decode()
