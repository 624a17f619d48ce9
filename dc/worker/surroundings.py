"""The computer and the user, as far as services need to know: see dc/worker/install.py."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path, PurePath
from typing import Final

from msgspec import Struct

from dc import invites, program
from dc.worker.equipment import Equipment
from dc.worker.folder import state_folder
from dc.worker.services import LINUX, MACOS

if sys.platform != "win32":
    import grp

CARD_GROUPS: Final = ("video", "render")
"""Groups of Linux to which graphics cards are given."""


class Around(Struct, frozen=True):
    """The computer and the user, as far as services need to know; a test has others.

    Attributes:
        platform: what sys.platform says.
        home: of the user; of the one who used sudo, on macOS.
        state: where this user's workers have their folders.
        run: runs a command, returns its exit status.
        say: writes to the user.
        ask: asks the user and returns the answer; None where there is nobody to ask.
        read: returns what comes on standard input.
        python: the interpreter's path.
        needed: what the service has to be able to read.
        is_root: whether this is root, or an administrator.
        user: who used sudo.
        uid: the number of the user.
        has_cards: whether there are graphics cards.
        groups: of CARD_GROUPS, those that are here.
        has_services: whether the system has what runs services.
        root: below which files are written, instead of where they belong.
        variables: of the environment.
    """

    platform: str
    home: Path
    state: Path
    run: Callable[[Sequence[str]], int]
    say: Callable[[str], object]
    ask: Callable[[str], str] | None
    read: Callable[[], str]
    python: str
    needed: list[Path]
    is_root: bool = False
    user: str = ""
    uid: int = 0
    has_cards: bool = False
    groups: list[str] = []
    has_services: bool = True
    root: Path | None = None
    variables: dict[str, str] = {}

    def place(self, path: PurePath) -> Path:
        """Return where a file goes that belongs to a path."""
        return Path(path) if self.root is None else self.root.joinpath(*path.parts[1:])


def here() -> Around:
    """Return what there is to know of this computer and user.

    Raises:
        StartError: this user has no home folder.
    """
    user = os.environ.get("SUDO_USER", "") if sys.platform == MACOS else ""
    home = Path(f"~{user}").expanduser() if user else Path.home()
    state = home / "Library" / "Application Support" / "dc" if user else state_folder()
    return Around(
        sys.platform,
        home,
        state,
        run=_call,
        say=sys.stdout.write,
        ask=_ask if sys.stdin is not None and sys.stdin.isatty() else None,
        read=lambda: sys.stdin.read(2 * invites.MOST_CHARS),
        python=sys.executable,
        needed=_needed(),
        is_root=is_administrator(),
        user=user,
        uid=_uid(),
        has_cards=bool(Equipment().cards()),
        groups=[name for name in CARD_GROUPS if _has_group(name)],
        has_services=sys.platform != LINUX or Path("/run/systemd/system").is_dir(),
        variables=dict(os.environ),
    )


def _needed() -> list[Path]:
    """Return what a service has to be able to read: the interpreter, and dc where it is."""
    spec = importlib.util.find_spec("dc")
    package = Path(spec.origin).parent if spec is not None and spec.origin else Path(sys.prefix)
    python = Path(sys.executable)
    return [python, python.resolve(), Path(sys.prefix), package]


def is_administrator() -> bool:
    """Whether this program may change the computer as a whole."""
    if sys.platform == "win32":
        # Only administrators may look into this folder.
        with suppress(OSError):
            return any(True for _ in Path(r"C:\Windows\System32\config").iterdir())
        return False
    return os.geteuid() == 0


def _uid() -> int:
    if sys.platform == "win32":
        return 0
    return os.getuid()


def _has_group(name: str) -> bool:
    if sys.platform != "win32":
        with suppress(KeyError):
            return bool(grp.getgrnam(name))
    return False


def _call(command: Sequence[str]) -> int:
    try:
        return subprocess.run(command, check=False).returncode
    except OSError as error:
        print(f"dc.worker: {command[0]}: {error.strerror or error}", file=sys.stderr)
        return program.WRONG


def _ask(question: str) -> str:
    try:
        return input(question)
    except EOFError:
        return ""
