"""Draws what `benchmarks.soak` wrote down.

    python -m benchmarks.soak_plot FILE.json

Writes FILE.svg and FILE.png beside it. Needs matplotlib, of the extra `bench`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

PANELS = [
    ("memory of the server, MiB", "rss_kib", 1024.0),
    ("open files", "files", 1.0),
    ("threads", "threads", 1.0),
    ("database and log, MiB", "disk_mib", 1.0),
]


def draw(samples: list[dict[str, float]]) -> Figure:
    """Return the plot: each figure over the tasks done."""
    mpl.rcParams["svg.hashsalt"] = "soak"  # the same data make the same file
    figure = Figure(figsize=(8.0, 8.0), layout="constrained")
    done = [sample["done"] / 1e6 for sample in samples]
    panels = figure.subplots(len(PANELS), 1, sharex=True)
    for axes, (title, field, unit) in zip(panels, PANELS, strict=True):
        axes.plot(done, [sample[field] / unit for sample in samples], linewidth=1.0)
        axes.set_title(title, fontsize=10, loc="left")
        axes.set_ylim(bottom=0)
        axes.grid(visible=True, alpha=0.3)
    panels[-1].set_xlabel("tasks done through one server, millions")
    return figure


def main() -> None:
    """Draw one file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    path = parser.parse_args().file
    figure = draw(json.loads(path.read_text("utf-8")))
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    figure.savefig(path.with_suffix(".png"), dpi=110)


if __name__ == "__main__":
    main()
