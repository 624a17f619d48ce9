"""Caches of real workers: what is fetched how often, over lines that are cut, or that lie."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio

import dc
from dc.errors import TaskFailed
from tests.system.processes import Machine, Program, Server

PLUGIN = '''
import hashlib
from collections.abc import Iterator

import dc

@dc.task_type
def look(number: int, context: dc.Context) -> str:
    """Tell the SHA-256 of the input."""
    return hashlib.sha256(context.inputs["data"].map()).hexdigest()

@dc.task_type
def make(size: int) -> Iterator[bytes]:
    """Make so many bytes."""
    for at in range(size // 1_000_000):
        yield at.to_bytes(4, "big") * 250_000

@dc.task_type
def former(job: int, context: dc.Context) -> str:
    """Tell the SHA-256 of the result of the first task of a job."""
    with context.result_file(job, 0).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
'''
MB = 1_000_000


class Relay:
    """Between workers and a server: counts what is fetched, cuts, and changes bytes.

    Attributes:
        gets: requests for bytes, by path.
        down: bytes that have come from the server.
        cuts: how many connections are still to be cut that carry more than `cut_after` bytes.
        lies: whether some bytes of a large answer are changed.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.gets: Counter[str] = Counter()
        self.down = 0
        self.cuts = 0
        self.cut_after = MB
        self.lies = False
        self.address = ""

    async def serve(self, stream: trio.SocketStream) -> None:
        try:
            server = await trio.open_tcp_stream("127.0.0.1", self._port)
            async with stream, server, trio.open_nursery() as nursery:
                nursery.start_soon(self._up, stream, server)
                await self._down(server, stream)
                nursery.cancel_scope.cancel()
        except* (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    async def _up(self, client: trio.SocketStream, server: trio.SocketStream) -> None:
        async for data in client:
            for line in bytes(data).split(b"\r\n"):
                if line.startswith((b"GET /blobs/", b"GET /jobs/")):
                    self.gets[line.split(b" ")[1].decode()] += 1
            await server.send_all(data)

    async def _down(self, server: trio.SocketStream, client: trio.SocketStream) -> None:
        total = 0
        async for data in server:
            total += len(data)
            self.down += len(data)
            if self.cuts and total > self.cut_after:
                self.cuts -= 1
                return
            before = (total - len(data)) // self.cut_after
            if self.lies and before < total // self.cut_after:
                await client.send_all(bytes(255 - one for one in data))
            else:
                await client.send_all(data)


@asynccontextmanager
async def relay_to(server: Server) -> AsyncIterator[Relay]:
    relay = Relay(server.port)
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, relay.serve, listeners)
        relay.address = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        yield relay
        nursery.cancel_scope.cancel()


async def worker_by(machine: Machine, server: Server, relay: Relay, name: str) -> Program:
    """Start a worker behind the relay, with the cache of the test's computer."""
    cache = "--cache", machine.folder / "cache"
    program = "dc.worker", relay.address
    return await machine.worker(
        server, name, slots=2, program=program, arguments=("--spares", 0, *cache)
    )


@asynccontextmanager
async def scene(machine: Machine) -> AsyncIterator[tuple[Server, Relay, dc.AsyncClient]]:
    (machine.plugins / "cache_tests.py").write_text(PLUGIN)
    server = await machine.server()
    async with relay_to(server) as relay, machine.client(server) as client:
        yield server, relay, client


def bounded(work: Callable[[Machine], Awaitable[None]], machine: Machine) -> None:
    async def run() -> None:
        with trio.fail_after(180):
            await work(machine)

    trio.run(run)


async def a_common_input(machine: Machine) -> None:
    data = os.urandom(20 * MB)
    digest = hashlib.sha256(data).hexdigest()
    async with scene(machine) as (server, relay, client):
        first = await worker_by(machine, server, relay, "first")
        await worker_by(machine, server, relay, "second")
        ref = await client.put(data)
        job = await client.submit("look", range(30), inputs={"data": ref})
        assert [row async for row in job.results()] == [digest] * 30
        assert relay.gets[f"/blobs/{digest}"] == 1
        first.kill()
        await worker_by(machine, server, relay, "third")
        job = await client.submit("look", range(8), inputs={"data": ref})
        assert [row async for row in job.results()] == [digest] * 8
        assert relay.gets[f"/blobs/{digest}"] == 1, "it is kept over a kill -9"


def test_a_common_input_is_fetched_once_by_a_computer(machine: Machine) -> None:
    bounded(a_common_input, machine)


async def files_that_go(machine: Machine) -> None:
    data = os.urandom(5 * MB)
    digest = hashlib.sha256(data).hexdigest()
    async with scene(machine) as (server, relay, client):
        await worker_by(machine, server, relay, "w")
        ref = await client.put(data)
        job = await client.submit("look", range(100), inputs={"data": ref})
        results = job.results()
        assert await anext(results) == digest
        for folder in list((machine.folder / "cache").iterdir()):
            gone = machine.folder / f"gone-{folder.name}"
            folder.rename(gone)  # at once: the worker writes there meanwhile
            shutil.rmtree(gone)
        assert [row async for row in results] == [digest] * 99
        assert 1 <= relay.gets[f"/blobs/{digest}"] <= 5
        for path in (machine.folder / "cache").rglob(f"*{digest[2:]}"):
            path.chmod(0o644)
            path.write_bytes(bytes(5 * MB))
        job = await client.submit("look", range(8), inputs={"data": ref})
        assert [row async for row in job.results()] == [digest] * 8


def test_files_that_go_or_are_changed_are_fetched_again(machine: Machine) -> None:
    bounded(files_that_go, machine)


async def a_hundred_cuts(machine: Machine) -> None:
    data = os.urandom(52 * MB)
    digest = hashlib.sha256(data).hexdigest()
    async with scene(machine) as (server, relay, client):
        await worker_by(machine, server, relay, "w")
        relay.cuts, relay.cut_after = 100, 500_000
        job = await client.submit("look", range(4), inputs={"data": data})
        assert [row async for row in job.results()] == [digest] * 4
        assert relay.cuts == 0
        assert relay.down < 2.5 * len(data), "each went on where the last was cut"


def test_an_input_comes_over_a_line_that_is_cut_a_hundred_times(machine: Machine) -> None:
    bounded(a_hundred_cuts, machine)


async def a_line_that_lies(machine: Machine) -> None:
    async with scene(machine) as (server, relay, client):
        await worker_by(machine, server, relay, "w")
        relay.lies = True
        job = await client.submit("look", [1], inputs={"data": os.urandom(5 * MB)})
        with pytest.raises(TaskFailed, match="could not fetch input 'data'"):
            _ = [row async for row in job.results()]
        left = {path.name for path in (machine.folder / "cache").rglob("*") if path.is_file()}
        assert left == {"lock"}, "something is left of it"


def test_other_bytes_than_the_input_has_fail_the_task_in_the_end(machine: Machine) -> None:
    bounded(a_line_that_lies, machine)


async def a_former_result(machine: Machine) -> None:
    digest = hashlib.sha256()
    for at in range(40):
        digest.update(at.to_bytes(4, "big") * 250_000)
    async with scene(machine) as (server, relay, client):
        await worker_by(machine, server, relay, "first")
        await worker_by(machine, server, relay, "second")
        made = await client.submit("make", [40 * MB])
        await made.wait()
        job = await client.submit("former", [made.number] * 12, after=made)
        assert {row async for row in job.results()} == {digest.hexdigest()}
        assert relay.down < 50 * MB, "it was fetched more than once"


def test_a_large_former_result_is_fetched_once_by_a_computer(machine: Machine) -> None:
    bounded(a_former_result, machine)
