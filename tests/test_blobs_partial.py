"""Uploads that break off and are gone on with."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dc import limits_store as limits
from dc.blobs import TEMPORARY, BlobFolder
from dc.blobs_incoming import Sink
from dc.errors import BlobMismatch, ConnectionLost, StoreFull, WrongOffset

DATA = bytes(range(256)) * 4096  # 1 MiB
SIZE = len(DATA)
DIGEST = hashlib.sha256(DATA).digest()


class Bytes:
    """Gives bytes in pieces; then is cut off, or says no more, or ends."""

    def __init__(self, data: bytes, *, cut: bool = False, hang: bool = False) -> None:
        self.data, self.cut, self.hang = data, cut, hang
        self.given = trio.Event()

    async def move_to(self, sink: Sink) -> int:
        await trio.lowlevel.checkpoint()
        piece, self.data = self.data[:100_000], self.data[100_000:]
        if piece:
            sink(memoryview(piece))
            return len(piece)
        self.given.set()
        if self.cut:
            raise ConnectionLost("cut")
        if self.hang:
            await trio.sleep_forever()
        return 0


def temporary(folder: Path) -> list[str]:
    return [path.name for path in (folder / TEMPORARY).iterdir()]


def content(blobs: BlobFolder) -> bytes | None:
    path = blobs.path(DIGEST)
    return None if path is None else path.read_bytes()


async def cut(blobs: BlobFolder, start: int, stop: int) -> None:
    with pytest.raises(ConnectionLost):
        await blobs.receive(DIGEST, SIZE, Bytes(DATA[start:stop], cut=True), start)


@pytest.mark.parametrize("beside", [False, True])
async def test_cut_a_hundred_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: bool
) -> None:
    if beside:
        monkeypatch.setattr(limits, "HASH_BESIDE_BYTES", 0)
        monkeypatch.setattr(limits, "HASH_BYTES", 10_000)
    blobs, chance = BlobFolder(tmp_path), random.Random(1)
    for stop in sorted(chance.sample(range(1, SIZE), 100)):
        at = await blobs.offset(DIGEST) or 0
        await cut(blobs, at, stop)
        assert blobs.path(DIGEST) is None
        if not chance.randrange(10):
            blobs = BlobFolder(tmp_path)
    assert await blobs.offset(DIGEST) == stop
    assert await blobs.receive(DIGEST, SIZE, Bytes(DATA[stop:]), stop)
    assert content(blobs) == DATA
    assert temporary(tmp_path) == []
    assert await blobs.offset(DIGEST) is None


async def test_it_goes_on_only_where_it_stands(tmp_path: Path) -> None:
    blobs = BlobFolder(tmp_path)
    await cut(blobs, 0, 1000)
    for start in (1, 999, 1001, SIZE):
        with pytest.raises(WrongOffset) as caught:
            await blobs.receive(DIGEST, SIZE, Bytes(DATA[start:]), start)
        assert caught.value.offset == 1000
    with pytest.raises(WrongOffset) as caught:  # of another size
        await blobs.receive(DIGEST, 500, Bytes(b""), 500)
    assert caught.value.offset == 0
    assert await blobs.receive(DIGEST, SIZE, Bytes(DATA[1000:]), 1000)
    with pytest.raises(WrongOffset) as caught:
        await blobs.receive(hashlib.sha256(b"").digest(), 7, Bytes(b"a"), 6)
    assert caught.value.offset == 0


async def test_from_the_start_it_begins_anew(tmp_path: Path) -> None:
    blobs = BlobFolder(tmp_path)
    with pytest.raises(ConnectionLost):
        await blobs.receive(DIGEST, SIZE, Bytes(b"x" * 5000, cut=True))
    await cut(blobs, 0, 1000)
    assert await blobs.offset(DIGEST) == 1000
    assert await blobs.receive(DIGEST, SIZE, Bytes(DATA))
    assert content(blobs) == DATA


async def test_wrong_bytes_from_before_cost_a_beginning_anew(tmp_path: Path) -> None:
    blobs = BlobFolder(tmp_path)
    with pytest.raises(ConnectionLost):
        await blobs.receive(DIGEST, SIZE, Bytes(b"x" * 5000, cut=True))
    with pytest.raises(WrongOffset) as caught:
        await blobs.receive(DIGEST, SIZE, Bytes(DATA[5000:]), 5000)
    assert caught.value.offset == 0
    assert temporary(tmp_path) == []
    with pytest.raises(BlobMismatch):
        await blobs.receive(DIGEST, SIZE, Bytes(DATA[:-1] + b"x"))
    with pytest.raises(BlobMismatch):
        await blobs.receive(DIGEST, SIZE, Bytes(DATA + b"x"))
    assert temporary(tmp_path) == []
    assert blobs.path(DIGEST) is None


async def test_nothing_missing_any_more(tmp_path: Path) -> None:
    blobs = BlobFolder(tmp_path)
    await cut(blobs, 0, SIZE)
    blobs = BlobFolder(tmp_path)
    assert await blobs.offset(DIGEST) == SIZE
    assert await blobs.receive(DIGEST, SIZE, Bytes(b""), SIZE)
    assert content(blobs) == DATA


async def test_a_cut_before_the_first_byte_leaves_nothing(tmp_path: Path) -> None:
    blobs = BlobFolder(tmp_path)
    await cut(blobs, 0, 0)
    assert await blobs.offset(DIGEST) is None
    assert temporary(tmp_path) == []


async def test_a_cancelled_one_stays(tmp_path: Path) -> None:
    blobs, source = BlobFolder(tmp_path), Bytes(DATA[:1000], hang=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(blobs.receive, DIGEST, SIZE, source)
        await source.given.wait()
        nursery.cancel_scope.cancel()
    assert await blobs.offset(DIGEST) == 1000


# --- two at once ----------------------------------------------------------------------------------


async def test_of_two_writers_each_is_right(tmp_path: Path) -> None:
    blobs, new = BlobFolder(tmp_path), []

    async def receive() -> None:
        new.append(await blobs.receive(DIGEST, SIZE, Bytes(DATA)))

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(receive)
    assert sorted(new) == [False, False, False, True]
    assert content(blobs) == DATA
    assert temporary(tmp_path) == []


async def test_a_connection_that_brings_nothing_loses_its_upload(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    blobs, silent, lost = BlobFolder(tmp_path), Bytes(DATA[:1000], hang=True), []

    async def first() -> None:
        with pytest.raises(WrongOffset) as caught:
            await blobs.receive(DIGEST, SIZE, silent)
        lost.append(caught.value.offset)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(first)
        await silent.given.wait()
        assert await blobs.offset(DIGEST) == 1000
        assert lost == [None]
        assert await blobs.receive(DIGEST, SIZE, Bytes(DATA[1000:]), 1000)
    assert content(blobs) == DATA


class Slow(Bytes):
    """Gives a piece each tenth of a second."""

    async def move_to(self, sink: Sink) -> int:
        await trio.sleep(0.1)
        return await super().move_to(sink)


async def test_one_that_brings_something_keeps_it(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    blobs, data = BlobFolder(tmp_path), DATA * 8
    digest = hashlib.sha256(data).digest()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(blobs.receive, digest, len(data), Slow(data))
        await trio.sleep(0.25)
        assert await blobs.offset(digest) is None
        with pytest.raises(WrongOffset) as caught:
            await blobs.receive(digest, len(data), Bytes(data[1000:]), 1000)
        assert caught.value.offset is None
        assert temporary(tmp_path) == [digest.hex()]
    assert blobs.size(digest) == len(data)


async def test_one_that_has_brought_all_is_not_taken_from(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    blobs, source = BlobFolder(tmp_path), Bytes(DATA, hang=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(blobs.receive, DIGEST, SIZE, source)
        await source.given.wait()
        with trio.move_on_after(100) as scope:
            await blobs.offset(DIGEST)
        assert scope.cancelled_caught, "the other one has not ended"
        assert temporary(tmp_path) == [DIGEST.hex()]
        nursery.cancel_scope.cancel()
    assert await blobs.offset(DIGEST) == SIZE


async def test_one_that_waits_sees_it_come(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    blobs = BlobFolder(tmp_path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(blobs.receive, DIGEST, SIZE, Slow(DATA[:300_000]))
        await trio.sleep(0.25)
        nursery.cancel_scope.cancel()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(blobs.receive, DIGEST, SIZE, Slow(DATA[200_000:]), 200_000)
        await trio.sleep(0.25)
        assert not await blobs.receive(DIGEST, SIZE, Bytes(DATA[1000:]), 1000)
    assert content(blobs) == DATA


# --- bounds ---------------------------------------------------------------------------------------


async def test_old_ones_go(tmp_path: Path) -> None:
    blobs = BlobFolder(tmp_path)
    await cut(blobs, 0, 1000)
    [name] = temporary(tmp_path)
    os.utime(tmp_path / TEMPORARY / name, (1.0, 1.0))
    blobs = BlobFolder(tmp_path)
    other = b"something else"
    await blobs.receive(hashlib.sha256(other).digest(), len(other), Bytes(other))
    assert temporary(tmp_path) == []
    assert await blobs.offset(DIGEST) is None


async def test_the_oldest_go_when_there_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PARTIALS", 3)
    monkeypatch.setattr(limits, "PARTIAL_BYTES", 250)
    blobs = BlobFolder(tmp_path)
    digests = [hashlib.sha256(b"%d" % number).digest() for number in range(6)]
    for digest in digests[:4]:
        with pytest.raises(ConnectionLost):
            await blobs.receive(digest, 1000, Bytes(b"x" * 10, cut=True))
    with pytest.raises(ConnectionLost):
        await blobs.receive(digests[4], 1000, Bytes(b"x" * 240, cut=True))
    assert [await blobs.offset(digest) for digest in digests[:5]] == [None, 10, 10, 10, 240]
    with pytest.raises(ConnectionLost):
        await blobs.receive(digests[5], 1000, Bytes(b"x", cut=True))
    assert [await blobs.offset(digest) for digest in digests[1:]] == [None, None, 10, 240, 1]
    assert len(temporary(tmp_path)) == 3


async def test_they_take_no_more_of_the_disk_than_is_free_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = BlobFolder(tmp_path)
    for number in range(3):
        with pytest.raises(ConnectionLost):
            await blobs.receive(bytes([number] * 32), 1000, Bytes(b"x" * 100, cut=True))
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=150))
        await blobs.receive(DIGEST, SIZE, Bytes(DATA))
    assert [await blobs.offset(bytes([number] * 32)) for number in range(3)] == [None, 100, 100]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
async def test_a_full_disk_takes_them_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = BlobFolder(tmp_path)
    await cut(blobs, 0, 1000)
    real = Path.open
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda path, mode, **how: real(Path("/dev/full"), "wb", **how))
        with pytest.raises(StoreFull, match="is full: free some space"):
            await blobs.receive(hashlib.sha256(b"abc").digest(), 3, Bytes(b"abc"))
    assert temporary(tmp_path) == []
    assert await blobs.receive(DIGEST, SIZE, Bytes(DATA))


# --- all of it ------------------------------------------------------------------------------------

WORDS = [b"", b"a", b"abc" * 5, bytes(range(200))]


class Uploads(RuleBasedStateMachine):
    """Any parts of a few blobs, right and wrong, cut anywhere; the process killed in between."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="dc-uploads-"))
        self.blobs = BlobFolder(self.folder)
        self.there: set[bytes] = set()
        self.parts: dict[bytes, bytes] = {}

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @rule(
        word=st.sampled_from(WORDS),
        start=st.one_of(st.none(), st.integers(0, 20)),
        flip=st.booleans(),
        stop=st.one_of(st.none(), st.integers(0, 200)),
    )
    def send(self, word: bytes, start: int | None, flip: bool, stop: int | None) -> None:
        digest, size = hashlib.sha256(word).digest(), len(word)
        have = self.parts.get(digest, b"")
        start = len(have) if start is None else min(start, size)
        data = bytes(byte ^ flip for byte in word[start:])
        sent = data if stop is None else data[:stop]
        source = Bytes(sent, cut=stop is not None)

        async def receive() -> bool:
            return await self.blobs.receive(digest, size, source, start)

        whole = (have if start else b"") + sent
        if digest in self.there:
            assert not trio.run(receive)
        elif start and start != len(have):
            with pytest.raises(WrongOffset):
                trio.run(receive)
        elif stop is not None:
            with pytest.raises(ConnectionLost):
                trio.run(receive)
            self.parts[digest] = whole
        elif whole == word:
            assert trio.run(receive)
            self.there.add(digest)
            self.parts.pop(digest, None)
        else:
            with pytest.raises(WrongOffset if start else BlobMismatch):
                trio.run(receive)
            self.parts.pop(digest, None)

    @rule()
    def kill(self) -> None:
        self.blobs = BlobFolder(self.folder)

    @invariant()
    def what_is_there_is_right(self) -> None:
        names = {digest.hex(): part for digest, part in self.parts.items() if part}
        found = {path.name: path.read_bytes() for path in (self.folder / TEMPORARY).iterdir()}
        assert found == names
        for word in WORDS:
            path = self.blobs.path(hashlib.sha256(word).digest())
            assert (path is not None) == (hashlib.sha256(word).digest() in self.there)
            assert path is None or path.read_bytes() == word


TestUploads = Uploads.TestCase
TestUploads.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
