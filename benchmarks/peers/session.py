"""One session with one system: its driver in a process of its own, all of it ended afterwards."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from benchmarks.peers.catalogue import Entry
from benchmarks.peers.listening import foreign
from benchmarks.peers.systems.proc import descendants

ROOT = Path(__file__).parent.parent.parent
PR_SET_CHILD_SUBREAPER = 36
FOLDER = ROOT / ".bench"
"""What a run writes is here: on the project's disk, and not on a memory disk as /tmp may be."""
END_SECONDS = 3.0
"""For processes to end when they were told to, before they are killed."""
LOG_LINES = 20


class LeftOut(Exception):
    """A system cannot be measured here; the text says why."""


def adopt_orphans() -> None:
    """Become the parent of what descendants leave behind, so that it can be ended."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot become a subreaper")


def end_all() -> None:
    """End every process that came from this one; whoever does not end is killed."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + END_SECONDS
        for pid in descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        while descendants(os.getpid()) and time.monotonic() < deadline:
            _reap()
            time.sleep(0.02)
    _reap()


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


class Session:
    """One driver, from its start to its end.

    Args:
        entry: the system.
        python: the interpreter of its environment.
        plan: what the driver shall do; see `systems/drive.py`.
        seconds: that all of it may take.
    """

    def __init__(self, entry: Entry, python: Path, plan: dict[str, Any], seconds: float) -> None:
        self._entry = entry
        self._python = python
        self._plan = plan
        self._seconds = seconds

    def events(self) -> Iterator[dict[str, Any]]:
        """Run it; yield what its driver says.

        Raises:
            LeftOut: it listens beyond loopback, or cannot be kept apart.
        """
        FOLDER.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix="run-", dir=FOLDER, ignore_cleanup_errors=True
        ) as name:
            log = Path(name) / "log.txt"
            with log.open("wb") as file:
                driver = self._start(Path(name), file)
            try:
                yield from self._listen(driver, log)
            finally:
                end_all()
                driver.wait()

    def _start(self, folder: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
        apart = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "-r"]
        command = [str(self._python), "-m", "benchmarks.peers.systems.drive", self._entry.name]
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        env = {name: value for name, value in env.items() if not name.startswith("OPENBLAS_")}
        spawned = time.monotonic()
        driver = subprocess.Popen(
            apart + command if self._entry.own_network else command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=folder,
            env=env,
        )
        own = {"folder": str(folder), "spawned": spawned, "own_network": self._entry.own_network}
        self._say(driver, json.dumps({**self._plan, **own}))
        return driver

    def _listen(self, driver: subprocess.Popen[bytes], log: Path) -> Iterator[dict[str, Any]]:
        for line in self._lines(driver):
            event: dict[str, Any] = json.loads(line)
            if event["event"] == "started":
                beyond = foreign(descendants(os.getpid()), self._entry.own_network)
                if beyond:
                    raise LeftOut("it listens beyond loopback: " + ", ".join(beyond))
                self._say(driver, "go")
            yield event
            if event["event"] == "finished":
                return
        tail = log.read_text("utf-8", "replace").splitlines()[-LOG_LINES:]
        yield {"event": "failed", "error": "its driver ended", "log": tail}

    def _lines(self, driver: subprocess.Popen[bytes]) -> Iterator[bytes]:
        """Yield the driver's lines until it ends or its time is over."""
        assert driver.stdout is not None
        deadline = time.monotonic() + self._seconds
        held = b""
        with selectors.DefaultSelector() as selector:
            selector.register(driver.stdout, selectors.EVENT_READ)
            while (left := deadline - time.monotonic()) > 0:
                if not selector.select(left):
                    break
                read = os.read(driver.stdout.fileno(), 65536)
                if not read:
                    return
                *lines, held = (held + read).split(b"\n")
                yield from lines
        yield json.dumps({"event": "failed", "error": f"not done in {self._seconds:g} s"}).encode()

    def _say(self, driver: subprocess.Popen[bytes], line: str) -> None:
        assert driver.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended: its output says so
            driver.stdin.write(line.encode() + b"\n")
            driver.stdin.flush()
