"""Payloads and inputs that are files, streams and references, in both clients."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

import dc
from dc import messages_client
from dc.http_blobs import blob_of
from dc.messages_parts import Blob
from tests.client.fake_server import PlainFake
from tests.client.test_client import connected

BIG = bytes(range(256)) * 1000


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def large(count: int, folder: Path) -> list[Path]:
    paths = [folder / f"{number}.bin" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(BIG + bytes([number]))
    return paths


def test_each_kind_of_payload(tmp_path: Path, temporary: Path) -> None:
    [path] = large(1, tmp_path)
    small = tmp_path / "small"
    small.write_bytes(b"small")
    fake = PlainFake()
    with fake.client() as client, path.open("rb") as file:
        ref = client.put(path, name="first")
        given = [b"a", path, small, file, iter([BIG, b"i"]), iter([b"few"]), ref, bytearray(b"z")]
        job = client.submit("echo", given)
        found = [bytes(value) for value in job.results()]
    whole = path.read_bytes()
    assert found == [b"a", whole, b"small", whole, BIG + b"i", b"few", whole, b"z"]
    assert os.listdir(temporary) == []  # noqa: PTH208
    inline = [
        p for m in fake.server.of(messages_client.Payloads) for p in m.payloads if type(p) is bytes
    ]
    assert inline == [b"a", b"small", b"few", b"z"]


def test_what_a_generator_lends_is_read_before_it_takes_it_back(tmp_path: Path) -> None:
    paths = large(5, tmp_path)

    def lent() -> Iterator[Any]:
        for path in paths:
            with path.open("rb") as file:
                yield file
            path.unlink()
        yield (piece for piece in [BIG])

    with PlainFake().client() as client:
        found = [bytes(value) for value in client.map("echo", lent())]
    assert found == [*(BIG + bytes([number]) for number in range(5)), BIG]


def test_many_files_go_in_few_messages_and_a_reference_in_none(tmp_path: Path) -> None:
    paths = large(20, tmp_path)
    fake = PlainFake()
    with fake.client() as client:
        client.submit("echo", paths)
        sent = fake.server.of(messages_client.Payloads)
        assert len(sent) < 20
        assert all(isinstance(one, Blob) for message in sent for one in message.payloads)
        puts = len(fake.server.puts)
        ref = client.put(BIG)
        job = client.submit("echo", [ref] * 1000)
        assert len(fake.server.puts) == puts + 1
        assert all(handle.digest == ref.digest for handle in job.results())


async def test_payloads_under_trio(
    autojump_clock: trio.testing.MockClock, tmp_path: Path, temporary: Path
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield BIG
        await trio.sleep(1)
        yield b"end"

    async def payloads() -> AsyncIterator[Any]:
        yield pieces()
        yield iter([b"few"])
        yield paths[0]

    paths = large(3, tmp_path)
    async with connected() as (_, client):
        job = await client.submit("echo", [pieces(), *paths, b"last"])
        found = [value async for value in job.results(large="value")]
        assert found == [BIG + b"end", *(BIG + bytes([number]) for number in range(3)), b"last"]
        job = await client.submit("echo", payloads())
        found = [value async for value in job.results(large="value")]
        assert found == [BIG + b"end", b"few", BIG + b"\0"]
        assert await client.put(pieces()) == dc.BlobRef(
            hashlib.sha256(BIG + b"end").hexdigest(), len(BIG) + 3
        )
    assert os.listdir(temporary) == []  # noqa: PTH208


def test_inputs_are_put_and_named(tmp_path: Path) -> None:
    [path] = large(1, tmp_path)
    whole = path.read_bytes()
    fake = PlainFake()
    with fake.client() as client:
        ref = client.put(b"tiny")
        given = {"table": path, "tiny": ref, "more": b"bytes"}
        client.submit("square", [1], inputs=given, keep_output=True)
        options = fake.server.jobs[1].options
        assert options["keep_output"] is True
        sent = {name: (digest.hex(), size) for name, (_, digest, size) in options["inputs"].items()}
        assert sent == {
            name: (hashlib.sha256(data).hexdigest(), len(data))
            for name, data in {"table": whole, "tiny": b"tiny", "more": b"bytes"}.items()
        }
        assert fake.server.blobs[ref.digest] == b"tiny"  # however few the bytes are
        for wrong in ([path], {"x" * 1000: b""}, {5: b""}, {str(n): b"" for n in range(65)}):
            with pytest.raises(dc.OptionsError, match="input"):
                client.submit("square", [1], inputs=wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="expected bytes, a Path"):
            client.submit("square", [1], inputs={"table": 5})
        assert len(fake.server.jobs) == 1
        with client.open("square", inputs={"table": path}) as job:
            assert job.submit(3).result(10) == 9
        assert list(fake.server.jobs[2].options["inputs"]) == ["table"]


async def test_inputs_under_trio(autojump_clock: trio.testing.MockClock, tmp_path: Path) -> None:
    paths = large(1, tmp_path)
    async with connected() as (server, client):
        await client.submit("square", [1], inputs={"table": paths[0]})
        assert list(server.jobs[1].options["inputs"]) == ["table"]
        assert list(server.blobs.values()) == [BIG + b"\0"]


# --- what goes wrong ------------------------------------------------------------------------------


def failing() -> Iterator[bytes]:
    yield BIG
    raise ValueError("no more")


def test_what_cannot_be_read_ends_the_job_with_its_number(tmp_path: Path, temporary: Path) -> None:
    fake = PlainFake()
    with fake.client() as client:
        for wrong, said in [
            (failing(), "payload 1: an iterator raised ValueError: no more"),
            (tmp_path / "gone", r"payload 1: .*gone: No such file or directory"),
            (iter(["text"]), "payload 1: an iterator gave str in place of bytes"),
            ({"a": 1}, "payload 1: expected bytes, a Path"),
        ]:
            with pytest.raises(dc.PayloadError, match=said):
                client.submit("echo", [b"first", wrong])
        assert all(job.cancelled for job in fake.server.jobs.values())
        with pytest.raises(dc.PayloadError, match="an iterator raised ValueError: no more"):
            client.put(failing())
        with pytest.raises(FileNotFoundError):
            client.put(tmp_path / "gone")
    assert os.listdir(temporary) == []  # noqa: PTH208


@pytest.mark.parametrize("how", ["changed", "grown", "cut", "removed"])
def test_a_file_that_is_not_what_it_was(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [path] = large(1, tmp_path)
    other = {"changed": b"x" * (len(BIG) + 1), "grown": BIG + b"xx", "cut": BIG[:70_000]}

    async def then_change(source: Path | bytes) -> Blob:
        blob = await blob_of(source)
        assert isinstance(source, Path)
        if how == "removed":
            await trio.Path(source).unlink()
        else:
            await trio.Path(source).write_bytes(other[how])
        return blob

    monkeypatch.setattr("dc.client.transfers.blob_of", then_change)
    fake = PlainFake()
    with fake.client() as client:
        with pytest.raises(dc.PayloadError, match=r"payload 0: .* was changed or removed while"):
            client.submit("echo", [path])
        assert fake.server.blobs == {}


def test_a_job_that_fails_leaves_no_temporary_file(temporary: Path) -> None:
    fake = PlainFake()
    with fake.client() as client:
        fake.server.types["echo"].payload = "msgpack"  # the server's type is another one
        client.submit("square", [1])
        with pytest.raises(dc.PayloadError):
            client.submit(echo, [iter([BIG]), iter([BIG, BIG]), b"x"])
    assert os.listdir(temporary) == []  # noqa: PTH208


@dc.task_type
def echo(data: bytes) -> bytes:
    return data


def test_transfers_are_seen_while_they_go(tmp_path: Path) -> None:
    seen: list[tuple[str, int, bool]] = []
    fake = PlainFake()
    with fake.client() as client:
        handle = fake.server.handle

        async def watched(request: Any) -> Any:
            if request.method == "PUT":
                seen.extend((one.name, one.size, one.upwards) for one in client.transfers)
            return await handle(request)

        fake.server.handle = watched  # type: ignore[method-assign]
        client.put(large(1, tmp_path)[0])
        client.put(BIG, name="a table")
        assert client.transfers == []
    assert seen == [("0.bin", len(BIG) + 1, True), ("a table", len(BIG), True)]


def test_files_of_an_open_job_are_sent_at_once_and_fail_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PlainFake().client() as client, client.open("echo") as job:
        futures = []
        for path in large(40, tmp_path):
            futures.append(job.submit(path))
            path.unlink()

        async def gone(source: Path | bytes) -> Blob:
            await trio.Path(str(source)).unlink()
            raise FileNotFoundError(2, "No such file or directory", str(source))

        with monkeypatch.context() as patched:
            patched.setattr("dc.client.transfers.blob_of", gone)
            with pytest.raises(dc.PayloadError, match="was changed or removed"):
                job.submit(large(1, tmp_path)[0])
        futures.append(job.submit(b"after"))
        assert [bytes(future.result(10))[-1] for future in futures] == [*range(40), ord("r")]
