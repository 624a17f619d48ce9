"""Blobs between real processes: the server killed in the middle, peers that hold still."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import trio

from dc.errors import ConnectionLost
from dc.http_blobs import BlobTransport, blob_of
from dc.http_client import HttpClient
from dc.messages_parts import Blob
from tests.system.processes import Machine, Server

SIZE = 48_000_000
KILLS = 2
WENT_ON = SIZE * 5 // 12
"""Behind this is only who has not lost what was moved between the first kill and the second: that
began at a third and ended at two thirds, of which the system's buffers may have held a part.
"""


@asynccontextmanager
async def client_of(server: Server) -> AsyncIterator[HttpClient]:
    open_stream = partial(trio.open_tcp_stream, "127.0.0.1", server.port)
    client = HttpClient(open_stream, f"127.0.0.1:{server.port}")
    try:
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def transport_to(server: Server) -> AsyncIterator[BlobTransport]:
    async with client_of(server) as client:
        yield BlobTransport(client)


def source_in(folder: Path) -> Path:
    path = folder / "source"
    path.write_bytes(os.urandom(1_000_000) * (SIZE // 1_000_000))
    return path


class Killer:
    """Kills a server once so many bytes have been moved, and starts it again; a few times."""

    def __init__(self, machine: Machine, server: Server) -> None:
        self.machine, self.server = machine, server
        self.kills = 0
        self.first = 0  # what the last transfer began behind
        self._last = 0

    def told(self, size: int) -> None:
        if self._last == 0:
            self.first = size
        self._last = size
        if self.kills < KILLS and size > SIZE * (self.kills + 1) // (KILLS + 1):
            self.kills += 1
            self.server.program.kill()

    async def go_on(self, move: Callable[[BlobTransport], Awaitable[object]]) -> None:
        """Have a blob moved, and start the server again each time that it was killed."""
        while True:
            try:
                async with transport_to(self.server) as transport:
                    await move(transport)
                    return
            except ConnectionLost:
                self.server = await self.machine.server(self.server.port)
                self._last = 0


async def test_uploads_and_downloads_outlive_a_killed_server(
    machine: Machine, tmp_path: Path
) -> None:
    source = source_in(tmp_path)
    blob = await blob_of(source)
    killer = Killer(machine, await machine.server())
    await killer.go_on(lambda way: way.upload(blob, source, killer.told))
    assert killer.kills == KILLS
    assert killer.first > WENT_ON, "it went on where it was cut"
    assert os.listdir(machine.data / "blobs" / "incoming") == []  # noqa: PTH208
    killer = Killer(machine, killer.server)
    path, back = f"/blobs/{blob.name}", tmp_path / "back"
    await killer.go_on(lambda way: way.download(path, blob, back, killer.told))
    assert killer.kills == KILLS
    assert killer.first > WENT_ON
    assert await blob_of(back) == blob


async def test_the_server_stays_small_and_awake(machine: Machine, tmp_path: Path) -> None:
    """Bounds with much room, for a busy machine; benchmarks/blobs.py measures."""
    source, server = source_in(tmp_path), await machine.server()
    blob, before = await blob_of(source), server.memory("VmHWM") or 0
    times: list[float] = []

    async def ask() -> None:
        async with client_of(server) as client:
            while True:
                begin = time.perf_counter()
                await client.get_json("/api/status")
                times.append(time.perf_counter() - begin)

    async with trio.open_nursery() as nursery, transport_to(server) as transport:
        nursery.start_soon(ask)
        await transport.upload(blob, source)
        for _ in range(3):
            await transport.download(f"/blobs/{blob.name}", blob, tmp_path / "back")
        nursery.cancel_scope.cancel()
    assert (server.memory("VmHWM") or 0) - before < 32_000_000
    assert max(times) < 5
    assert sorted(times)[len(times) * 9 // 10] < 0.5


async def test_clients_that_hold_still_hold_up_nobody(machine: Machine, tmp_path: Path) -> None:
    """Some read nothing of what they asked for, some send nothing of what they promised."""
    source, server = source_in(tmp_path), await machine.server()
    blob, other = await blob_of(source), Blob(bytes(32), SIZE)
    async with transport_to(server) as transport, AsyncExitStack() as stack:
        await transport.upload(blob, source)
        for number in range(40):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            name = (other if number % 2 else blob).name
            head = f"{'PUT' if number % 2 else 'GET'} /blobs/{name} HTTP/1.1\r\nHost: localhost\r\n"
            body = f"Content-Length: {SIZE}\r\n\r\nsome bytes" if number % 2 else "\r\n"
            sock.sendall(f"{head}{body}".encode())
        with trio.fail_after(60):
            await transport.download(f"/blobs/{blob.name}", blob, tmp_path / "back")
            with source.open("ab") as file:
                file.write(b"more")
            assert await transport.upload(await blob_of(source), source)
    assert await blob_of(tmp_path / "back") == blob
