"""What the commands take that say who is let in, and their help."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

from dc.cli import sign_in
from dc.roles import ROLES

Command: TypeAlias = Callable[[Any, str, str, str], Any]

DAY_SECONDS: Final = 86400.0
MOST_DAYS: Final = 3660
MOST_USES: Final = 1_000_000
MOST_AUDITED: Final = 100_000
"""Entries of the audit log that can be asked for: the server keeps no more."""

LINK_MINUTES: Final = 15


def add_access(commands: Any, command: Command) -> None:
    """Add the commands.

    Args:
        commands: of the whole command line.
        command: adds a command to some, with what all take.
    """
    _add_invite(commands, command)
    _add_approve(commands, command)
    _add_token(commands, command)
    _add_group(commands, command)
    _add_audit(commands, command)
    _add_sign_in(commands, command)
    _add_sign_in_link(commands, command)


def _several(commands: Any, name: str, text: str, example: str) -> Any:
    """Return what the actions of a command are added to."""
    root = commands.add_parser(
        name,
        help=text[0].lower() + text[1:].rstrip("."),
        description=text,
        epilog=f"Each action has its own --help.\nexample:\n  python -m dc {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return root.add_subparsers(dest="action", required=True, metavar="ACTION")


# --- adding computers ---------------------------------------------------------------------------


def _add_invite(commands: Any, command: Command) -> None:
    invite = command(
        commands,
        "invite",
        "Print the line by which another computer joins as a worker; list or revoke invites.",
        "python -m dc invite --uses 30 --days 2 --approve",
    )
    invite.mixes = True
    add = invite.add_argument
    add("action", nargs="?", choices=("list", "revoke"), help="instead of making one")
    add("id", nargs="?", metavar="ID", help="of the invite that is revoked")
    uses = invite.add_mutually_exclusive_group()
    uses.add_argument(
        "--uses", type=_uses, default=1, metavar="N", help="computers that may join (default: 1)"
    )
    uses.add_argument("--any", action="store_true", help="any number of them, until it ends")
    add("--days", type=days, default=1.0, metavar="D", help="until it ends (default: 1)")
    add("--approve", action="store_true", help="each one waits for somebody's yes (`approve`)")
    add("--group", default="", metavar="NAME", help="of the workers that join by it")
    add("--name", default="", metavar="TEXT", help="what for, for people")
    add(
        "--address",
        action="append",
        default=[],
        metavar="HOST:PORT",
        help="where the server is reached (default: what it knows of itself); may be repeated",
    )
    add(
        "--public",
        action="store_true",
        help="the server's certificate is one that browsers accept: verify that, not its own key",
    )
    _add_forms(add)


def _add_forms(add: Callable[..., Any]) -> None:
    """Add in which form an invite is given."""
    add("--qr", action="store_true", help="show the code as a QR code as well")
    add("--file", type=Path, metavar="FILE", help="write it for a boot image, to a new file")
    add(
        "--pxe",
        action="store_true",
        help="print the address for iPXE, if the server has an image, and what goes behind a "
        "kernel's command line, instead",
    )
    add(
        "--iso",
        type=Path,
        metavar="FILE",
        help="fetch the server's image with the code in it, for a stick or a CD, to a new file",
    )
    add("--arm64", action="store_true", help="with --iso: the image for ARM processors of 64 bits")


def _add_approve(commands: Any, command: Command) -> None:
    approve = command(
        commands,
        "approve",
        "List the computers that wait to be let in as workers, or let some in.",
        "python -m dc approve '123 456'",
    )
    approve.mixes = True
    add = approve.add_argument
    add(
        "which",
        nargs="*",
        metavar="NUMBER|KEY",
        help="the number that its screen shows, or its key: the beginning will do",
    )
    add("--group", metavar="NAME", help="let it into this group ('' for none)")
    add("--refuse", action="store_true", help="refuse it instead, and forget it")


# --- who is let in ------------------------------------------------------------------------------


def _add_token(commands: Any, command: Command) -> None:
    text = "Make, list and revoke the tokens that let programs and people in."
    actions = _several(commands, "token", text, "token create --role submit --name ci --days 90")
    create = command(
        actions,
        "create",
        "Make a token, and print it: this once.",
        "python -m dc token create --role submit --name ci --days 90 --file ci.token",
    )
    add = create.add_argument
    add(
        "--role",
        action="append",
        required=True,
        choices=ROLES,
        metavar="ROLE",
        help=f"what it lets one do ({', '.join(ROLES)}); may be repeated",
    )
    add("--name", required=True, metavar="NAME", help="whose it is, or what for")
    add("--days", type=days, metavar="D", help="until it ends (default: when it is revoked)")
    add("--file", type=Path, metavar="FILE", help="write it to a new file that only you can read")
    command(actions, "list", "List tokens and sessions.", "python -m dc token list")
    revoke = command(
        actions,
        "revoke",
        "End tokens or sessions, and what was opened with them.",
        "python -m dc token revoke 2jq4mzzy7hkd3wxa",
    )
    revoke.add_argument("ids", nargs="+", metavar="ID", help="as in `token list`")


def _add_group(commands: Any, command: Command) -> None:
    text = "List, set and remove groups of workers, which run some task types alone."
    actions = _several(commands, "group", text, "group set farm --type 'render.*'")
    command(actions, "list", "List the groups.", "python -m dc group list")
    text = "Make a group, or change it: what is said here is all that holds of it."
    change = command(actions, "set", text, "python -m dc group set farm --type 'render.*'")
    change.add_argument("name", metavar="NAME", help="of the group")
    change.add_argument(
        "--type",
        action="append",
        default=[],
        metavar="NAME",
        help="a task type, or a pattern; may be repeated (default: all)",
    )
    change.add_argument("--note", default="", metavar="TEXT", help="for people")
    text = "Remove a group that no worker is in."
    remove = command(actions, "remove", text, "python -m dc group remove farm")
    remove.add_argument("name", metavar="NAME", help="of the group")


def _add_audit(commands: Any, command: Command) -> None:
    audit = command(
        commands,
        "audit",
        "List who was let in or refused, and who changed what, the newest last.",
        "python -m dc audit --refused",
    )
    add = audit.add_argument
    add("--limit", type=_entries, default=100, metavar="N", help="so many (default %(default)s)")
    add("--kind", metavar="KIND", help="of this kind, as token.created, or token for all of them")
    add("--who", metavar="NAME", help="by the token of this name")
    add("--address", metavar="ADDRESS", help="from this address")
    outcome = audit.add_mutually_exclusive_group()
    outcome.add_argument("--done", action="store_true", help="only what was done")
    outcome.add_argument("--refused", action="store_true", help="only what was refused")


def _add_sign_in(commands: Any, command: Command) -> None:
    enter = command(
        commands,
        "sign-in",
        "Be let in by a server from now on, by a sign-in link or a token in a file.",
        "python -m dc sign-in ci.token --server https://desk:8220",
    )
    enter.mixes = True
    enter.set_defaults(local=sign_in.sign_in)
    enter.add_argument(
        "secret",
        nargs="?",
        metavar="LINK|FILE",
        help="a link, of which the server is known as well; a file with a token; - for standard "
        "input (default: $DC_TOKEN)",
    )
    enter.add_argument(
        "--pin",
        default="",
        metavar="HEX",
        help="of the server's key, as it has printed it; asked about if it is not known",
    )
    text = "Forget the token of a server, kept by sign-in."
    leave = command(commands, "sign-out", text, "python -m dc sign-out --server https://desk:8220")
    leave.set_defaults(local=sign_in.sign_out)


def _add_sign_in_link(commands: Any, command: Command) -> None:
    link = command(
        commands,
        "sign-in-link",
        "Print a link that signs a browser in, once.",
        "python -m dc sign-in-link",
    )
    link.add_argument(
        "--role",
        action="append",
        choices=ROLES,
        default=[],
        metavar="ROLE",
        help=f"what it lets one do ({', '.join(ROLES)}; default: admin); may be repeated",
    )
    link.add_argument("--name", default="", metavar="NAME", help="whose it is")
    link.add_argument(
        "--minutes",
        type=_minutes,
        default=LINK_MINUTES,
        metavar="N",
        help="in which it is to be opened (default: %(default)s)",
    )
    link.add_argument("--qr", action="store_true", help="show it as a QR code as well")


# --- numbers ------------------------------------------------------------------------------------


def days(text: str) -> float:
    """Return a number of days."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days up to {MOST_DAYS:,}")
    return value


def _uses(text: str) -> int:
    return _whole(text, MOST_USES)


def _entries(text: str) -> int:
    return _whole(text, MOST_AUDITED)


def _minutes(text: str) -> int:
    return _whole(text, 24 * 60)


def _whole(text: str, most: int) -> int:
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not 1 <= value <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not from 1 to {most:,}")
    return value
