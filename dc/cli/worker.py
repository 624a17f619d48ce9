"""The commands that look after workers."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from dc.cli.screen import Screen
from dc.cli.show import pairs, when
from dc.cli.top_detail import vitals_fields
from dc.cli.worker_arguments import NOW_OR_DRAINED
from dc.client.plain_client import Client
from dc.errors import OptionsError
from dc.requirements import resources_text


def worker(args: Namespace, client: Client, screen: Screen) -> int:
    """Do something with workers, or show one."""
    if args.action == "show":
        return _show(args, client, screen)
    answer = client.request("POST", f"/api/workers/{args.action}", _body(args))
    if args.json:
        screen.json(answer)
    elif args.action == "wake":
        where = ", ".join(answer["networks"])
        for name in answer["sent"]:
            screen.write(f"a call to wake was sent to {name}\n")
        screen.note(f"sent to all in {where}; whether it was heard is not known")
    elif args.action == "delete":
        for name in answer["deleted"]:
            screen.write(f"{name} is deleted\n")
    else:
        rows = ((one["name"], one["state"], one["slots"], one["note"]) for one in answer["workers"])
        screen.table(("worker", "state", "slots", "note"), rows)
        for one in answer["workers"]:
            if one["why"]:
                screen.note(f"{one['name']}: {one['why']}")
    return 0


def _body(args: Namespace) -> dict[str, Any]:
    body = {"names": args.names, "labels": dict(args.having), "states": args.state, "all": args.all}
    if args.action == "drain":
        body["leave"] = args.leave
    elif args.action in NOW_OR_DRAINED:
        body["now"] = args.now
    elif args.action == "set":
        body["set"] = _settings(args)
    return body


def _settings(args: Namespace) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if args.name is not None:
        settings["name"] = args.name or None
    if args.slots is not None:
        settings["slots"] = args.slots or None
    if args.note is not None:
        settings["note"] = args.note
    if args.label or args.unlabel:
        settings["labels"] = {**dict(args.label), **dict.fromkeys(args.unlabel)}
    if not settings:
        raise OptionsError("say what is to be set: --name, --slots, --note, --label or --unlabel")
    return settings


def _show(args: Namespace, client: Client, screen: Screen) -> int:
    for name in args.names:
        answer = client.get(f"/api/workers/{quote(name, safe='')}")
        if args.json:
            screen.json(answer)
        else:
            screen.fields(_fields(answer))
    return 0


def _fields(one: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "worker", one["name"]
    if one.get("own_name", one["name"]) != one["name"]:
        yield "own name", one["own_name"]
    yield "state", one["state"]
    if one["why"]:
        yield "why", one["why"]
    if one["note"]:
        yield "note", one["note"]
    if one["state"] == "gone":
        yield "last seen", when(one["seen"])
    else:
        yield "address", one["address"]
        own = f" (its own: {one['own_slots']})" if one["slots"] != one["own_slots"] else ""
        yield "slots", f"{one['slots']}{own}"
        yield "holds", f"{one['held']} tasks"
        yield "runs", " ".join(f"{task['job']}/{task['number']}" for task in one["running"])
        yield "done", f"{one['done']}, and {one['failed']} attempts failed"
        yield from vitals_fields(one)
        yield "connected", when(one["connected_at"]) if one["connected_at"] else "not yet"
        yield "types", ", ".join(f"{kind['name']} {kind['version']}" for kind in one["types"])
    if one["leaves_in"] is not None:
        yield "leaves in", f"{one['leaves_in']:.0f} s"
    if one.get("appliance"):
        yield "image", one["appliance"]["image"]
        yield "cards", ", ".join(one["appliance"]["macs"])
    yield "labels", pairs(one["labels"])
    if one["resources"]:
        yield "resources", resources_text(one["resources"])
