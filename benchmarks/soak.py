"""Runs very many tasks through one server, and watches what it holds on to.

    python -m benchmarks.fleet soak [--tasks N] [--job M] [--workers W] [--plot FILE]

One client submits jobs of M no-op tasks with 64-byte payloads, one after the other, and reads all
results; W fake workers run them. Once a second the server's memory, open files and threads, and the
bytes of its data folder are written down. Prints a JSON line for each job and a last one with how
the quarters of the run compare; all samples go to FILE with the ending `.json`, and to a plot (SVG
and PNG) where matplotlib is installed, which is in the extra `bench`.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

import dc
from benchmarks.path import show
from benchmarks.processes import Process, fakes, server

PAYLOAD = b"x" * 64
SAMPLE_SECONDS = 1.0

Sample = dict[str, float]


class Watcher(threading.Thread):
    """Writes down what a server has, once a second, until `stop`.

    Args:
        process: the server's.
        folder: its data.
    """

    def __init__(self, process: Process, folder: Path) -> None:
        super().__init__(daemon=True)
        self._process = process
        self._folder = folder
        self._stopped = threading.Event()
        self._began = time.perf_counter()
        self.done = 0
        self.samples: list[Sample] = []

    def run(self) -> None:
        """Take samples."""
        while not self._stopped.wait(SAMPLE_SECONDS):
            self.samples.append(self._sample())

    def stop(self) -> None:
        """Take no more samples."""
        self._stopped.set()
        self.join()

    def _sample(self) -> Sample:
        process = self._process
        disk = sum(one.stat().st_size for one in self._folder.glob("dc.sqlite3*"))
        return {
            "seconds": round(time.perf_counter() - self._began, 2),
            "done": self.done,
            "rss_kib": process.kib("VmRSS"),
            "files": process.files(),
            "threads": process.threads(),
            "disk_mib": round(disk / 2**20, 1),
            "processor": process.processor(),
        }


def soak(tasks: int, each: int, workers: int, plot: Path) -> None:
    """Run it; write samples and plot."""
    with tempfile.TemporaryDirectory(prefix="dc-soak-") as name:
        folder = Path(name)
        with server(folder) as (url, process), fakes(url, workers), dc.Client(url) as client:
            watcher = Watcher(process, folder / "data")
            watcher.start()
            for begin in range(0, tasks, each):
                run_job(client, watcher, process, begin, min(each, tasks - begin))
            watcher.stop()
    summarise(watcher.samples, tasks)
    write(watcher.samples, plot)


def run_job(client: dc.Client, watcher: Watcher, process: Process, begin: int, count: int) -> None:
    """Run one job, check its results, show what it cost."""
    started, used = time.perf_counter(), process.processor()
    job = client.submit("noop", itertools.repeat(PAYLOAD, count))
    right = 0
    for result in job.results(ordered=False):
        right += result == PAYLOAD
        if right % 1000 == 0:
            watcher.done = begin + right
    assert right == count, f"{right} of {count} results"
    took, used = time.perf_counter() - started, process.processor() - used
    rss = process.kib("VmRSS")
    show("soak", done=begin + count, rate=count / took, server_us=used / count * 1e6, rss_kib=rss)


def summarise(samples: list[Sample], tasks: int) -> None:
    """Show how the quarters of a soak compare."""
    size = max(1, len(samples) // 4)
    quarters = [samples[at : at + size] for at in range(0, 4 * size, size)]
    figures: dict[str, Any] = {"tasks": tasks, "samples": len(samples)}
    for field in ("rss_kib", "files", "threads"):
        figures[field] = [median(s[field] for s in part) for part in quarters if part]
        figures[f"most_{field}"] = max(sample[field] for sample in samples)
    show("soak by quarters", **figures)


def write(samples: list[Sample], plot: Path) -> None:
    """Write the samples, and a plot of them if that can be drawn here."""
    plot.parent.mkdir(parents=True, exist_ok=True)
    data = plot.with_suffix(".json")
    data.write_text("[\n" + ",\n".join(json.dumps(one) for one in samples) + "\n]\n", "utf-8")
    if importlib.util.find_spec("matplotlib") is None:
        print(f"# no matplotlib: no plot of {data}", file=sys.stderr)
        return
    subprocess.run([sys.executable, "-m", "benchmarks.soak_plot", str(data)], check=True)
