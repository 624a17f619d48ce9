"""What `python -m dc plugins` takes, and its help."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from dc.cli import plugins_authors
from dc.cli.control_arguments import Command


def add_plugins(commands: Any, command: Command) -> None:
    """Add the command with its actions.

    Args:
        commands: of the whole command line.
        command: adds a command to some, with what all take.
    """
    text = "List the server's plugins, or make, pack, sign and verify some."
    plugins = command(commands, "plugins", text, "python -m dc plugins new primes")
    actions = plugins.add_subparsers(dest="action", metavar="ACTION")
    _add_list(actions)
    _add_new(actions)
    _add_pack(actions)
    _add_keygen(actions)
    _add_sign(actions)
    _add_verify(actions)


def _action(
    actions: Any, name: str, does: plugins_authors.Action, text: str
) -> argparse.ArgumentParser:
    """Add an action that works on files here, and asks no server."""
    action: argparse.ArgumentParser = actions.add_parser(
        name, help=text[0].lower() + text[1:].rstrip("."), description=text
    )
    # Without a default of its own it does not undo one that stands before the action.
    action.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="write JSON, for programs"
    )
    action.set_defaults(local=does)
    return action


def _add_list(actions: Any) -> None:
    text = "List the server's plugins and who can run them (also without any ACTION)."
    action = actions.add_parser("list", help="list the server's plugins", description=text)
    action.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="write JSON, for programs"
    )
    action.add_argument(
        "--server", metavar="URL", default=argparse.SUPPRESS, help="the server's address"
    )


def _add_new(actions: Any) -> None:
    text = "Make a new plugin: a task type that works, to be changed, with its tests."
    new = _action(actions, "new", plugins_authors.new, text)
    new.add_argument("name", metavar="NAME", help="of the plugin and of its task type, as primes")
    new.add_argument(
        "folder", metavar="FOLDER", nargs="?", type=Path, help="a new one (default: NAME)"
    )


def _add_pack(actions: Any) -> None:
    text = "Pack a plugin into one file, which goes to --plugins folders as it is."
    pack = _action(actions, "pack", plugins_authors.pack, text)
    pack.add_argument("plugin", metavar="FOLDER", type=Path, help="of the plugin")
    pack.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=Path,
        dest="archive",
        help="to be written (default: FOLDER.dcplugin, here)",
    )


def _add_keygen(actions: Any) -> None:
    text = "Make a key to sign plugins with. Keep its file to yourself; it need not be on a server."
    keygen = _action(actions, "keygen", plugins_authors.keygen, text)
    keygen.add_argument(
        "file", metavar="FILE", type=Path, help="for the private key; FILE.pub has the public one"
    )


def _add_sign(actions: Any) -> None:
    text = "Sign a plugin: a folder, or a file that was packed."
    sign = _action(actions, "sign", plugins_authors.sign, text)
    sign.add_argument("plugin", metavar="PLUGIN", type=Path, help="its folder, or a .dcplugin file")
    sign.add_argument(
        "--key", metavar="FILE", type=Path, required=True, help="the private key, from keygen"
    )


def _add_verify(actions: Any) -> None:
    text = "Say who has signed a plugin, and whether it is what they signed."
    verify = _action(actions, "verify", plugins_authors.verify, text)
    verify.add_argument(
        "plugin", metavar="PLUGIN", type=Path, help="its folder, or a .dcplugin file"
    )
    verify.add_argument(
        "--trust",
        metavar="KEY",
        action="append",
        default=[],
        help="a public key, or its file: fail unless one of these has signed; may be repeated",
    )
