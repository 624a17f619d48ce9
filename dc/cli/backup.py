"""The command that fetches a backup of the server's data folder."""

from __future__ import annotations

from argparse import Namespace

from dc.cli.screen import Screen
from dc.client.plain_client import Client
from dc.errors import StartError


def backup(args: Namespace, client: Client, screen: Screen) -> int:
    """Write a backup to a new file."""
    if args.file.exists():
        raise StartError(f"{args.file} is there already: choose another name, or remove it")
    size = client.backup(args.file)
    if args.json:
        screen.json({"file": str(args.file), "bytes": size})
    else:
        screen.note(
            f"{size:,} bytes in {args.file}; to restore: "
            f"python -m dc.server --data NEW --restore {args.file}"
        )
    return 0
