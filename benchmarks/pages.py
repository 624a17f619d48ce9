"""What open pages cost the server: its processor time with and without event streams.

    python -m benchmarks.pages [--streams 20] [--topics overview] [--seconds 15] [--tasks N]

Prints a JSON line for each figure. A real server with one worker runs small jobs all the time, so
that each look finds something new; what pages cost is the difference, in parts of one processor.
With `--tasks` it says how fast a job of so many no-op tasks runs with and without the streams.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import dc
from benchmarks import figures
from benchmarks.path import running

SETTLE_SECONDS = 2.0
JOB_SECONDS = 0.5
"""Between two small jobs: twice as often as is looked."""


class Streams:
    """Event streams that are read and counted, by a thread each."""

    def __init__(self, address: str, count: int, topics: str) -> None:
        self._address, self._topics = address, topics
        self._sockets: list[socket.socket] = []
        self.frames = self.bytes = 0
        for _ in range(count):
            self._open()

    def _open(self) -> None:
        parts = urlsplit(self._address)
        assert parts.hostname is not None
        assert parts.port is not None
        stream = socket.create_connection((parts.hostname, parts.port))
        head = f"GET /api/stream?topics={self._topics} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n"
        stream.sendall(head.encode())
        self._sockets.append(stream)
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := stream.recv(1 << 16):
                self.bytes += len(data)
                self.frames += data.count(b"event: ")

    def close(self) -> None:
        """End them."""
        for stream in self._sockets:
            with contextlib.suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)
            stream.close()


@contextlib.contextmanager
def small_jobs(address: str) -> Iterator[None]:
    """Have small jobs run all the time."""
    ended = threading.Event()

    def submit() -> None:
        with dc.Client(address) as client:
            while not ended.wait(JOB_SECONDS):
                client.submit("noop", [b"x"] * 10)

    thread = threading.Thread(target=submit)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def cost(address: str, server: int, count: int, topics: str, seconds: float) -> float:
    """Return the processor time of the server, in parts of a processor, with so many streams."""
    streams = Streams(address, count, topics)
    time.sleep(SETTLE_SECONDS)
    frames, size, used, begin = (
        streams.frames,
        streams.bytes,
        figures.process_cpu(server),
        time.monotonic(),
    )
    time.sleep(seconds)
    used, took = figures.process_cpu(server) - used, time.monotonic() - begin
    if count:
        figures.show("frames", (streams.frames - frames) / took / count, "a second and stream")
        figures.show("bytes", (streams.bytes - size) / took / count, "a second and stream")
    streams.close()
    return used / took


def speed(address: str, tasks: int) -> float:
    """Return how many no-op tasks a second one job has."""
    with dc.Client(address) as client:
        begin = time.monotonic()
        job = client.submit("noop", [b"x"] * tasks)
        job.wait()
        return tasks / (time.monotonic() - begin)


def main() -> None:
    parser = argparse.ArgumentParser(description="What open pages cost the server.")
    parser.add_argument("--streams", type=int, default=20)
    parser.add_argument("--topics", default="overview")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--tasks", type=int, default=0)
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), workers=1, slots=1) as (address, pid),
    ):
        if asked.tasks:
            speed(address, asked.tasks)
            for _ in range(3):
                alone = speed(address, asked.tasks)
                streams = Streams(address, asked.streams, asked.topics)
                watched = speed(address, asked.tasks)
                streams.close()
                time.sleep(SETTLE_SECONDS)
                figures.show("tasks alone", alone, "a second")
                figures.show("tasks watched", watched, "a second")
            return
        with small_jobs(address):
            alone = cost(address, pid, 0, asked.topics, asked.seconds)
            watched = cost(address, pid, asked.streams, asked.topics, asked.seconds)
        figures.show("alone", 100 * alone, "% of a processor")
        figures.show("watched", 100 * watched, "% of a processor")
        figures.show("streams", 100 * (watched - alone), "% of a processor")


if __name__ == "__main__":
    main()
