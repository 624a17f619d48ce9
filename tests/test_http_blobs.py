"""Blobs between files and a server: whole, and gone on with after a cut."""

from __future__ import annotations

import os
import random
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import memory_stream_pair, wait_all_tasks_blocked

from dc import limits_store as limits
from dc.blobs import TEMPORARY
from dc.errors import BlobMismatch, ConnectionLost, HttpError, ProtocolError, UnknownBlob
from dc.http_blobs import BlobTransport, blob_of
from dc.http_client import HttpClient
from dc.messages_parts import Blob
from tests.http_cases import FakeStream
from tests.server.test_blob_answers import Server, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DATA = random.Random(1).randbytes(3_000_000)
TEXT = b"the same again, " * 200_000


class Cut(trio.abc.Stream):
    """Breaks after so many bytes, both ways together."""

    def __init__(self, stream: trio.abc.Stream, left: int) -> None:
        self.stream, self.left = stream, left

    async def _check(self) -> None:
        if self.left <= 0:
            await self.stream.aclose()
            raise trio.BrokenResourceError("cut")

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await self._check()
        piece = await self.stream.receive_some(min(max_bytes or 65536, self.left))
        self.left -= len(piece)
        return bytes(piece)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._check()
        with memoryview(data) as view:
            await self.stream.send_all(bytes(view[: self.left]))
        self.left -= len(data)
        if self.left < 0:
            await self._check()

    async def wait_send_all_might_not_block(self) -> None:
        await self.stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self.stream.aclose()


class Line:
    """Opens connections to a server, of which some break after so many bytes, in order."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.cuts: list[int] = []
        self.opened: list[Cut] = []

    async def open(self) -> trio.abc.Stream:
        left = self.cuts.pop(0) if self.cuts else 1 << 62
        self.opened.append(Cut(await self.server.open(), left))
        return self.opened[-1]

    def transport(self, *, compress: bool = False) -> BlobTransport:
        return BlobTransport(HttpClient(self.open, "localhost"), compress=compress)


class Place:
    """A server, the way to it, and a folder beside it."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder, self.server, self.line = folder, server, Line(server)

    async def have(self, data: bytes) -> Blob:
        """Let the server have a blob."""
        blob = await blob_of(data)
        await self.line.transport().upload(blob, data)
        self.line.opened.clear()
        return blob

    def file(self, data: bytes) -> Path:
        """Return a file that has these bytes."""
        path = self.folder / "source"
        path.write_bytes(data)
        return path

    def names(self) -> list[str]:
        """Return the files that are there, without the server's."""
        return sorted(path.name for path in self.folder.iterdir() if path.name != "server")


@asynccontextmanager
async def place(folder: Path) -> AsyncIterator[Place]:
    async with running(folder / "server") as server:
        yield Place(folder, server)


@pytest.fixture(params=["alone", "beside"])
def hashing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the hash be made by the thread that writes, and by another."""
    if request.param == "beside":
        monkeypatch.setattr(limits, "HASH_BESIDE_BYTES", 0)


# --- whole ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"a", DATA, TEXT], ids=["0", "1", "random", "text"])
@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("form", ["file", "bytes"])
async def test_up_and_down(
    tmp_path: Path, data: bytes, compress: bool, form: str, hashing: None
) -> None:
    async with place(tmp_path) as here:
        transport, blob = here.line.transport(compress=compress), await blob_of(data)
        source = here.file(data) if form == "file" else data
        assert await blob_of(source) == blob
        up: list[int] = []
        down: list[int] = []
        assert await transport.upload(blob, source, up.append)
        assert not await transport.upload(blob, source)
        await transport.download(f"/blobs/{blob.name}", blob, tmp_path / "back", down.append)
        assert (tmp_path / "back").read_bytes() == data
        assert up[-1] == len(data)
        assert sorted(up) == up
        assert down[-1:] == [len(data)][: len(data)]
        assert sorted(down) == down
        assert "back.part" not in here.names()
        assert len(here.line.opened) <= 3


async def test_what_pays_is_compressed(tmp_path: Path) -> None:
    sent = {}
    for compress in (False, True):
        async with place(tmp_path / str(compress)) as here:
            here.line.cuts = [1 << 40]
            transport, blob = here.line.transport(compress=compress), await blob_of(TEXT)
            (tmp_path / "text").write_bytes(TEXT)
            await transport.upload(blob, tmp_path / "text")
            await transport.download(f"/blobs/{blob.name}", blob, tmp_path / "back")
            sent[compress] = sum((1 << 62) - cut.left for cut in here.line.opened[1:])
            sent[compress] += (1 << 40) - here.line.opened[0].left
    assert sent[False] > 2 * len(TEXT)
    assert sent[True] < 20_000


def test_compression_is_for_other_computers() -> None:
    async def nowhere() -> trio.abc.Stream:
        raise AssertionError

    def compresses(host: str) -> bool:
        return BlobTransport(HttpClient(nowhere, host))._compress

    assert [compresses(host) for host in ("localhost:1", "127.0.0.1:8220", "[::1]:1")] == [
        False
    ] * 3
    assert [compresses(host) for host in ("10.0.0.1:1", "there:1", "[fe80::1]:1")] == [True] * 3


async def test_other_bytes_leave_no_file(tmp_path: Path, hashing: None) -> None:
    async with place(tmp_path) as here:
        transport, blob = here.line.transport(), await here.have(DATA)
        path = f"/blobs/{blob.name}"
        other = await blob_of(DATA[:-1])
        for wrong in (other, Blob(blob.digest, 7), Blob(other.digest, len(DATA))):
            with pytest.raises(BlobMismatch):
                await transport.download(path, wrong, tmp_path / "back")
        with pytest.raises(HttpError) as caught:
            await transport.download(f"/blobs/{other.name}", other, tmp_path / "back")
        assert caught.value.status == 404
        with pytest.raises(BlobMismatch, match="the server refuses"):
            await transport.upload(other, DATA)
        with pytest.raises(FileNotFoundError):
            await transport.upload(other, tmp_path / "nothing")
        assert here.names() == []
        assert os.listdir(here.server.folder / TEMPORARY) == []  # noqa: PTH208


async def test_a_blob_that_the_server_has_damaged(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        blob = await here.have(DATA)
    async with place(tmp_path) as here:
        path = here.server.blobs.path(blob.digest)
        assert path is not None
        path.write_bytes(DATA[:-1] + bytes([DATA[-1] ^ 1]))
        transport = here.line.transport()
        with pytest.raises(UnknownBlob, match="damaged"):
            await transport.download(f"/blobs/{blob.name}", blob, tmp_path / "back")
        assert here.server.blobs.path(blob.digest) is None
        assert await transport.upload(blob, DATA)
        await transport.download(f"/blobs/{blob.name}", blob, tmp_path / "back")


# --- cut ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("data", [DATA, TEXT], ids=["random", "text"])
async def test_a_hundred_cuts_in_one_call(
    tmp_path: Path, data: bytes, compress: bool, hashing: None
) -> None:
    async with place(tmp_path) as here:
        blob, chance = await blob_of(data), random.Random(2)
        here.line.cuts = [chance.randrange(10_000, 40_000) for _ in range(200)]
        await here.line.transport(compress=compress).upload(blob, here.file(data))
        cuts = 200 - len(here.line.cuts)
        assert cuts >= 100 or (compress and data is TEXT)
        here.line.cuts = [chance.randrange(1_000, 30_000) for _ in range(100)]
        transport = here.line.transport(compress=compress)
        await transport.download(f"/blobs/{blob.name}", blob, tmp_path / "back")
        assert here.line.cuts == [] or (compress and data is TEXT)
        assert (tmp_path / "back").read_bytes() == data


async def test_what_came_is_not_sent_again(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        blob = await here.have(DATA)
        here.line.cuts = [len(DATA) // 2] * 3
        transport = here.line.transport()
        await transport.download(f"/blobs/{blob.name}", blob, tmp_path / "back")
        assert len(here.line.opened) == 3
        moved = sum(len(DATA) // 2 - cut.left for cut in here.line.opened)
        assert len(DATA) < moved < len(DATA) + 6000


async def test_no_progress_is_the_callers(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        blob = await here.have(DATA)
        path, transport = f"/blobs/{blob.name}", here.line.transport()
        here.line.cuts = [100_000, 10, 10, 100_000, 10]
        for _ in range(2):
            with pytest.raises(ConnectionLost):
                await transport.download(path, blob, tmp_path / "back")
            before = (tmp_path / "back.part").stat().st_size
            assert before > 50_000
        assert here.line.cuts == [100_000, 10]
        with pytest.raises(ConnectionLost):
            await here.line.transport().download(path, blob, tmp_path / "back")
        assert (tmp_path / "back.part").stat().st_size > before + 50_000
        await here.line.transport().download(path, blob, tmp_path / "back")
        assert here.names() == ["back"]
        other = await blob_of(TEXT)
        here.line.cuts = [300, 300, 300, 300]
        with pytest.raises(ConnectionLost):
            await here.line.transport().upload(other, TEXT)


@pytest.mark.parametrize(
    "left", [b"", b"x" * 1000, DATA[:1000] + b"x", DATA + b"x", DATA, b"x" * len(DATA)]
)
async def test_whatever_an_earlier_call_left(tmp_path: Path, left: bytes) -> None:
    async with place(tmp_path) as here:
        blob = await here.have(DATA)
        (tmp_path / "back.part").write_bytes(left)
        await here.line.transport().download(f"/blobs/{blob.name}", blob, tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == DATA
        assert here.names() == ["back"]


@pytest.mark.parametrize("left", [b"x" * 1000, DATA[:1000], DATA])
async def test_whatever_an_earlier_upload_left(tmp_path: Path, left: bytes) -> None:
    folder = tmp_path / "server"
    (folder / TEMPORARY).mkdir(parents=True)
    blob = await blob_of(DATA)
    (folder / TEMPORARY / blob.name).write_bytes(left)
    async with place(tmp_path) as here:
        assert await here.line.transport().upload(blob, DATA)
        path = here.server.blobs.path(blob.digest)
        assert path is not None
        assert path.read_bytes() == DATA


async def test_a_cancelled_download_can_be_gone_on_with(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        blob = await here.have(DATA)
        transport, path = here.line.transport(), f"/blobs/{blob.name}"
        with trio.CancelScope() as scope:

            def told(size: int) -> None:
                if size > 1_000_000:
                    scope.cancel()

            await transport.download(path, blob, tmp_path / "back", told)
        assert scope.cancelled_caught
        before = (tmp_path / "back.part").stat().st_size
        assert 1_000_000 < before < len(DATA)
        sizes: list[int] = []
        await transport.download(path, blob, tmp_path / "back", sizes.append)
        assert sizes[0] > before
        assert (tmp_path / "back").read_bytes() == DATA


# --- servers that break the rules -----------------------------------------------------------------

LENGTH = b"Content-Length: %d\r\n" % len(DATA)


@pytest.mark.parametrize(
    ("head", "body", "error"),
    [
        (b"HTTP/1.1 200 OK\r\n" + LENGTH, DATA + b"more", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", DATA[:5], BlobMismatch),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3000001\r\n", DATA + b"x", BlobMismatch),
        (b"HTTP/1.1 200 OK\r\n", DATA, ProtocolError),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n" + LENGTH, DATA, ProtocolError),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\n" + LENGTH, DATA, BlobMismatch),
        (b"HTTP/1.1 206 OK\r\n" + LENGTH, DATA, BlobMismatch),
        (b"HTTP/1.1 206 OK\r\nContent-Range: bytes 1-2/3000000\r\n" + LENGTH, DATA, BlobMismatch),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n", b"oops", HttpError),
    ],
)
async def test_answers_that_are_wrong(
    tmp_path: Path, head: bytes, body: bytes, error: type[Exception] | None
) -> None:
    streams = [FakeStream(head + b"\r\n" + body, 1 << 16), FakeStream(b"", 1)]

    async def open_stream() -> trio.abc.Stream:
        return streams.pop(0)

    transport = BlobTransport(HttpClient(open_stream, "localhost"))
    blob = await blob_of(DATA)
    if error is None:
        await transport.download("/x", blob, tmp_path / "back")
        assert os.listdir(tmp_path) == ["back"]  # noqa: PTH208
        return
    with pytest.raises(error):
        await transport.download("/x", blob, tmp_path / "back")
    assert not (tmp_path / "back").exists()
    assert error is not BlobMismatch or os.listdir(tmp_path) == []  # noqa: PTH208


@pytest.mark.parametrize(
    ("status", "text", "error"),
    [
        (400, b'{"error":"blob_mismatch","text":"no"}', BlobMismatch),
        (400, b"the body was broken off, 7 bytes before its end", ConnectionLost),
        (408, b"the body comes at less than 1024 bytes a second", ConnectionLost),
        (400, b"a malformed header", HttpError),
        (413, b"too large", HttpError),
        (507, b"full", HttpError),
    ],
)
async def test_what_a_refusal_means(status: int, text: bytes, error: type[Exception]) -> None:
    head = b"HTTP/1.1 %d No\r\nContent-Length: %d\r\n\r\n" % (status, len(text))
    answers = [head + text] + 2 * [b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"]

    async def open_stream() -> trio.abc.Stream:
        return FakeStream(answers.pop(0), 999)

    transport = BlobTransport(HttpClient(open_stream, "localhost"))
    with pytest.raises(error) as caught:
        await transport.upload(await blob_of(b"something"), b"something")
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("offset", "left"), [(b"", b"something"), (b"Upload-Offset: 4\r\n", b"thing")]
)
async def test_who_lost_an_upload_asks_where_it_stands(offset: bytes, left: bytes) -> None:
    """Another connection has taken it over, or was there before."""
    end = b"Content-Length: 0\r\n\r\n"
    streams = [
        FakeStream(b"HTTP/1.1 409 No\r\nConnection: close\r\n" + end, 999),
        FakeStream(b"HTTP/1.1 404 No\r\nConnection: close\r\n" + offset + end, 999),
        FakeStream(b"HTTP/1.1 201 Yes\r\n" + end, 999),
    ]
    last = streams[-1]

    async def open_stream() -> trio.abc.Stream:
        return streams.pop(0)

    transport = BlobTransport(HttpClient(open_stream, "localhost"))
    assert await transport.upload(await blob_of(b"something"), b"something")
    assert bytes(last.sent).endswith(b"\r\n\r\n" + left)


async def test_a_server_without_ranges_that_cuts_is_left_to_the_caller(tmp_path: Path) -> None:
    opened = 0

    async def open_stream() -> trio.abc.Stream:
        nonlocal opened
        opened += 1
        head = b"HTTP/1.1 200 OK\r\n" + LENGTH + b"\r\n"
        return FakeStream(head + DATA[: 900_000 * (4 - opened)], 1 << 16)

    transport = BlobTransport(HttpClient(open_stream, "localhost"))
    with pytest.raises(ConnectionLost):
        await transport.download("/x", await blob_of(DATA), tmp_path / "back")
    assert opened == 2


async def test_a_server_that_names_another_place_again_and_again() -> None:
    async def open_stream() -> trio.abc.Stream:
        return FakeStream(b"HTTP/1.1 409 No\r\nUpload-Offset: 7\r\nContent-Length: 0\r\n\r\n", 999)

    transport = BlobTransport(HttpClient(open_stream, "localhost"))
    with trio.fail_after(10), pytest.raises(HttpError, match="again and again"):
        await transport.upload(await blob_of(b"something"), b"something")


async def test_a_server_that_says_nothing_is_given_up(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    kept = []

    async def open_stream() -> trio.abc.Stream:
        client, server = memory_stream_pair()
        kept.append(server)
        return client

    transport = BlobTransport(HttpClient(open_stream, "localhost"))
    begin = trio.current_time()
    with pytest.raises(ConnectionLost, match="nothing moves"):
        await transport.download("/x", Blob(bytes(32), 3), tmp_path / "back")
    with pytest.raises(ConnectionLost, match="nothing moves"):
        await transport.upload(Blob(bytes(32), len(DATA)), DATA)
    assert trio.current_time() - begin == pytest.approx(2 * limits.BLOB_IDLE_SECONDS, abs=1)


async def test_waiting_for_ones_turn_is_not_standing_still(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """Transfers take turns on a connection: one that waits is not given up."""
    async with place(tmp_path) as here:
        blob = await here.have(b"abc")
        client = HttpClient(here.line.open, "localhost")
        transport = BlobTransport(client)
        path = f"/blobs/{blob.name}"
        async with trio.open_nursery() as nursery, client.exchange("GET", path):
            nursery.start_soon(transport.download, path, blob, tmp_path / "back")
            await wait_all_tasks_blocked()
            await trio.sleep(3 * limits.BLOB_IDLE_SECONDS)
    assert (tmp_path / "back").read_bytes() == b"abc"
