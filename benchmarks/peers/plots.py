"""Draws the plots, in an environment that has matplotlib.

    python -m benchmarks.peers.plots docs/benchmarks/results.json

PNG and SVG files are written beside the figures. They have a white ground, so that they can be
read on a dark page as well.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt  # after the choice of how to draw

OURS = "#b3361e"
OTHERS = "#5b7a99"
PAIRS = (OURS, OTHERS), ("#e3a79b", "#b9c8d6")
"""The colours of the first and of the second figure of a pair: ours, and others'."""
NAPS = "1 ms", "10 ms", "100 ms"
WAYS = {"throughput": "", "futures": ", one future each", "chunked": ", in chunks"}


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
        self._throughput()
        title = "100 MB there and back, MB/s (more is better)"
        self._bars("transfer", title, self._named("transfer", "mb_s"))
        title = "One task at a time, ms: p50 and p99 (less is better)"
        self._pairs("latency", title, "latency", ("p50_ms", "p99_ms"))
        sizes = {name for one in self._systems for name in one["medians"] if "queue " in name}
        size = min(sizes, key=lambda name: int(name.split()[1]), default="")
        title = f"Bytes of a queued task, of {size[6:]}: server and client (less is better)"
        self._pairs("memory", title, size, ("server_bytes", "client_bytes"))
        self._lines()

    def _throughput(self) -> None:
        values = {
            one["title"] + way: self._value(one, measure, "rate")
            for one in self._systems
            for measure, way in WAYS.items()
        }
        self._bars("throughput", "No-op tasks a second (more is better)", values)

    def _value(self, system: dict[str, Any], measure: str, name: str) -> float:
        return float(system["medians"].get(measure, {}).get(name) or 0.0)

    def _named(self, measure: str, name: str) -> dict[str, float]:
        return {one["title"]: self._value(one, measure, name) for one in self._systems}

    def _bars(self, file: str, title: str, values: dict[str, float]) -> None:
        """Draw a bar for each system, the longest on top."""
        found = sorted((value, name) for name, value in values.items() if value > 0)
        figure, axes = plt.subplots(figsize=(8, 0.6 + 0.36 * len(found)))
        colours = [OURS if name.split(",")[0] == "dc" else OTHERS for _, name in found]
        bars = axes.barh([name for _, name in found], [value for value, _ in found], color=colours)
        axes.bar_label(bars, [f"{value:,.0f}" for value, _ in found], padding=3)
        self._finish(figure, axes, file, title)

    def _pairs(self, file: str, title: str, measure: str, names: tuple[str, str]) -> None:
        """Draw two bars for each system, the shortest on top."""
        pairs = [
            (one["title"], [max(self._value(one, measure, name), 0.0) for name in names])
            for one in self._systems
        ]
        pairs = sorted((one for one in pairs if any(one[1])), key=lambda one: -sum(one[1]))
        figure, axes = plt.subplots(figsize=(8, 0.6 + 0.46 * len(pairs)))
        for at, (ours, others) in enumerate(PAIRS):
            values = [pair[1][at] for pair in pairs]
            places = [place + (0.2 - 0.4 * at) for place in range(len(pairs))]
            colours = [ours if pair[0] == "dc" else others for pair in pairs]
            bars = axes.barh(places, values, height=0.38, color=colours)
            labels = [f"{value:,.3g}" if value < 1000 else f"{value:,.0f}" for value in values]
            axes.bar_label(bars, labels, padding=3, fontsize=8)
        axes.set_yticks(range(len(pairs)), [pair[0] for pair in pairs])
        self._finish(figure, axes, file, title)

    def _lines(self) -> None:
        figure, axes = plt.subplots(figsize=(8, 4))
        for system in self._systems:
            values = [self._value(system, f"efficiency {nap}", "share") for nap in NAPS]
            if any(values):
                ours = system["title"] == "dc"
                style = {"color": OURS, "linewidth": 3.0} if ours else {"linewidth": 1.2}
                axes.plot(NAPS, values, marker="o", label=system["title"], **style)
        axes.set_ylim(0, 1.05)
        axes.legend(fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
        axes.set_title("Tasks of some length: the ideal's share of the real time", fontsize=11)
        self._save(figure, "efficiency")

    def _finish(self, figure: Any, axes: Any, file: str, title: str) -> None:
        axes.set_xscale("log")
        low, high = axes.get_xlim()
        axes.set_xlim(10 ** math.floor(math.log10(low)), high * 4)
        axes.set_title(title, fontsize=11)
        self._save(figure, file)

    def _save(self, figure: Any, file: str) -> None:
        figure.tight_layout()
        figure.savefig(self._folder / f"{file}.png", dpi=110)
        figure.savefig(self._folder / f"{file}.svg", metadata={"Date": None})
        plt.close(figure)


def main() -> None:
    """Draw the plots of the file that is named."""
    path = Path(sys.argv[1])
    Plots(json.loads(path.read_text("utf-8")), path.parent).draw()


if __name__ == "__main__":
    main()
