"""The options of a command line as settings: what each is, from where, and its help."""

from __future__ import annotations

import argparse
from typing import Any, Final

from dc.server.settings import Option

ONCE: Final = frozenset({"help", "version", "check", "restore", "accept-loss"})
"""Options that are about one start, and no settings."""


class NotingParser(argparse.ArgumentParser):
    """A parser that knows afterwards what was said, and what not.

    Attributes:
        noted: the options, as they were added.
    """

    noted: list[argparse.Action]

    def add_argument(self, *args: Any, **kwargs: Any) -> argparse.Action:
        """Add an option, and note it."""
        action = super().add_argument(*args, **kwargs)
        if "noted" not in vars(self):
            self.noted = []
        self.noted.append(action)
        return action

    def parse_noting(self, argv: list[str] | None) -> tuple[argparse.Namespace, list[Option]]:
        """Return what is set, and the options with where that is from."""
        values = self.parse_args(argv, argparse.Namespace(**{one.dest: None for one in self.noted}))
        said = {name for name, value in vars(values).items() if value is not None}
        for one in self.noted:
            if one.dest not in said:
                setattr(values, one.dest, one.default)
        rows = [self._row(one, values, one.dest in said) for one in self.noted]
        return values, [row for row in rows if row.name not in ONCE]

    def _row(self, action: argparse.Action, values: argparse.Namespace, said: bool) -> Option:
        name = action.option_strings[-1].removeprefix("--")
        doc = (action.help or "") % {**vars(action), "prog": self.prog}
        value = _text(getattr(values, action.dest))
        return Option(name, value, "command line" if said else "default", doc)


def _text(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else f"{value:.15g}" if isinstance(value, float) else str(value)
