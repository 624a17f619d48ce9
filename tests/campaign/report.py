"""What a run has found, for people and for programs."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

MIB: Final = 1024 * 1024
SHOWN: Final = 30  # problems in the text, at most


class Report(Struct):
    """The outcome of one scenario.

    Attributes:
        scenario: its name.
        seed: of its plan.
        figures: what was measured, by what it is.
        problems: why it has failed; empty if it has passed.
        not_run: what was asked for and could not be done, and why.
    """

    scenario: str
    seed: int
    figures: dict[str, Any] = {}
    problems: list[str] = []
    not_run: list[str] = []

    @property
    def passed(self) -> bool:
        """Whether all went well, and nothing was left out that was asked for."""
        return not self.problems and not self.not_run

    def text(self) -> str:
        """Return the report for people."""
        lines = [f"scenario {self.scenario}, seed {self.seed}"]
        lines += [f"  {name}: {shown(value)}" for name, value in self.figures.items()]
        lines += [f"  NOT RUN: {one}" for one in self.not_run]
        lines += [f"  WRONG: {one}" for one in self.problems[:SHOWN]]
        if len(self.problems) > SHOWN:
            lines.append(f"  WRONG: and {len(self.problems) - SHOWN} things more")
        lines.append("passed" if self.passed else "FAILED")
        return "\n".join(lines)

    def write(self, path: Path) -> None:
        """Write the report as JSON."""
        fields = {name: getattr(self, name) for name in self.__struct_fields__}
        path.write_text(json.dumps({**fields, "passed": self.passed}, indent=2) + "\n")


def shown(value: Any) -> str:
    """Return a figure as text."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {shown(one)}" for name, one in value.items()) or "none"
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Return how values in seconds are spread."""
    if not values:
        return {}
    return {
        "times": len(values),
        "median s": statistics.median(values),
        "most s": max(values),
    }


def of_memory(samples: Sequence[tuple[float, int]]) -> dict[str, Any]:
    """Return how memory has developed: in each quarter of the run the most, in MiB."""
    if not samples:
        return {}
    end = samples[-1][0] or 1.0
    most = [0.0] * 4
    for at, size in samples:
        quarter = min(3, int(4 * at / end))
        most[quarter] = max(most[quarter], size / MIB)
    return {f"quarter {at + 1} MiB": round(size) for at, size in enumerate(most)}
