"""What operators may call a worker: a name that people can read and type, and nobody else has."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from dc import limits
from dc.errors import DuplicateName, OptionsError
from dc.records import WorkerRow
from dc.server.register import Register, is_decided
from dc.server.roster import Roster

PATTERN: Final = "*?["
"""What makes a pattern of a name."""

UNSEEN: Final = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Categories of characters that do not show, or change how others do: controls, marks of direction,
line ends, halves of characters."""


class Naming:
    """Gives workers names. `roster` has those that are here, `register` those remembered."""

    def __init__(self, roster: Roster, register: Register) -> None:
        self._roster = roster
        self._register = register

    def named(self, rows: Sequence[WorkerRow], after: Sequence[WorkerRow], name: str) -> WorkerRow:
        """Return what will be remembered of one worker, with its new name.

        Args:
            rows: those that are meant.
            after: the same, with what else is changed of them.
            name: the new one; empty for what it calls itself.

        Raises:
            OptionsError: several are meant, or it is no name.
            DuplicateName: it is another worker's.
        """
        if len(rows) != 1:
            raise OptionsError(f"a name is one worker's: {len(rows)} are meant")
        new = replace(after[0], called=checked(name) if name else "")
        if new.shown != rows[0].shown:
            self._check_free(new)
            self._register.forget_named(new.shown)
        return new

    def _check_free(self, row: WorkerRow) -> None:
        name, key = row.shown, row.key
        here = self._roster.named(name)
        if here is not None and here.key != key:
            raise DuplicateName(f"a worker named {name} is here: choose another name")
        if self._register.called(name) not in ("", key):
            raise DuplicateName(f"the name {name} was given to another worker: take it back first")
        for gone in self._register.gone():
            if gone.shown == name and gone.key != key and is_decided(gone):
                text = f"{name} is the name of a worker that has gone and of which something is set"
                raise DuplicateName(f"{text}: choose another, or delete that worker")


def checked(name: str) -> str:
    """Return a name for a worker.

    Raises:
        OptionsError: it is none, and why.
    """
    if name != name.strip() or len(name) > limits.TEXT_CHARS or name in (".", ".."):
        raise OptionsError(
            f"{name[:40]!r} is no name of a worker: 1 to {limits.TEXT_CHARS} characters, "
            "without spaces around them"
        )
    if any(mark in name for mark in f"{PATTERN}]/\\") or name.startswith("-"):
        text = "a name has none of * ? [ ] / \\ in it, which are for patterns and addresses"
        raise OptionsError(f"{name[:40]!r} is no name of a worker: {text}, and no dash before it")
    unseen = next((one for one in name if unicodedata.category(one) in UNSEEN), "")
    if unseen:
        text = f"the character U+{ord(unseen):04X} in it cannot be seen"
        raise OptionsError(f"{name[:40]!r} is no name of a worker: {text}")
    return name
