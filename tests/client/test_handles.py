"""Large results and other blobs, as they are held by both clients."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio.testing

import dc
from dc import limits_client as limits
from tests.client.fake_server import FakeServer, FakeType, PlainFake, pack
from tests.client.test_client import connected

BIG = bytes(range(256)) * 1000
DIGEST = hashlib.sha256(BIG).hexdigest()


@pytest.fixture
def held() -> Iterator[tuple[FakeServer, dc.Client, dc.Handle]]:
    fake = PlainFake()
    with fake.client() as client:
        [small, handle] = client.submit("echo", [b"small", BIG]).results()
        assert small == b"small"
        yield fake.server, client, handle


Held = tuple[FakeServer, dc.Client, dc.Handle]


def test_a_handle_says_what_it_stands_for(held: Held) -> None:
    _, _, handle = held
    assert (handle.size, handle.digest) == (len(BIG), DIGEST)
    assert repr(handle) == "<result of task 1/1, 256,000 bytes>"
    assert handle.ref == dc.BlobRef(DIGEST, len(BIG))
    assert handle.read() == bytes(handle) == BIG


def test_nothing_is_fetched_before_it_is_wanted(held: Held) -> None:
    server, client, handle = held
    records = list(client.job(1).as_completed())
    assert isinstance(records[1].result, dc.Handle)
    assert server.gets == []
    handle.read()
    assert len(server.gets) == 1


def test_a_result_goes_on_to_the_next_job_without_being_moved(held: Held) -> None:
    server, client, handle = held
    puts = list(server.puts)
    [again] = client.submit("echo", [handle], inputs={"table": handle}).results()
    assert bytes(again) == BIG
    assert server.puts == puts
    assert server.gets == [f"bytes=0-{len(BIG) - 1}"]  # of `again`


def test_saving_is_whole_or_nothing(held: Held, tmp_path: Path) -> None:
    server, _, handle = held
    path = tmp_path / "result"
    path.write_bytes(b"what was there")
    server.spoiled = b"x" + BIG[1:]
    with pytest.raises(dc.DcError, match="SHA-256"):
        handle.save(path)
    assert os.listdir(tmp_path) == ["result"]  # noqa: PTH208
    assert path.read_bytes() == b"what was there"
    with pytest.raises(dc.DcError, match="other bytes"):
        handle.read()
    server.spoiled = b""
    assert handle.save(str(path)) == path
    assert path.read_bytes() == BIG
    assert os.listdir(tmp_path) == ["result"]  # noqa: PTH208


def test_saving_goes_on_with_what_is_there(held: Held, tmp_path: Path) -> None:
    server, _, handle = held
    (tmp_path / "result.part").write_bytes(BIG[:100_000])
    handle.save(tmp_path / "result")
    assert (tmp_path / "result").read_bytes() == BIG
    assert server.gets == ["bytes=100000-"]


def test_a_full_disk_and_a_folder_that_is_not_there(
    held: Held, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, handle = held
    with pytest.raises(FileNotFoundError):
        handle.save(tmp_path / "nowhere" / "result")
    monkeypatch.setattr("dc.client.transfers.BlobTransport", FullDisk)
    with pytest.raises(OSError, match="No space left"):
        handle.save(tmp_path / "result")
    assert os.listdir(tmp_path) == []  # noqa: PTH208


class FullDisk:
    """A transport whose disk has no room for the second half."""

    def __init__(self, http: object) -> None:
        pass

    async def download(self, path: str, blob: object, to: Path, told: object) -> None:
        to.with_name(f"{to.name}.part").write_bytes(BIG[:1000])
        raise OSError(28, "No space left on device", str(to))


def test_an_open_handle_is_a_file(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RANGE_BYTES", 10_000)
    server, _, handle = held
    with handle.open() as file:
        assert file.readable()
        assert file.seekable()
        assert file.read(3) == BIG[:3]
        assert server.gets == ["bytes=0-9999"]
        file.seek(-5, io.SEEK_END)
        assert file.tell() == len(BIG) - 5
        assert file.read() == BIG[-5:]
        assert file.read() == b""
        file.seek(20_000)
        assert file.read(20_000) == BIG[20_000:40_000]
        with pytest.raises(ValueError, match="there is no byte -1"):
            file.seek(-1)
    with pytest.raises(ValueError, match="closed"):
        file.read(1)
    with handle.open() as file:
        assert file.read() == BIG


def test_what_is_read_to_its_end_is_compared(held: Held) -> None:
    server, _, handle = held
    server.spoiled = BIG[:-1] + b"x"
    with handle.open() as file, pytest.raises(dc.DcError, match="other bytes"):
        file.read()


async def test_the_same_under_trio(
    autojump_clock: trio.testing.MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected() as (server, client):
        monkeypatch.setattr(limits, "RANGE_BYTES", 100_000)
        job = await client.submit("echo", [BIG])
        [handle] = [value async for value in job.results()]
        assert await handle.read() == BIG
        assert (await handle.save(tmp_path / "result")).read_bytes() == BIG
        async with handle.open() as reader:
            assert [len(piece) async for piece in reader] == [100_000, 100_000, 56_000]
            assert reader.seek(10) == reader.tell() == 10
            assert await reader.read(5) == BIG[10:15]
            assert await reader.read() == BIG[15:]
            assert await reader.read(1) == b""
        assert await (await job.result(0)).read() == BIG
        assert await (await client.blob(handle.ref)).read() == BIG
        server.spoiled = BIG[:-1] + b"x"
        with pytest.raises(dc.DcError, match="other bytes"):
            await handle.open().read()


async def test_it_is_read_on_after_cuts(
    autojump_clock: trio.testing.MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected() as (server, client):
        job = await client.submit("echo", [BIG])
        [handle] = [value async for value in job.results()]
        monkeypatch.setattr(limits, "RANGE_BYTES", 10_000)
        reader = handle.open()
        for number in range(26):
            await server.cut()
            assert await reader.read(10_000) == BIG[10_000 * number : 10_000 * (number + 1)]


def test_when_the_job_is_removed_it_says_so(held: Held, tmp_path: Path) -> None:
    server, _, handle = held
    server.jobs.clear()
    server.blobs.clear()
    for use in (handle.read, lambda: handle.save(tmp_path / "x"), lambda: handle.open().read()):
        with pytest.raises(dc.DcError, match="it is not here"):
            use()
    assert os.listdir(tmp_path) == []  # noqa: PTH208


def test_a_closed_client_reads_nothing(held: Held) -> None:
    _, client, handle = held
    client.__exit__()
    with pytest.raises(RuntimeError, match="not open"):
        handle.read()


def test_large_results_of_other_types_are_values() -> None:
    fake = PlainFake()
    fake.server.types["long"] = FakeType(lambda *_: blob_of(fake.server, pack([7] * 99_999)))
    with fake.client() as client:
        job = client.submit("long", [1])
        assert list(job.results()) == [[7] * 99_999]
        assert job.result(0).size == len(pack([7] * 99_999))


def test_what_is_very_large_comes_by_way_of_a_file(
    held: Held, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, handle = held
    monkeypatch.setattr(limits, "RANGE_BYTES", 1000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert handle.read() == BIG
    assert os.listdir(tmp_path) == []  # noqa: PTH208


def test_blobs_by_their_digest() -> None:
    with PlainFake().client() as client:
        ref = client.put(BIG)
        assert ref == dc.BlobRef(DIGEST, len(BIG))
        assert client.blob(ref).read() == client.blob(DIGEST).read() == BIG
        with pytest.raises(dc.DcError):
            client.blob("00" * 32)
        with pytest.raises(dc.PayloadError, match="no SHA-256"):
            client.blob("text")


def blob_of(server: FakeServer, data: bytes) -> Any:
    digest = hashlib.sha256(data)
    server.blobs[digest.hexdigest()] = data
    return dc.BlobRef(digest.hexdigest(), len(data)).blob
