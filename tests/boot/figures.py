"""What was measured while computers were booted: kept from run to run, and written as a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

GOALS: Final = {
    "first task done, direct": "12 s",
    "first task done, BIOS, CD": "20 s",
    "first task done, BIOS, stick": "20 s",
    "first task done, UEFI, CD": "25 s",
    "first task done, UEFI, stick": "25 s",
    "smallest memory in which a task is done": "256 MB",
    "free for a task, of 512 MB": "300 MB",
    "powered off after the order": "4 s",
    "back after a crash of the worker": "6 s",
}
HEAD: Final = "| what | measured | goal |\n|---|---|---|\n"


class Figures:
    """Figures by what they are of.

    Args:
        folder: where figures.json and figures.md are.
    """

    def __init__(self, folder: Path) -> None:
        self._kept = folder / "figures.json"
        self._table = folder / "figures.md"

    def note(self, what: str, measured: str) -> None:
        """Note one, in the place of an earlier one, and write all of them down."""
        found = json.loads(self._kept.read_text()) if self._kept.exists() else {}
        found[what] = measured
        self._kept.write_text(json.dumps(found, indent=1, sort_keys=True))
        self._table.write_text(table(found))


def table(found: dict[str, str]) -> str:
    """Return figures as Markdown: first those that have goals, in their order."""
    order = [*(one for one in GOALS if one in found), *sorted(set(found) - set(GOALS))]
    return HEAD + "".join(f"| {one} | {found[one]} | {GOALS.get(one, '')} |\n" for one in order)
