"""Measure the HTTP server: a GiB up and down, and small answers one after the other.

    python -m benchmarks.http [--gib N] [--requests N]

A server of dc.http runs in a process of its own, on a loopback address; the client is a plain
blocking socket, which costs less than the server by far. `server` is the server's processor time.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import trio

from benchmarks.figures import process_cpu, show
from dc.http import Request, Response, Upgrade, serve

GIB = 1024**3
PIECE = 256 * 1024
SMALL = b"x" * 64
REPEATS = 3


# --- the server's process -------------------------------------------------------------------------


async def pieces(size: int) -> AsyncIterator[bytes]:
    piece = bytes(PIECE)
    for _ in range(size // PIECE):
        yield piece


async def answer(request: Request, file: Path, size: int) -> Response:
    if request.method == "PUT":
        count = 0
        while piece := await request.next_piece():
            count += len(piece)
        return Response.text(200, str(count))
    if request.path == "/file":
        return Response(body=file)
    return Response(body=pieces(size) if request.path == "/pieces" else SMALL)


async def no_upgrade(*_: object) -> None:
    raise AssertionError("nobody asks for an upgrade")


async def run_server(file: Path, size: int) -> None:
    async def handler(request: Request) -> Response | Upgrade:
        return await answer(request, file, size)

    async with trio.open_nursery() as nursery:
        one = partial(serve, handler=handler, on_upgrade=no_upgrade)
        listeners = await nursery.start(partial(trio.serve_tcp, one, 0, host="127.0.0.1"))
        print(listeners[0].socket.getsockname()[1], flush=True)
        await trio.to_thread.run_sync(sys.stdin.read)  # until the client is through
        nursery.cancel_scope.cancel()


# --- the client -----------------------------------------------------------------------------------


class Client:
    """A connection that sends requests and looks at nothing of the answers but their length."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(PIECE)

    def get(self, path: str) -> int:
        """Return how many bytes came behind the head of the answer."""
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return self._answer()

    def put(self, path: str, size: int) -> int:
        """Put so many bytes."""
        head = f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n"
        self._socket.sendall(head.encode())
        for _ in range(size // PIECE):
            self._socket.sendall(self._buffer)
        self._answer()
        return size

    def close(self) -> None:
        self._socket.close()

    def _answer(self) -> int:
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._socket.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        lower = head.lower()
        if b"content-length:" in lower:
            return self._rest(int(lower.partition(b"content-length:")[2].split()[0]), len(body))
        return self._chunks(body)

    def _rest(self, size: int, got: int) -> int:
        while got < size:
            count = self._socket.recv_into(self._buffer)
            assert count
            got += count
        return got

    def _chunks(self, data: bytes) -> int:
        """Read to the last chunk; their heads count, a few bytes in each piece."""
        got, tail = len(data), data[-16:]
        while not tail.endswith(b"\r\n0\r\n\r\n"):
            count = self._socket.recv_into(self._buffer)
            assert count
            got += count
            tail = (tail + bytes(self._buffer[max(count - 16, 0) : count]))[-16:]
        return got


def measure(client: Client, pid: int, size: int) -> None:
    """Show the figures of streaming."""
    ways = {
        "upload": partial(client.put, "/body", size),
        "download of a file": partial(client.get, "/file"),
        "download of pieces": partial(client.get, "/pieces"),
    }
    for name, way in ways.items():
        rates, costs = [], []
        for _ in range(REPEATS):
            cpu, begin = process_cpu(pid), time.perf_counter()
            got = way()
            rates.append(got / (time.perf_counter() - begin) / 1e6)
            costs.append((process_cpu(pid) - cpu) * GIB / got)
            assert got >= size
        show(name, sorted(rates)[REPEATS // 2], "MB/s", all=rates)
        show(f"{name}, server a GiB", sorted(costs)[REPEATS // 2], "s", all=costs)


def measure_small(client: Client, pid: int, count: int) -> None:
    """Show the figures of small answers."""
    cpu, begin = process_cpu(pid), time.perf_counter()
    for _ in range(count):
        client.get("/small")
    seconds = time.perf_counter() - begin
    show("64 B answers, one connection", count / seconds, "requests/s")
    show("64 B answer, server", (process_cpu(pid) - cpu) / count * 1e6, "µs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gib", type=float, default=1.0, help="of each stream")
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        trio.run(run_server, options.serve, options.serve.stat().st_size)
        return
    size = int(options.gib * GIB) // PIECE * PIECE
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "file"
        file.touch()
        os.truncate(file, size)
        command = [sys.executable, "-m", "benchmarks.http", "--serve", str(file)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            client = Client(int(server.stdout.readline()))
            measure_small(client, server.pid, options.requests)
            measure(client, server.pid, size)
            client.close()
            server.communicate()  # the end of its input ends it


if __name__ == "__main__":
    main()
