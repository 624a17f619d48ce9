"""Draws the plots, in an environment that has matplotlib.

    python -m benchmarks.peers.plots docs/benchmarks/results.json

PNG and SVG files are written beside the figures. They have a white ground, so that they can be
read on a dark page as well.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt  # after the choice of how to draw

OURS = "#b3361e"
OTHERS = "#5b7a99"
SECOND = "#b9c8d6"
NAPS = "1 ms", "10 ms", "100 ms"


class Plots:
    """All plots of a run.

    Args:
        results: of the run.
        folder: for the files.
    """

    def __init__(self, results: dict[str, Any], folder: Path) -> None:
        self._systems = [one for one in results["systems"].values() if not one["left_out"]]
        self._folder = folder
        mpl.rcParams.update({"font.size": 10, "axes.spines.top": False, "svg.hashsalt": "dc"})
        mpl.rcParams["axes.spines.right"] = False

    def draw(self) -> None:
        """Draw all of them."""
        self._bars("throughput", "No-op tasks a second (more is better)", "rate")
        self._pairs("latency", "One task at a time, ms: p50 and p99 (less is better)",
                    "latency", ("p50_ms", "p99_ms"))  # fmt: skip
        self._pairs("memory", "Bytes of a queued task: server and client",
                    "queue 100000", ("server_bytes", "client_bytes"))  # fmt: skip
        self._bars("transfer", "100 MB there and back, MB/s (more is better)", "mb_s")
        self._lines()

    def _value(self, system: dict[str, Any], measure: str, name: str) -> float:
        return float(system["medians"].get(measure, {}).get(name) or 0.0)

    def _sorted(self, measure: str, name: str) -> list[dict[str, Any]]:
        found = [one for one in self._systems if self._value(one, measure, name) > 0]
        return sorted(found, key=lambda one: self._value(one, measure, name))

    def _bars(self, measure: str, title: str, name: str) -> None:
        systems = self._sorted(measure, name)
        figure, axes = plt.subplots(figsize=(7.5, 3.6))
        values = [self._value(one, measure, name) for one in systems]
        colours = [OURS if one["title"] == "dc" else OTHERS for one in systems]
        bars = axes.barh([one["title"] for one in systems], values, color=colours)
        axes.bar_label(bars, [f"{value:,.0f}" for value in values], padding=3)
        self._finish(figure, axes, measure, title)

    def _pairs(self, file: str, title: str, measure: str, names: tuple[str, str]) -> None:
        systems = self._sorted(measure, names[0]) or self._systems
        systems += [
            one for one in self._systems
            if one not in systems and self._value(one, measure, names[1]) > 0
        ]  # fmt: skip
        figure, axes = plt.subplots(figsize=(7.5, 4.2))
        for at, name in enumerate(names):
            values = [max(self._value(one, measure, name), 0.0) for one in systems]
            places = [place + (0.2 - 0.4 * at) for place in range(len(systems))]
            own = OURS if at == 0 else "#e3a79b"
            others = OTHERS if at == 0 else SECOND
            colours = [own if one["title"] == "dc" else others for one in systems]
            bars = axes.barh(places, values, height=0.38, color=colours)
            labels = [f"{value:,.3g}" if value < 1000 else f"{value:,.0f}" for value in values]
            axes.bar_label(bars, labels, padding=3, fontsize=8)
        axes.set_yticks(range(len(systems)), [one["title"] for one in systems])
        self._finish(figure, axes, file, title)

    def _lines(self) -> None:
        figure, axes = plt.subplots(figsize=(7.5, 4.2))
        for system in self._systems:
            values = [self._value(system, f"efficiency {nap}", "share") for nap in NAPS]
            if any(values):
                wide = 2.5 if system["title"] == "dc" else 1.2
                colour = {"color": OURS} if system["title"] == "dc" else {}
                axes.plot(NAPS, values, marker="o", linewidth=wide, label=system["title"], **colour)
        axes.set_ylim(0, 1.05)
        axes.legend(fontsize=8, loc="lower right")
        axes.set_title("Tasks of some length: the ideal's share of the real time", fontsize=11)
        self._save(figure, "efficiency")

    def _finish(self, figure: Any, axes: Any, file: str, title: str) -> None:
        axes.set_xscale("log")
        low, high = axes.get_xlim()
        axes.set_xlim(low, high * 4)
        axes.set_title(title, fontsize=11)
        self._save(figure, file)

    def _save(self, figure: Any, file: str) -> None:
        figure.tight_layout()
        figure.savefig(self._folder / f"{file}.png", dpi=120)
        figure.savefig(self._folder / f"{file}.svg", metadata={"Date": None})
        plt.close(figure)


def main() -> None:
    """Draw the plots of the file that is named."""
    path = Path(sys.argv[1])
    Plots(json.loads(path.read_text("utf-8")), path.parent).draw()


if __name__ == "__main__":
    main()
