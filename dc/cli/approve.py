"""`approve`: computers that wait to be let in as workers."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import Any, Final

from dc.cli.screen import Screen, one_line
from dc.cli.show import pairs, when
from dc.client.plain_client import Client
from dc.errors import OptionsError, UnknownKey

LEAST_DIGITS: Final = 4
"""Of a key: fewer are no name."""

NUMBER_DIGITS: Final = 6


def approve(args: Namespace, client: Client, screen: Screen) -> int:
    """List who waits, or let some in, or refuse them."""
    if args.group is not None and args.refuse:
        raise OptionsError("who is refused is in no group: leave --group or --refuse out")
    if not args.which and (args.refuse or args.group is not None):
        raise OptionsError("say who: the number on its screen, or the beginning of its key")
    answer = client.get("/api/worker-keys")
    waiting = [one for one in answer["keys"] if one["state"] == "pending"]
    if not args.which:
        return _list(args, screen, waiting)
    found = [named(which, waiting) for which in _spoken(args.which)]
    chosen = list({one["key"]: one for one in found}.values())
    for one in chosen:
        path = f"/api/worker-keys/{one['key']}"
        if args.refuse:
            client.request("DELETE", path)
        else:
            client.request("POST", f"{path}/approve", {"group": args.group})
        if not args.json:
            done = "refused" if args.refuse else "let in"
            screen.write(f"{one_line(one['name'])} is {done}\n")
    if args.json:
        screen.json({"refused" if args.refuse else "approved": [one["key"] for one in chosen]})
    return 0


def _spoken(words: Sequence[str]) -> list[str]:
    """Return what was said, with a number that was typed as two words, `123 456`, as one."""
    said: list[str] = []
    for word in words:
        half = NUMBER_DIGITS // 2
        if said and all(len(one) == half and _is_digits(one) for one in (said[-1], word)):
            said[-1] += word
        else:
            said.append(word)
    return said


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def named(text: str, waiting: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the one of those that wait which a number or the beginning of a key names.

    Six digits are a number and nothing else: somebody in between knows that of a worker's screen,
    and could have made a key that begins so.

    Raises:
        UnknownKey: none of them, or several.
    """
    said = "".join(text.split()).lower()
    is_number = len(said) == NUMBER_DIGITS and _is_digits(said)
    found = [one for one in waiting if said and one["number"] == said]
    if not is_number and len(said) >= LEAST_DIGITS:
        found = [one for one in waiting if one["key"].startswith(said)]
    if not found:
        kind = "number" if is_number else "key"
        raise UnknownKey(f"nobody waits with the {kind} {text}: python -m dc approve lists them")
    if len(found) > 1:
        raise UnknownKey(f"{len(found)} computers are meant by {text}: give more of the key")
    return found[0]


def _list(args: Namespace, screen: Screen, waiting: Sequence[dict[str, Any]]) -> int:
    if args.json:
        screen.json({"keys": waiting})
    elif not waiting:
        screen.note("nobody waits to be let in")
    else:
        titles = ("number", "name", "address", "since", "group", "what it is", "key")
        screen.table(titles, (_row(one) for one in waiting))
        screen.note("let in whom you know: python -m dc approve NUMBER, or the beginning of a key")
    return 0


def _row(one: dict[str, Any]) -> tuple[Any, ...]:
    number = f"{one['number'][:3]} {one['number'][3:]}" if one["number"] else "-"
    about = pairs(one["about"])
    since = when(one["created"])
    return (number, one["name"], one["address"], since, one["group"], about, one["key"][:12])
