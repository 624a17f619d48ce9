"""What a system is to the benchmark, and what several of them need. Standard library only."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

PATIENCE = 60.0
"""Seconds that a program of a system may take to start."""


class NotOffered(Exception):
    """This system has nothing for a measurement; the text says what is missing."""


class System(ABC):
    """One system: a client here, a server, and two workers with one slot each.

    Args:
        folder: its own, empty, for whatever it writes.
    """

    configuration: ClassVar[str] = ""
    """How it is set up, for the notes below the tables."""
    durability: ClassVar[str] = ""
    """What of a submitted task outlives a crash of the computer."""
    least: ClassVar[int] = 200
    """No-op tasks in a run of throughput, at the least."""
    settle: ClassVar[float] = 1.0
    """Seconds after which memory has settled when a queue was filled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs: list[subprocess.Popen[bytes]] = []

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Return the versions of what is measured."""

    @abstractmethod
    def start(self, *, workers: bool = True) -> None:
        """Start server and workers; connect. Without workers, what is submitted stays queued."""

    @abstractmethod
    def run(self, task: str, payloads: Iterator[bytes]) -> Iterator[bytes]:
        """Submit a task for each payload, one call each; yield the results in any order."""

    def one(self, payload: bytes) -> bytes:
        """Submit one no-op and wait for its result."""
        return next(self.run("noop", iter([payload])))

    def chunked(self, payloads: Iterator[bytes]) -> Iterator[bytes]:  # noqa: ARG002
        """Run no-ops in chunks, the way its documentation says."""
        raise NotOffered("its documentation has no call for chunks")

    def futures(self, payloads: Iterator[bytes]) -> Iterator[bytes]:  # noqa: ARG002
        """Run no-ops by one call and one future each, where `run` does not."""
        raise NotOffered("`run` is that already")

    def latencies(self) -> dict[str, Callable[[bytes], bytes]]:
        """Return further ways to run one task at a time, by name."""
        return {}

    @abstractmethod
    def queue(self, payloads: Iterator[bytes]) -> object:
        """Submit no-ops while no worker runs; return what a client must keep of them."""

    def holders(self) -> list[int]:
        """Return the processes beside this one that hold the queue."""
        return [program.pid for program in self.programs]

    def disk(self) -> int:
        """Return the bytes on disk, 0 without a store."""
        return 0

    def ready_seconds(self) -> float | None:
        """Return how long its server took to serve, where that can be told apart."""
        return None

    def launch(self, *command: str, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start one of its programs, its output in a file of the folder."""
        log = self.folder / f"log-{len(self.programs)}.txt"
        with log.open("wb") as file:
            program = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=env
            )
        self.programs.append(program)
        return program

    def until(self, what: str, ready: Callable[[], bool]) -> None:
        """Wait until something is so.

        Raises:
            TimeoutError: it is not so in time.
            RuntimeError: one of the programs has ended.
        """
        deadline = time.monotonic() + PATIENCE
        while not ready():
            for number, program in enumerate(self.programs):
                if program.poll() is not None:
                    said = (self.folder / f"log-{number}.txt").read_text("utf-8", "replace")
                    raise RuntimeError(f"{what}: a program has ended, saying: {said[-1000:]}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not within {PATIENCE:g} s")
            time.sleep(0.005)

    def stop(self) -> None:
        """End all its programs."""
        for program in reversed(self.programs):
            program.terminate()
        deadline = time.monotonic() + 5.0
        for program in reversed(self.programs):
            try:
                program.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
        self.programs.clear()


def program(name: str) -> str:
    """Return the path of a program of this environment."""
    return str(Path(sys.executable).parent / name)


def folder_bytes(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
