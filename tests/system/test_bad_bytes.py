"""Bytes that are wrong, for a real server and real workers: clear errors, and nothing is left."""

from __future__ import annotations

import hashlib
import http.client
import random
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Final

import pytest
import trio

import dc
from dc import signing
from dc.errors import TaskFailed
from dc.plugin_archive import pack
from tests.system.processes import Machine, Server

DATA: Final = random.Random(6).randbytes(400_000)
HEX: Final = hashlib.sha256(DATA).hexdigest()
PLUGIN: Final = "import dc\n\n@dc.task_type\ndef cube(number: int) -> int:\n    return number**{}\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Server]]:
    """A real server, and where its files are."""
    with Machine(tmp_path_factory.mktemp("server")) as machine:

        async def start() -> Server:
            server = await machine.server()
            await machine.worker(server, "one")
            return server

        yield machine, trio.run(start)


@pytest.fixture
def server(place: tuple[Machine, Server]) -> Iterator[Server]:
    """The server, which is as it was when a test is over."""
    machine, server = place
    blobs = machine.data / "blobs"
    before = names(blobs)
    yield server
    assert names(blobs) == before, "something is left"
    with machine_client(machine, server) as client:
        assert client.run("square", 7) == [49]


def machine_client(machine: Machine, server: Server) -> dc.Client:
    return dc.Client(server.address, plugins=[machine.plugins])


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def ask(
    server: Server, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    """Send a request as it is, and return what comes back."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        got = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, answer.read(), got


def cut(server: Server, start: int, stop: int) -> None:
    """Promise the rest of the blob, and leave in the middle."""
    span = f"Content-Range: bytes {start}-{len(DATA) - 1}/{len(DATA)}\r\n" if start else ""
    head = (
        f"PUT /blobs/{HEX} HTTP/1.1\r\nHost: localhost\r\n{span}"
        f"Content-Length: {len(DATA) - start}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as sock:
        sock.sendall(head.encode() + DATA[start:stop])
        sock.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := sock.recv(4096):
            answer += piece
        assert b"broken off" in answer


def test_a_digest_that_does_not_match(server: Server) -> None:
    status, text, _ = ask(server, "PUT", f"/blobs/{HEX}", DATA[:-1] + b"?")
    assert status == 400
    assert b"SHA-256" in text
    assert ask(server, "GET", f"/blobs/{HEX}")[0] == 404


def test_a_length_that_lies(server: Server) -> None:
    less = ask(server, "PUT", f"/blobs/{HEX}", DATA, Content_Length=str(len(DATA) - 9))
    assert less[0] == 400
    span = f"bytes 0-{len(DATA) - 1}/{len(DATA) + 5}"
    assert ask(server, "PUT", f"/blobs/{HEX}", DATA, Content_Range=span)[0] == 400
    many = ask(server, "PUT", f"/blobs/{HEX}", b"", Content_Length="9" * 30)
    assert many[0] in (400, 413, 507)
    assert many[1]


@pytest.mark.parametrize(
    "name",
    ["..", "../dc.sqlite3", "..%2fdc.sqlite3", "%2e%2e/lock", f"{HEX}/..", f"../{HEX}", HEX[:-1]],
)
@pytest.mark.parametrize("folder", ["blobs", "plugins"])
def test_names_that_lead_elsewhere(server: Server, folder: str, name: str) -> None:
    for method in ("GET", "HEAD", "PUT"):
        status, text, _ = ask(server, method, f"/{folder}/{name}", b"x" if method == "PUT" else b"")
        assert status in (400, 404, 405)
        assert b"SQLite" not in text


def test_a_put_that_is_cut_a_hundred_times(place: tuple[Machine, Server]) -> None:
    """It goes on each time where it stood."""
    machine, server = place
    at = 0
    for stop in range(4000, 404_000, 4000):
        cut(server, at, min(stop, len(DATA) - 1))
        status, _, headers = ask(server, "HEAD", f"/blobs/{HEX}")
        at = int(headers["upload-offset"])
        assert (status, at) == (404, min(stop, len(DATA) - 1))
    span = f"bytes {at}-{len(DATA) - 1}/{len(DATA)}"
    assert ask(server, "PUT", f"/blobs/{HEX}", DATA[at:], Content_Range=span)[0] == 201
    assert ask(server, "GET", f"/blobs/{HEX}")[:2] == (200, DATA)
    assert list((machine.data / "blobs" / "incoming").iterdir()) == []


def test_a_range_out_of_bounds(place: tuple[Machine, Server]) -> None:
    _, server = place
    assert ask(server, "PUT", f"/blobs/{HEX}", DATA)[0] in (200, 201)
    for span in (f"bytes={len(DATA)}-", "bytes=999999999-9999999999"):
        status, _, headers = ask(server, "GET", f"/blobs/{HEX}", Range=span)
        assert status == 416
        assert headers["content-range"] == f"bytes */{len(DATA)}"
    assert ask(server, "GET", f"/blobs/{HEX}", Range="bytes=399990-9999999")[1] == DATA[-10:]


async def test_two_writers_of_one_blob(place: tuple[Machine, Server]) -> None:
    machine, server = place
    data = DATA * 20
    path = f"/blobs/{hashlib.sha256(data).hexdigest()}"
    statuses = []

    async def put() -> None:
        answer = await trio.to_thread.run_sync(ask, server, "PUT", path, data)
        statuses.append(answer[0])

    async with trio.open_nursery() as nursery:
        for _ in range(6):
            nursery.start_soon(put)
    assert 201 in statuses
    assert set(statuses) <= {200, 201, 409}
    assert ask(server, "GET", path)[1] == data
    assert list((machine.data / "blobs" / "incoming").iterdir()) == []


# --- plugins on their way -----------------------------------------------------------------------


@asynccontextmanager
async def changing(server: Server) -> AsyncIterator[str]:
    """Change a byte of each archive that passes; yield the address of who does."""

    async def serve(client: trio.SocketStream) -> None:
        try:
            stream = await trio.open_tcp_stream("127.0.0.1", server.port)
            async with client, stream, trio.open_nursery() as nursery:
                nursery.start_soon(forward, client, stream)
                await forward(stream, client)
                nursery.cancel_scope.cancel()
        except* (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    async def forward(source: trio.SocketStream, sink: trio.SocketStream) -> None:
        async for data in source:
            await sink.send_all(bytes(data).replace(b"dc-plugin.json", b"dc-plugin.jsom"))

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        yield f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def test_an_archive_that_is_changed_on_the_wire(machine: Machine) -> None:
    given = machine.folder / "given"
    given.mkdir()
    (given / "cube.py").write_text(PLUGIN.format(3))
    server = await machine.server(plugins=[machine.plugins, given])
    async with changing(server) as address, machine.client(server) as client:
        worker = await machine.worker(server, "one", program=("dc.worker", address))
        with pytest.raises(TaskFailed, match="not what the server has named"):
            [_ async for _ in (await client.submit("cube", [3])).results()]
        job = await client.submit("square", [3])
        assert [one async for one in job.results()] == [9], "its own code runs"
        code = machine.folder / "worker-one" / "code"
        assert not [path for path in code.rglob("*") if path.suffix in (".py", ".part")]
        assert worker.alive


# --- signatures ---------------------------------------------------------------------------------


def signed(folder: Path, name: str, private: bytes, signer: bytes) -> Path:
    """Write a plugin, and a signature beside it; return the file with its code."""
    plugin = folder / name
    plugin.mkdir(parents=True)
    code = plugin / "__init__.py"
    code.write_text(PLUGIN.format(3).replace("cube", name))
    digest = pack(plugin, folder.parent / "packed").digest
    signature = signing.Signature(signer, signing.sign(private, digest), digest)
    signing.write_signature(plugin, signature)
    return code


async def test_plugins_that_are_wrongly_signed_wait_for_another_worker(machine: Machine) -> None:
    """By another key, in the name of the one that is trusted, of other code, and by nobody."""
    folder, file = machine.folder / "signed", machine.folder / "key"
    trusted = signing.read_public(signing.write_key(file))
    private = signing.private_from(file)
    other = signing.read_private(signing.new_key()[0])
    signed(folder, "good", private, trusted)
    signed(folder, "theirs", other, signing.public_of(other))
    signed(folder, "forged", other, trusted)
    signed(folder, "edited", private, trusted).write_text(
        PLUGIN.format(4).replace("cube", "edited")
    )
    server = await machine.server(plugins=[folder, machine.plugins])
    trusting = ("--spares", 0, "--trust", signing.public_text(trusted))
    worker = await machine.worker(server, "one", plugins=[], arguments=trusting)
    async with dc.AsyncClient(server.address, plugins=[folder, machine.plugins]) as client:
        jobs = {}
        for name in ("theirs", "forged", "edited", "square"):
            with pytest.warns(dc.NoWorkerWarning, match="sign"):
                jobs[name] = await client.submit(name, [3])
        assert [one async for one in (await client.submit("good", [3])).results()] == [27]
        for name, job in jobs.items():
            counts = server.json(f"/api/jobs/{job.number}")["counts"]
            assert (counts["queued"], counts["running"]) == (1, 0), name
        archives = {one["name"]: one["archive"] for one in server.json("/api/plugins")["plugins"]}
        held = machine.folder / "worker-one" / "code" / "plugins"
        assert {path.name for path in held.iterdir()} == {archives["good"]}
        assert worker.alive
        await machine.worker(server, "two", plugins=[])
        for name, result in (("theirs", 27), ("forged", 27), ("edited", 81), ("square", 9)):
            assert [one async for one in jobs[name].results()] == [result], name
