"""Whether an installed dc works here: a server, a worker with two slots, a plugin, a job.

Run as a program, by the Python that has dc installed, from any folder; it needs nothing else. It
takes some seconds, keeps nothing, and ends with status 0 if all went well. On the loopback only.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import dc

TASKS: Final = 200
SECONDS: Final = 120.0
"""For all of it, on a busy computer."""

STOP_SECONDS: Final = 30.0

PLUGIN: Final = '''\
"""A plugin, as a user writes one."""
import dc

@dc.task_type
def square(number: int) -> int:
    """The square of a number."""
    return number * number
'''


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    """Start a program of dc, in a folder in which there is no dc."""
    command = [sys.executable, "-P", "-m", *words]
    # What Ctrl-C there sends to all is none of this program's business.
    flags = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, text=True, creationflags=flags
    )


def stop(programs: Sequence[subprocess.Popen[str]]) -> None:
    """End programs, softly where the system knows how to."""
    for one in programs:
        one.terminate()
        try:
            one.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            one.kill()
            one.wait()


def work(folder: Path, programs: list[subprocess.Popen[str]]) -> None:
    """Have numbers squared by a worker of a server, both of which are started here."""
    plugins = folder / "plugins"
    plugins.mkdir()
    (plugins / "squares.py").write_text(PLUGIN, "utf-8")
    data, listen = str(folder / "data"), "127.0.0.1:0"
    programs.append(
        start(folder, "dc.server", "--listen", listen, "--data", data, "--plugins", str(plugins))
    )
    assert programs[0].stdout is not None
    url = programs[0].stdout.readline().strip()
    assert url, "the server did not start"
    programs.append(
        start(folder, "dc.worker", url, "--slots", "2", "--data", str(folder / "worker"))
    )
    with dc.Client(url, plugins=[str(plugins)]) as client:
        found = sorted(client.submit("square", range(TASKS)).results())
    assert found == [number * number for number in range(TASKS)]
    status = subprocess.run(
        [sys.executable, "-P", "-m", "dc.healthcheck", url], cwd=folder, check=False
    )
    assert status.returncode == 0, "the server says that it is not well"


def _give_up(programs: Sequence[subprocess.Popen[str]]) -> None:
    for one in programs:
        one.kill()
    print(f"dc did not work within {SECONDS:.0f} s", file=sys.stderr, flush=True)
    os._exit(3)


def main() -> int:
    """Try it; return the exit status."""
    begun = time.monotonic()
    programs: list[subprocess.Popen[str]] = []
    # Whatever hangs: the programs end, and so does what waits for them.
    watch = threading.Timer(SECONDS, _give_up, [programs])
    watch.daemon = True
    watch.start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            work(Path(folder), programs)
        finally:
            stop(programs)
    watch.cancel()
    assert dc.__file__ is not None
    print(f"dc {dc.__version__} in {Path(dc.__file__).parent} works: {TASKS} tasks,", end=" ")
    print(f"Python {sys.version.split()[0]} on {sys.platform}, {time.monotonic() - begun:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
