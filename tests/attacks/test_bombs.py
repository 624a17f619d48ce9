"""Little that becomes much: bodies that unpack to more than they say, JSON that is deep or wide."""

from __future__ import annotations

import gzip
import hashlib
import sys
import tracemalloc
from pathlib import Path

import pytest

from dc import limits
from tests.attacks.victim import Answer, Victim, attacked

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MUCH = 200_000_000


async def put(victim: Victim, name: str, body: bytes, *headers: str) -> Answer:
    lines = [f"PUT /blobs/{name} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    text = "".join(f"{line}\r\n" for line in [*lines, *headers, ""])
    (answer,) = await victim.send(text.encode() + body)
    return answer


async def post(victim: Victim, body: bytes, *headers: str) -> Answer:
    kind = [] if any("Content-Type" in line for line in headers) else ["application/json"]
    lines = ["POST /api/jobs HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    lines += [f"Content-Type: {one}" for one in kind]
    text = "".join(f"{line}\r\n" for line in [*lines, *headers, ""])
    (answer,) = await victim.send(text.encode() + body)
    return answer


def bytes_in(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def zeros(size: int) -> bytes:
    """Return so many zeros, as zstd packs them: some kilobytes."""
    coder, piece = zstd.ZstdCompressor(level=3), bytes(1 << 20)
    return b"".join(coder.compress(piece) for _ in range(size >> 20)) + coder.flush()


async def test_a_blob_that_unpacks_to_more_than_it_says(tmp_path: Path) -> None:
    body = zeros(MUCH)
    assert len(body) < 100_000
    async with attacked(tmp_path) as victim:
        tracemalloc.start()
        try:
            answer = await put(
                victim, "0" * 64, body, "Content-Encoding: zstd", "Upload-Length: 1000"
            )
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert (answer.status, answer.code) == (400, "blob_mismatch")
        assert peak < 32 * limits.MIB
        assert bytes_in(tmp_path) < limits.MIB
        assert await victim.is_well()


async def test_a_blob_that_needs_a_window_of_gigabytes(tmp_path: Path) -> None:
    """The window is memory that is taken before the first byte comes out."""
    options: dict[int, int] = {zstd.CompressionParameter.window_log: 27}
    coder = zstd.ZstdCompressor(options=options)
    body = coder.compress(b"a" * 1000) + coder.flush()
    async with attacked(tmp_path) as victim:
        tracemalloc.start()
        try:
            await put(victim, "0" * 64, body, "Content-Encoding: zstd", "Upload-Length: 1000")
            assert tracemalloc.get_traced_memory()[1] < 64 * limits.MIB
        finally:
            tracemalloc.stop()
        assert await victim.is_well()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (["Content-Encoding: zstd"], 400),
        (["Content-Encoding: zstd", "Upload-Length: -1"], 400),
        (["Content-Encoding: zstd", "Upload-Length: 1e9"], 400),
        (["Content-Encoding: zstd", f"Upload-Length: {'9' * 30}"], 400),
        (["Content-Encoding: zstd", "Upload-Length: 999999999999999999"], 507),
        (["Content-Encoding: gzip"], 415),
        (["Content-Encoding: zstd, zstd", "Upload-Length: 5"], 415),
        (["Content-Encoding: br", "Upload-Length: 5"], 415),
    ],
)
async def test_a_blob_in_a_coding_that_is_not_taken(
    headers: list[str], status: int, tmp_path: Path
) -> None:
    async with attacked(tmp_path) as victim:
        answer = await put(victim, "0" * 64, zeros(1 << 20), *headers)
        assert answer.status == status
        assert await victim.is_well()


async def test_zstd_that_goes_on_behind_its_end(tmp_path: Path) -> None:
    one = zstd.compress(b"a" * 1000)
    name = hashlib.sha256(b"a" * 1000).hexdigest()
    async with attacked(tmp_path) as victim:
        for body in (one + one, one + b"x", one[:-1], b"", b"x" * 100):
            answer = await put(victim, name, body, "Content-Encoding: zstd", "Upload-Length: 1000")
            assert (answer.status, answer.code) == (400, "blob_mismatch"), body[:20]
        answer = await put(victim, name, one, "Content-Encoding: zstd", "Upload-Length: 1000")
        assert answer.status == 201


async def test_commands_are_not_unpacked(tmp_path: Path) -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    async with attacked(tmp_path) as victim:
        for coding in ("gzip", "zstd", "deflate", "br"):
            answer = await post(victim, bomb, f"Content-Encoding: {coding}")
            assert answer.status in (400, 415)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 400_000,
        b'{"a":' * 100_000,
        b'{"type": "double", "tasks": ' + b"[" * 400_000,
        b'{"type": "double", "options": {"name": ' + b"[" * 300_000,
        b'{"type": "' + b"a" * 400_000 + b'"}',
        b'{"type": "double", "tasks": [' + b"[]," * 150_000 + b"[]]}",
        b'{"type": "double", "options": {"priority": 1' + b"0" * 100_000 + b"}}",
        b'{"type": "double", "options": {"priority": 1e999999999}}',
        b'{"type": "double", "tasks": [{"x": 1' + b"0" * 100_000 + b"}]}",
        b'{"type": "double", "type": "copy"}' * 10_000,
        b'{"type": "\\ud800"}',
        b'\xef\xbb\xbf{"type": "double"}',
        b"\xff" * 1000,
        b"\0" * 1000,
    ],
    ids=lambda body: body[:40].decode("latin-1"),
)
async def test_json_that_is_deep_wide_or_none(body: bytes, tmp_path: Path) -> None:
    async with attacked(tmp_path) as victim:
        tracemalloc.start()
        try:
            answer = await post(victim, body)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert answer.status == 400
        assert len(answer.body) < 2000
        assert peak < 64 * limits.MIB
        assert await victim.is_well()


async def test_a_line_that_does_not_end(tmp_path: Path) -> None:
    async with attacked(tmp_path) as victim:
        body = b'{"type": "double"}\n"' + b"a" * 8_000_000
        tracemalloc.start()
        try:
            answer = await post(victim, body, "Content-Type: application/x-ndjson")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert answer.status in (400, 413)
        assert peak < 4 * len(body)  # two of them are the client's
        assert await victim.is_well()
