"""Times a start from nothing: server, worker and client begin at the same moment.

    python -m benchmarks.start [--repeat N] [--tasks N]

The client is a program of its own that is started like the others, and waits for the server as the
worker does. Prints JSON lines, all in seconds from the moment before the first process is started:
`server` has printed its address, `result` is in the client's hands. Once with an empty data folder,
and once with one in which so many tasks have finished.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dc
from benchmarks.path import PLUGIN, end, running, show

CLIENT = """\
import sys
import time

import dc

def first():
    with dc.Client(sys.argv[1]) as client:
        return list(client.submit("noop", [b"x"]).results())

for _ in range(1000):
    try:
        assert first() == [b"x"]
    except dc.ConnectionLost:
        time.sleep(0.01)
        continue
    print("result", flush=True)
    break
"""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def start_all(folder: Path, plugins: Path, data: Path) -> dict[str, float]:
    """Start all three, and return when each had come to its point."""
    address = f"127.0.0.1:{free_port()}"
    with contextlib.ExitStack() as stack:
        log = stack.enter_context((folder / "log.txt").open("w+"))
        began = time.perf_counter()

        def start(*arguments: str) -> subprocess.Popen[str]:
            command = [sys.executable, *arguments]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
            stack.callback(end, process)
            return process

        own = "--plugins", str(plugins), "--data"
        server = start("-m", "dc.server", "--listen", address, *own, str(data))
        start("-m", "dc.worker", address, "--slots", "1", *own, str(folder / "worker"))
        client = start("-c", CLIENT, address)
        times = {}
        for name, process in (("server", server), ("result", client)):
            assert process.stdout is not None
            assert process.stdout.readline(), (folder / "log.txt").read_text("utf-8")
            times[name] = time.perf_counter() - began
        return times


def measure(folder: Path, plugins: Path, data: Path, tasks: int, repeat: int) -> None:
    """Start all of it several times, and show the medians."""
    runs = [start_all(folder, plugins, data) for _ in range(repeat + 1)][1:]
    medians = {name: round(statistics.median(run[name] for run in runs), 3) for name in runs[0]}
    most = {f"{name}_most": round(max(run[name] for run in runs), 3) for name in runs[0]}
    show("start", finished_tasks=tasks, **medians, **most)


def imports(repeat: int) -> None:
    """Show what the imports of each program alone cost."""
    modules = "dc.tasktypes", "dc", "dc.server.__main__", "dc.worker.__main__", "dc.worker.child"
    for name in ("sys", *modules):
        times = []
        for _ in range(repeat):
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", f"import {name}"], check=True)
            times.append(time.perf_counter() - began)
        show("import", module=name, median_s=round(statistics.median(times), 3))


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--tasks", type=int, default=1_000_000)
    arguments = parser.parse_args()
    imports(arguments.repeat)
    with tempfile.TemporaryDirectory(prefix="dc-bench-") as name:
        folder = Path(name)
        plugins = folder / "own"
        plugins.mkdir()
        (plugins / "noop.py").write_text(PLUGIN, "utf-8")
        measure(folder, plugins, folder / "empty", 0, arguments.repeat)
        if arguments.tasks:
            with running(folder, 1, 2) as (address, _), dc.Client(address) as client:
                job = client.submit("noop", (b"x" * 64 for _ in range(arguments.tasks)))
                assert sum(1 for _ in job.results(ordered=False)) == arguments.tasks
            measure(folder, plugins, folder / "data", arguments.tasks, arguments.repeat)


if __name__ == "__main__":
    main()
