"""From the figures of all rounds to medians, ranges and ratios."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.peers.rounds import Outcome

WHY_NOT = "unfinished_s", "error", "not_offered"


def summarize(outcome: Outcome) -> dict[str, Any]:
    """Return one system's part of the results, medians included."""
    return {
        "title": outcome.title,
        "left_out": outcome.left_out,
        "versions": outcome.said.get("versions", {}),
        "configuration": outcome.said.get("configuration", ""),
        "durability": outcome.said.get("durability", ""),
        "troubles": outcome.troubles,
        "rounds": outcome.figures,
        "medians": {name: _medians(all_of) for name, all_of in outcome.figures.items()},
    }


def _medians(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return medians, least and most of each figure; or why there is none."""
    done = [one for one in rounds if not any(name in one for name in WHY_NOT)]
    if not done:
        return dict(rounds[-1]) if rounds else {}
    found: dict[str, Any] = {}
    for name in done[0]:
        values = [one[name] for one in done if one.get(name) is not None]
        if values:
            found[name] = statistics.median(values)
            found[f"{name}_range"] = [min(values), max(values)]
    if len(done) < len(rounds):
        found["missing_rounds"] = len(rounds) - len(done)
    return found


def figure(system: Mapping[str, Any], measure: str, name: str) -> float | None:
    """Return a system's median, if there is one."""
    value = system["medians"].get(measure, {}).get(name)
    return float(value) if value is not None else None


def why_not(system: Mapping[str, Any], measure: str) -> str:
    """Return why a system has no figure of a measurement, in a few words."""
    medians = system["medians"].get(measure)
    if medians is None:
        return ""
    if "unfinished_s" in medians:
        return f"not done in {medians['unfinished_s']:g} s"
    return "failed" if "error" in medians else ""
