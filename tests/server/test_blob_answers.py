"""Bytes over HTTP: what is said of them, parts of them, and blobs that are put, right and wrong."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import h11
import pytest
import trio
from trio.testing import memory_stream_pair

from dc import limits_http as limits
from dc.blobs import BlobFolder
from dc.http import serve
from dc.messages_client import Options
from dc.plugins import Plugins
from dc.records import NewJob, NewTasks
from dc.server.app import ServerApp, Settings
from dc.server.site import Site
from dc.server.types import PluginTypes
from dc.store_memory import MemoryStore
from tests.http_cases import no_upgrade

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

DATA = bytes(range(256)) * 1000
DIGEST = hashlib.sha256(DATA).digest()
HEX = DIGEST.hex()
ETAG = f'"{HEX}"'
REPR = f"sha-256=:{base64.b64encode(DIGEST).decode()}:"
PATH = f"/blobs/{HEX}"


class DiskUsage(NamedTuple):
    """What a disk holds, in bytes."""

    total: int
    used: int
    free: int


class Answer:
    """What came back."""

    def __init__(self, response: h11.Response, body: bytes) -> None:
        self.status, self.body = response.status_code, body
        self.headers = {name.decode(): value.decode() for name, value in response.headers}


class Server:
    """A server without a socket."""

    def __init__(self, folder: Path, nursery: trio.Nursery) -> None:
        self.folder, self.nursery = folder, nursery
        self.store = MemoryStore()
        self.blobs = BlobFolder(folder)
        settings = Settings("dc test", "http://localhost:1", folder, 0.0)
        app = ServerApp(self.store, self.blobs, PluginTypes(Plugins()), settings)
        self.site = Site(app)

    async def open(self) -> trio.abc.Stream:
        """Open a connection."""
        client, server = memory_stream_pair()
        self.nursery.start_soon(serve, server, self.site.answer, no_upgrade)
        return client

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """Make a request on a connection of its own, and return the answer."""
        stream, link = await self.open(), h11.Connection(h11.CLIENT)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named.setdefault("host", "localhost")
        if method == "PUT":
            named.setdefault("content-length", str(len(body)))
        request = h11.Request(method=method, target=path, headers=list(named.items()))
        await stream.send_all((link.send(request) or b"") + body)
        if method != "PUT":
            link.send(h11.EndOfMessage())
        elif body:
            link.send_with_data_passthrough(h11.Data(data=body))
        assert isinstance(stream, trio.StapledStream)
        await stream.send_eof()
        found: list[h11.Response] = []
        pieces = b""
        while not isinstance(event := link.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                link.receive_data(bytes(await stream.receive_some()))
            elif isinstance(event, h11.Response):
                found.append(event)
            elif isinstance(event, h11.Data):
                pieces += event.data
        await stream.aclose()
        return Answer(found[0], pieces)

    def left(self) -> list[str]:
        """Return the files that are there."""
        return sorted(
            str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()
        )


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Server]:
    async with trio.open_nursery() as nursery:
        yield Server(folder, nursery)
        nursery.cancel_scope.cancel()


NAME = f"{HEX[:2]}/{HEX[2:]}"


# --- what is there --------------------------------------------------------------------------------


async def test_a_blob_says_what_it_is(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        assert (await server.ask("PUT", PATH, DATA)).status == 201
        assert (await server.ask("PUT", PATH, DATA)).status == 200
        for method in ("GET", "HEAD"):
            answer = await server.ask(method, PATH)
            assert answer.status == 200
            assert answer.body == (DATA if method == "GET" else b"")
            assert answer.headers["content-length"] == str(len(DATA))
            assert answer.headers["etag"] == ETAG
            assert answer.headers["repr-digest"] == REPR
            assert answer.headers["accept-ranges"] == "bytes"
            assert "immutable" in answer.headers["cache-control"]
            assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("headers", "status", "span"),
    [
        ({"range": "bytes=5-9"}, 206, slice(5, 10)),
        ({"range": "bytes=-3"}, 206, slice(-3, None)),
        ({"range": "bytes=255990-"}, 206, slice(255990, None)),
        ({"range": "bytes=5-999999999"}, 206, slice(5, None)),
        ({"range": "bytes=256000-"}, 416, slice(0, 0)),
        ({"range": "bytes=999999-9999999"}, 416, slice(0, 0)),
        ({"range": "bytes=0-1,3-4"}, 200, slice(None)),
        ({"range": "bytes=9-5"}, 200, slice(None)),
        ({"range": "bytes=5-9", "if_range": ETAG}, 206, slice(5, 10)),
        ({"range": "bytes=5-9", "if_range": '"other"'}, 200, slice(None)),
        ({"range": "bytes=5-9", "if_range": f"W/{ETAG}"}, 200, slice(None)),
        ({"if_none_match": ETAG}, 304, slice(0, 0)),
        ({"if_none_match": ETAG, "range": "bytes=5-9"}, 304, slice(0, 0)),
        ({"if_none_match": '"other"'}, 200, slice(None)),
        ({"if_match": ETAG, "range": "bytes=5-9"}, 206, slice(5, 10)),
        ({"if_match": ETAG}, 200, slice(None)),
        ({"if_match": '"other"'}, 412, None),
        ({"accept_encoding": "gzip"}, 200, slice(None)),
    ],
)
async def test_parts_and_conditions(
    tmp_path: Path, headers: dict[str, str], status: int, span: slice | None
) -> None:
    async with running(tmp_path) as server:
        await server.ask("PUT", PATH, DATA)
        answer = await server.ask("GET", PATH, b"", **headers)
        assert answer.status == status
        if span is not None:
            assert answer.body == DATA[span]
            assert answer.headers["etag"] == ETAG
        if status == 206:
            start, stop, _ = (span or slice(0)).indices(len(DATA))
            assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(DATA)}"
        if status == 416:
            assert answer.headers["content-range"] == f"bytes */{len(DATA)}"


async def test_payloads_inline_and_not(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        job = NewJob(1, "demo", "1", Options(), "bytes", "bytes", 1.0)
        await server.store.commit([job, NewTasks(1, 0, [b"small bytes"])])
        small = hashlib.sha256(b"small bytes").digest()
        answer = await server.ask("GET", "/jobs/1/tasks/0/payload")
        assert (answer.status, answer.body) == (200, b"small bytes")
        assert answer.headers["etag"] == f'"{small.hex()}"'
        assert answer.headers["repr-digest"] == f"sha-256=:{base64.b64encode(small).decode()}:"
        assert "no-cache" in answer.headers["cache-control"]
        answer = await server.ask("GET", "/jobs/1/tasks/0/payload", range="bytes=6-")
        assert (answer.status, answer.body) == (206, b"bytes")
        answer = await server.ask(
            "GET", "/jobs/1/tasks/0/payload", if_none_match=f'"{small.hex()}"'
        )
        assert (answer.status, answer.body) == (304, b"")
        answer = await server.ask("GET", "/api/status")
        assert answer.headers["cache-control"] == "no-store"


async def test_what_is_not_there(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        for method in ("GET", "HEAD"):
            answer = await server.ask(method, PATH)
            assert answer.status == 404
            assert "upload-offset" not in answer.headers


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "%2e%2e",
        "..%2f..%2fetc%2fpasswd",
        "%2fetc%2fpasswd",
        "incoming",
        HEX[:-1],
        HEX + "00",
        HEX[:-2] + "zz",
        " ".join(HEX[at : at + 2] for at in range(0, 64, 2)).replace(" ", "%20"),
        HEX[:62] + "%00",
        "C:%5c" + HEX[:58],
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
async def test_names_that_are_none(tmp_path: Path, name: str, method: str) -> None:
    async with running(tmp_path / "in") as server:
        answer = await server.ask(method, f"/blobs/{name}", b"x" if method == "PUT" else b"")
        assert answer.status in (400, 404, 405)
        assert server.left() == []
    assert os.listdir(tmp_path) == ["in"]  # noqa: PTH208


# --- what is put ----------------------------------------------------------------------------------


async def test_a_put_goes_on_where_it_was_cut(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        at, size = 0, len(DATA)
        for stop in (1, 70_000, 70_001, 200_000):
            headers = {"content_length": str(size - at)}
            if at:
                headers["content_range"] = f"bytes {at}-{size - 1}/{size}"
            answer = await server.ask("PUT", PATH, DATA[at:stop], **headers)
            assert answer.status == 400
            assert b"broken off" in answer.body
            answer = await server.ask("HEAD", PATH)
            assert (answer.status, answer.headers["upload-offset"]) == (404, str(stop))
            at = stop
        span = f"bytes {at + 1}-{size - 1}/{size}"
        answer = await server.ask("PUT", PATH, DATA[at + 1 :], content_range=span)
        assert (answer.status, answer.headers["upload-offset"]) == (409, str(at))
        span = f"bytes {at}-{size - 1}/{size}"
        answer = await server.ask("PUT", PATH, DATA[at:], content_range=span)
        assert answer.status == 201
        assert server.left() == [NAME]
        assert (await server.ask("HEAD", PATH)).status == 200
        assert (await server.ask("PUT", PATH, DATA[at:], content_range=span)).status == 200


@pytest.mark.parametrize("chunked", [False, True])
async def test_only_what_is_missing_needs_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunked: bool
) -> None:
    disk, size, start = len(DATA) * 3 // 2, len(DATA), 200_000

    def disk_usage(folder: Path) -> DiskUsage:
        used = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
        return DiskUsage(disk, used, disk - used)

    monkeypatch.setattr("dc.server.uploads.shutil.disk_usage", disk_usage)
    monkeypatch.setattr(limits, "MOVE_BYTES", 1000)
    async with running(tmp_path) as server:
        if chunked:
            pieces = [DATA[at : at + 10_000] for at in range(0, size, 10_000)]
            body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
            body += b"0\r\n\r\n"
            stream = await server.open()
            head = f"PUT {PATH} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            await stream.send_all(head.encode() + body)
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 201")
            return
        await server.ask("PUT", PATH, DATA[:start], content_length=str(size))
        span = f"bytes {start}-{size - 1}/{size}"
        assert (await server.ask("PUT", PATH, DATA[start:], content_range=span)).status == 201


async def test_wrong_parts_begin_anew(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        size = len(DATA)
        await server.ask("PUT", PATH, b"wrong", content_length=str(size))
        span = f"bytes 5-{size - 1}/{size}"
        answer = await server.ask("PUT", PATH, DATA[5:], content_range=span)
        assert (answer.status, answer.headers["upload-offset"]) == (409, "0")
        assert server.left() == []


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (DATA[:-1] + b"x", {}, 400),
        (DATA[:-1], {}, 400),
        (DATA, {"repr_digest": REPR.replace(":", ":AAAA", 1)}, 400),
        (DATA, {"repr_digest": f"sha-256=:{base64.b64encode(bytes(32)).decode()}:"}, 400),
        (DATA, {"content_range": f"bytes 0-{len(DATA)}/{len(DATA)}"}, 400),
        (DATA, {"content_range": f"bytes 0-{len(DATA) - 1}/{len(DATA) - 1}"}, 400),
        (DATA, {"content_range": f"bytes 5-{len(DATA) - 1}/{len(DATA)}"}, 400),
        (DATA, {"content_range": "lines 1-2/3"}, 400),
        (DATA[5:], {"content_range": f"bytes 5-{len(DATA) - 1}/{len(DATA)}"}, 409),
        (b"", {"content_range": f"bytes */{len(DATA)}"}, 409),
        (DATA, {"content_encoding": "gzip"}, 415),
        (DATA, {"content_encoding": "zstd"}, 400),
        (DATA, {"content_encoding": "zstd", "upload_length": str(len(DATA))}, 400),
    ],
)
async def test_what_cannot_be_taken_leaves_nothing(
    tmp_path: Path, body: bytes, headers: dict[str, str], status: int
) -> None:
    async with running(tmp_path) as server:
        answer = await server.ask("PUT", PATH, body, **headers)
        assert answer.status == status, answer.body
        assert answer.body
        assert server.left() == []


async def test_a_digest_that_is_right_is_taken(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        answer = await server.ask("PUT", PATH, DATA, repr_digest=f"md5=:AA==:, {REPR}")
        assert answer.status == 201


async def test_a_damaged_blob_is_told_of_to_who_asks(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        await server.ask("PUT", PATH, DATA)
    (tmp_path / NAME).write_bytes(DATA[:-1] + b"x")
    async with running(tmp_path) as server:
        answer = await server.ask("GET", PATH)
        assert answer.body == DATA[:-1] + b"x"  # who compares sees it
        answer = await server.ask("GET", PATH, want_repr_digest="sha-256=1")
        assert answer.status == 404
        assert b"damaged" in answer.body
        assert (await server.ask("GET", PATH)).status == 404
        assert (await server.ask("PUT", PATH, DATA)).status == 201
        assert (await server.ask("GET", PATH, want_repr_digest="sha-256=1")).body == DATA


# --- compressed -----------------------------------------------------------------------------------


def packed(data: bytes, level: int = 3) -> bytes:
    return zstd.compress(data, level)


async def test_compressed_both_ways(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        coded = {"content_encoding": "zstd", "upload_length": str(len(DATA))}
        assert (await server.ask("PUT", PATH, packed(DATA), **coded)).status == 201
        answer = await server.ask("GET", PATH, accept_encoding="gzip, zstd")
        assert answer.headers["content-encoding"] == "zstd"
        assert answer.headers["vary"] == "Accept-Encoding"
        assert answer.headers["etag"] == f'"{HEX}-zstd"'
        assert "repr-digest" not in answer.headers
        assert len(answer.body) < len(DATA) // 10
        assert zstd.decompress(answer.body) == DATA
        answer = await server.ask("GET", PATH, accept_encoding="zstd", range="bytes=5-9")
        assert (answer.status, answer.body) == (206, DATA[5:10])
        answer = await server.ask("GET", PATH, accept_encoding="zstd;q=0")
        assert answer.body == DATA


async def test_what_is_removed_while_it_is_looked_at_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as server:
        assert (await server.ask("PUT", PATH, DATA)).status == 201
        size_of = server.blobs.size

        def size(digest: bytes) -> int | None:
            found = size_of(digest)
            (tmp_path / NAME).unlink()
            return found

        monkeypatch.setattr(server.blobs, "size", size)
        assert (await server.ask("GET", PATH, accept_encoding="zstd")).status == 404


async def test_what_does_not_get_smaller_goes_as_it_is(tmp_path: Path) -> None:
    data = os.urandom(300_000)
    path = f"/blobs/{hashlib.sha256(data).hexdigest()}"
    async with running(tmp_path) as server:
        await server.ask("PUT", path, data)
        answer = await server.ask("GET", path, accept_encoding="zstd")
        assert "content-encoding" not in answer.headers
        assert answer.body == data


def wide(data: bytes) -> bytes:
    """Compress with a window of 128 MB."""
    options = {zstd.CompressionParameter.window_log: 27}
    coder = zstd.ZstdCompressor(options={int(key): value for key, value in options.items()})
    return coder.compress(data, zstd.ZstdCompressor.FLUSH_FRAME)


@pytest.mark.parametrize(
    ("body", "size"),
    [
        (packed(bytes(50_000_000)), len(DATA)),  # a bomb: 50 MB out of 2 KB
        (packed(DATA), len(DATA) - 1),
        (packed(DATA), len(DATA) + 1),
        (packed(DATA)[:-1], len(DATA)),
        (packed(DATA) + b"x", len(DATA)),
        (packed(DATA) + packed(DATA), len(DATA)),
        (packed(DATA[:-1] + b"x"), len(DATA)),
        (b"", len(DATA)),
        (b"\x28\xb5\x2f\xfd", len(DATA)),
        (wide(bytes(20_000_000)), 20_000_000),
    ],
)
async def test_wrongly_compressed(tmp_path: Path, body: bytes, size: int) -> None:
    async with running(tmp_path) as server:
        coded = {"content_encoding": "zstd", "upload_length": str(size)}
        answer = await server.ask("PUT", PATH, body, **coded)
        assert answer.status == 400
        assert answer.body
        assert server.left() == []
