"""Secrets in files: written so that only this user can read them, read without much ado."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from dc.errors import StartError
from dc.known_servers import write_secret
from dc.tokens import PREFIX

MOST_CHARS: Final = 2000
"""Of a file with a token or a link in it: what is longer is another file."""


def keep_secret(path: Path | None) -> Callable[[str], None]:
    """Return what writes a secret to a new file; to none, if that is said.

    Raises:
        StartError: something has that name already, or there is no such folder.
    """
    if path is not None and path.exists():
        raise StartError(f"{path} is there already: choose another name, or remove it")
    if path is not None and not path.parent.is_dir():
        raise StartError(f"there is no folder {path.parent}: make it first")

    def keep(text: str) -> None:
        if path is not None:
            write_secret(path, text.encode())

    return keep


def read_secret(path: str) -> str:
    """Return what is in a file, or for `-` on standard input: one word.

    Raises:
        OSError: it cannot be read.
        StartError: there is something else in it, or it is a token itself.
    """
    if path.startswith(f"{PREFIX}_"):
        raise StartError(
            "a token on a command line is seen by other users: put it into a file, or give - and "
            "type it"
        )
    if path == "-":
        text = sys.stdin.read(MOST_CHARS + 1)
    else:
        with Path(path).open(encoding="utf-8", errors="replace") as file:
            text = file.read(MOST_CHARS + 1)
    words = text.split()
    if len(words) != 1 or len(text) > MOST_CHARS:
        raise StartError(f"there is no token in {path}: it is one word that begins with dct_")
    return words[0]
