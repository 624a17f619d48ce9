"""Measure blobs between a real server and its peers: one large one, and many small ones at once.

    python -m benchmarks.blobs [--mb N] [--cuts N] [--blobs N] [--folder FOLDER]

A server runs in a process of its own, with a task beside all else that tells by how much it comes
late: `loop` is that lateness. `memory` is by how much the server's peak of resident memory grew.
Each peer is a process with a BlobTransport, as a worker has one. Rates are of whole transfers: what
comes down is hashed and in a file; what goes up is hashed and synced to disk at the server. Beside
them what this computer does at best: SHA-256 on one processor, and its disk. A MB is a million
bytes. FOLDER is where the server's data and the peers' files are: /dev/shm leaves the disk out.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import trio

from benchmarks.figures import process_cpu, show
from benchmarks.large import warm
from benchmarks.processes import Process
from dc.dial import dial, read_url
from dc.http_blobs import BlobTransport, blob_of
from dc.http_client import HttpClient
from dc.messages_parts import Blob
from dc.server.__main__ import parse, serve

MB = 1_000_000
PIECE = 1 << 20
PEERS = 4
PROBE_SECONDS = 0.001


# --- the server's process -------------------------------------------------------------------------


async def watched_server(arguments: list[str]) -> None:
    """Run a server; at each SIGUSR1 print how late a task of its loop came since the last."""
    late = [0.0]

    async def probe() -> None:
        while True:
            due = trio.current_time() + PROBE_SECONDS
            await trio.sleep_until(due)
            late.append(trio.current_time() - due)

    async def tell() -> None:
        with trio.open_signal_receiver(signal.SIGUSR1) as signals:
            async for _ in signals:
                late.sort()
                said = {"max": late[-1], "most": late[int(len(late) * 0.999)]}
                print(json.dumps(said), flush=True)
                late[:] = [0.0]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(probe)
        nursery.start_soon(tell)
        await serve(parse(arguments))
        nursery.cancel_scope.cancel()


class Server:
    """A server's process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid
        self.url = self.line()

    def line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def late(self) -> dict[str, float]:
        """Return how late its loop was since the last call, in milliseconds."""
        self._process.send_signal(signal.SIGUSR1)
        found = json.loads(self.line())
        return {name: round(seconds * 1e3, 2) for name, seconds in found.items()}

    def peak_mb(self) -> float:
        """Return its peak of resident memory, in MB."""
        return Process(self.pid).kib("VmHWM") * 1024 / MB


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Server]:
    """Start a server."""
    command = [sys.executable, "-m", "benchmarks.blobs", "--serve", str(folder / "data")]
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        yield Server(process)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


# --- the peers ------------------------------------------------------------------------------------


def transport_to(url: str) -> BlobTransport:
    """Return the way to a server."""
    server = read_url(url)
    return BlobTransport(HttpClient(partial(dial, server), server.authority))


async def run_peer(url: str, folder: Path, names: str) -> None:
    """Fetch the blobs of a list in JSON, one after the other, once a line comes in."""
    blobs = [Blob(bytes.fromhex(name), int(size)) for name, size in json.loads(names)]
    transport = transport_to(url)
    print("ready", flush=True)
    await trio.to_thread.run_sync(sys.stdin.readline)
    for blob in blobs:
        await transport.download(f"/blobs/{blob.name}", blob, folder / blob.name)
    print("done", flush=True)


def start_peer(url: str, folder: Path, names: Path) -> subprocess.Popen[str]:
    folder.mkdir()
    command = [sys.executable, "-m", "benchmarks.blobs", "--peer", url, str(folder), str(names)]
    pipe = subprocess.PIPE
    peer = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
    assert peer.stdout is not None
    assert peer.stdout.readline() == "ready\n"
    return peer


# --- what is measured -----------------------------------------------------------------------------


def make(path: Path, size: int) -> Path:
    """Write random bytes to a file."""
    with path.open("wb") as file:
        for at in range(0, size, PIECE):
            file.write(os.urandom(min(PIECE, size - at)))
    return path


class Measure:
    """Times what is done within its block, beside what it costs the server."""

    def __init__(self, server: Server, name: str, size: int) -> None:
        self._server, self._name, self._size = server, name, size

    def __enter__(self) -> None:
        self._server.late()
        self._memory, self._cpu = self._server.peak_mb(), process_cpu(self._server.pid)
        self._here, self._begin = time.process_time(), time.perf_counter()

    def __exit__(self, *_: object) -> None:
        seconds, server = time.perf_counter() - self._begin, self._server
        cpu, here = process_cpu(server.pid) - self._cpu, time.process_time() - self._here
        giga = self._size / 1e9
        more: dict[str, Any] = {"loop_ms": server.late()}
        more["memory_mb"] = round(server.peak_mb() - self._memory, 1)
        more["server_cpu_s_a_gb"] = round(cpu / giga, 2)
        more["here_cpu_s_a_gb"] = round(here / giga, 2)
        show(self._name, self._size / seconds / MB, "MB/s", **more)


async def measure_one(server: Server, folder: Path, size: int) -> None:
    """One large blob up, and down again."""
    source = make(folder / "source", size)
    warm(folder, 3 * size)
    os.sync()
    transport, blob = transport_to(server.url), await blob_of(source)
    with Measure(server, "one up", size):
        assert await transport.upload(blob, source)
    with Measure(server, "one up that is there", size):
        assert not await transport.upload(blob, source)
    os.sync()
    for name in ("one down", "one down again"):
        warm(folder, 2 * size)
        with Measure(server, name, size):
            await transport.download(f"/blobs/{blob.name}", blob, folder / "back")
        assert (await blob_of(folder / "back")) == blob
        (folder / "back").unlink()
        os.sync()


class Cutter:
    """A way to a server whose connection is cut so many times, at equal parts of a blob."""

    def __init__(self, url: str, size: int, cuts: int) -> None:
        host, port = (server := read_url(url)).host, server.port
        self._at = [size * number // (cuts + 1) for number in range(cuts, 0, -1)]
        self._open = partial(trio.open_tcp_stream, host, port)
        self._stream: trio.SocketStream | None = None
        self.cuts = 0
        self.transport = BlobTransport(HttpClient(self.open, f"{host}:{port}"))

    async def open(self) -> trio.SocketStream:
        self._stream = await self._open()
        return self._stream

    def told(self, size: int) -> None:
        if self._at and size >= self._at[-1] and self._stream is not None:
            self._at.pop()
            self.cuts += 1
            self._stream.socket.shutdown(trio.socket.SHUT_RDWR)


async def measure_cut(server: Server, folder: Path, size: int, cuts: int) -> None:
    """One large blob up and down, the connection cut in between."""
    source = make(folder / "source", size)
    os.sync()
    blob, up = await blob_of(source), Cutter(server.url, size, cuts)
    before = Process(os.getpid()).kib("VmHWM")
    with Measure(server, f"one up, cut {cuts} times", size):
        assert await up.transport.upload(blob, source, up.told)
    os.sync()
    down = Cutter(server.url, size, cuts)
    with Measure(server, f"one down, cut {cuts} times", size):
        await down.transport.download(f"/blobs/{blob.name}", blob, folder / "back", down.told)
    assert up.cuts == down.cuts == cuts
    assert (await blob_of(folder / "back")) == blob
    grown = (Process(os.getpid()).kib("VmHWM") - before) * 1024 / MB
    show("the peer's peak of memory grew by", grown, "MB", compared=False)
    (folder / "back").unlink()
    source.unlink()


async def measure_many(server: Server, folder: Path, count: int) -> None:
    """Many blobs of a MB up, one after the other, and down to several peers at once."""
    transport, blobs = transport_to(server.url), []
    sources = [os.urandom(MB) for _ in range(count)]
    blobs = [await blob_of(source) for source in sources]
    with Measure(server, "many up", count * MB):
        for blob, source in zip(blobs, sources, strict=True):
            await transport.upload(blob, source)
    os.sync()
    (folder / "names").write_text(json.dumps([[blob.name, blob.size] for blob in blobs]))
    peers = [start_peer(server.url, folder / f"peer-{n}", folder / "names") for n in range(PEERS)]
    with Measure(server, f"many down to {PEERS}", PEERS * count * MB):
        for peer in peers:
            assert peer.stdin is not None
            peer.stdin.write("go\n")
            peer.stdin.flush()
        for peer in peers:
            assert peer.stdout is not None
            assert peer.stdout.readline() == "done\n"
    for peer in peers:
        peer.wait(20)


def measure_computer(folder: Path, size: int) -> None:
    """What this computer does at best."""
    piece, found, begin = os.urandom(PIECE), hashlib.sha256(), time.perf_counter()
    for _ in range(300):
        found.update(piece)
    show("SHA-256", 300 * PIECE / (time.perf_counter() - begin) / MB, "MB/s", compared=False)
    begin = time.perf_counter()
    with (folder / "disk").open("wb", buffering=0) as file:
        for _ in range(size // PIECE):
            file.write(piece)
        os.fsync(file.fileno())
    rate = size / (time.perf_counter() - begin) / MB
    show("disk, written and synced", rate, "MB/s", compared=False)
    (folder / "disk").unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=1000)
    parser.add_argument("--cuts", type=int, default=10)
    parser.add_argument("--blobs", type=int, default=1000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--serve", metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument("--peer", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        trio.run(watched_server, ["--listen", "127.0.0.1:0", "--data", arguments.serve])
        return
    if arguments.peer:
        url, folder, names = arguments.peer
        trio.run(run_peer, url, Path(folder), Path(names).read_text())
        return
    with tempfile.TemporaryDirectory(prefix="dc-blobs-", dir=arguments.folder) as name:
        measure_computer(Path(name), arguments.mb * MB)
        with running(Path(name)) as server:
            trio.run(measure_one, server, Path(name), arguments.mb * MB)
            trio.run(measure_cut, server, Path(name), arguments.mb * MB, arguments.cuts)
            trio.run(measure_many, server, Path(name), arguments.blobs)


if __name__ == "__main__":
    main()
