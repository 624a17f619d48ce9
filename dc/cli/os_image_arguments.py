"""What `python -m dc os-image` takes, and its help."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from dc import limits_image
from dc.cli import os_image
from dc.cli.screen import Screen

Action: TypeAlias = Callable[[argparse.Namespace, Screen], int]

EXAMPLES = """\
examples:
  python -m dc invite --any --days 30 --file lab.invite
  python -m dc os-image configure worker.iso --invite lab.invite --slots 2
  sudo python -m dc os-image configure /dev/sdX --label 'room=upper floor'
  python -m dc os-image show worker.iso
"""


def add_os_image(commands: Any) -> None:
    """Add the command with its actions, which ask no server."""
    text = (
        "Write into an image, or onto a stick with it, which server a computer that boots from it "
        "is to work for; or say what is written there. Nothing is built or mounted."
    )
    root = commands.add_parser(
        "os-image",
        help="configure an image that computers boot from to become workers",
        description=text,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = root.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = _action(actions, "show", os_image.show, "Say what an image is configured to do.")
    show.add_argument("--json", action="store_true", help="write JSON, for programs")
    _add_configure(actions)


def _action(actions: Any, name: str, does: Action, text: str) -> argparse.ArgumentParser:
    action: argparse.ArgumentParser = actions.add_parser(
        name,
        help=text[0].lower() + text[1:].rstrip("."),
        description=text,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    action.add_argument(
        "image", metavar="IMAGE", type=Path, help="worker.iso, or a stick that it was written to"
    )
    action.set_defaults(local=does)
    return action


def _add_configure(actions: Any) -> None:
    text = (
        "Write a configuration into an image or onto a stick, in place. What is not said stays as "
        "it is."
    )
    configure = _action(actions, "configure", os_image.configure, text)
    add = configure.add_argument
    add(
        "--invite",
        metavar="FILE|CODE",
        help="a file with a join code (as invite --file makes it), - for standard input, or the "
        "code itself, which other users of this computer can see meanwhile",
    )
    add("--server", metavar="HOST:PORT", help="a server to be joined without a code")
    most = limits_image.SLOTS
    add("--slots", metavar="N", help=f"tasks at a time, up to {most:,} (default: one a processor)")
    add("--name", metavar="NAME", help="of the worker (default: made of its network card's)")
    add(
        *("--label", "--labels"),
        action="append",
        metavar="KEY=VALUE",
        help="a label of the worker; may be repeated, and takes the place of all that are there",
    )
    add("--ip", metavar="ADDR/PREFIX[@CARD]", help="its own address (default: asked for by DHCP)")
    add("--gw", metavar="ADDR", help="with --ip: the way out of its network")
    add("--dns", metavar="ADDR[,ADDR]", help="with --ip: who knows names")
    add("--shell", action="store_true", help="offer a shell on its screen to whoever is there")
    add(
        "--trust-network",
        action="store_true",
        help="join a server that it finds by the yes of the server's page alone",
    )
    add("--empty", action="store_true", help="take out all that is there first")
