"""A computer's cache of blobs: what stays, what goes, and what several processes do to it."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dc import limits_worker as limits
from dc.cache import CacheFolder, Entry
from dc.messages_parts import Blob

SIZE = 1000


def blob(number: int) -> tuple[Blob, bytes]:
    data = number.to_bytes(4, "big") * (SIZE // 4)
    return Blob(hashlib.sha256(data).digest(), SIZE), data


def put(cache: CacheFolder, number: int, *, keep: bool = False) -> Path:
    """Take a blob in; it is in use only if it is to be kept."""
    one, data = blob(number)
    file = cache.incoming(one.digest)
    file.write_bytes(data)
    path = cache.enter(one, file)
    if not keep:
        cache.let_go(one.digest)
    return path


def age(folder: Path, number: int, seconds: float) -> None:
    """Have a blob be used last so long ago."""
    name = blob(number)[0].name
    os.utime(folder / name[:2] / name[2:], (time.time() - seconds, limits.CACHED_TIME))


def there(cache: CacheFolder) -> set[bytes]:
    return {one.digest for one in cache.entries()}


def digests(*numbers: int) -> set[bytes]:
    return {blob(number)[0].digest for number in numbers}


def test_what_came_in_is_there_until_it_is_let_go_and_after(tmp_path: Path) -> None:
    cache = CacheFolder(tmp_path, 10 * SIZE)
    one, data = blob(1)
    assert cache.use(one) is None
    path = put(cache, 1, keep=True)
    assert path.read_bytes() == data
    assert cache.use(one) == path
    cache.let_go(one.digest)
    assert not path.exists()
    again = cache.use(one)
    assert again is not None
    assert again.read_bytes() == data
    cache.close()
    assert CacheFolder(tmp_path, 10 * SIZE).use(one) is not None, "it outlives its process"


def test_the_least_recently_used_leave_first(tmp_path: Path) -> None:
    cache = CacheFolder(tmp_path, 10 * SIZE)
    for number in range(10):
        put(cache, number)
        age(tmp_path, number, 1000.0 - number)
    assert cache.make_room() == []
    cache.use(blob(0)[0])
    cache.let_go(blob(0)[0].digest)
    put(cache, 10)
    assert set(cache.make_room()) == digests(1, 2), "it is left a bit below its size"
    assert there(cache) == digests(0, *range(3, 11))


def test_what_is_in_use_stays_however_old_and_large(tmp_path: Path) -> None:
    mine, other = CacheFolder(tmp_path, SIZE), CacheFolder(tmp_path, SIZE)
    paths = [put(mine, 0, keep=True), put(other, 1, keep=True)]
    for number in range(2, 6):
        put(mine, number)
    age(tmp_path, 0, 1000.0)
    age(tmp_path, 1, 1000.0)
    mine.make_room(look=True)
    assert there(mine) == digests(0, 1)
    assert all(path.exists() for path in paths)
    other.let_go(blob(1)[0].digest)
    mine.let_go(blob(0)[0].digest)
    mine.make_room(look=True)
    assert len(there(mine)) == 0


def test_what_is_in_use_does_not_count(tmp_path: Path) -> None:
    cache = CacheFolder(tmp_path, 3 * SIZE)
    for number in range(5):
        put(cache, number, keep=True)
    for number in range(5, 8):
        put(cache, number)
    assert cache.make_room(look=True) == []
    assert not cache.is_full
    cache.let_go(blob(0)[0].digest)
    assert cache.is_full
    assert len(cache.make_room()) == 2


def test_nobody_waits_while_room_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = CacheFolder(tmp_path, 0)
    put(cache, 1, keep=True)
    put(cache, 2)
    done: list[Path | None] = []
    entries = cache.entries

    def beside() -> None:
        put(cache, 3)
        done.append(cache.use(blob(1)[0]))

    def slow_entries() -> Iterator[Entry]:
        thread = threading.Thread(target=beside)
        thread.start()
        thread.join(10)
        assert done, "it was waited for"
        assert not cache.is_full, "it is being seen to"
        return entries()

    monkeypatch.setattr(cache, "entries", slow_entries)
    assert set(cache.make_room()) == digests(2, 3)


def test_room_is_made_for_what_the_disk_cannot_take(tmp_path: Path) -> None:
    cache = CacheFolder(tmp_path, 10 * SIZE)
    for number in range(5):
        put(cache, number)
        age(tmp_path, number, 1000.0 - number)
    assert set(cache.make_room(2 * SIZE)) == digests(0, 1)
    assert set(cache.make_room(100 * SIZE)) == digests(2, 3, 4)
    assert cache.make_room(SIZE) == []


@pytest.mark.parametrize("how", ["written", "cut", "removed", "own removed"])
def test_a_file_that_was_changed_is_not_used(tmp_path: Path, how: str) -> None:
    cache = CacheFolder(tmp_path, 10 * SIZE)
    one, data = blob(1)
    path = put(cache, 1, keep=True)
    place = tmp_path / one.name[:2] / one.name[2:]
    if how == "written":
        path.chmod(0o644)
        path.write_bytes(bytes(SIZE))
    elif how == "cut":
        path.chmod(0o644)
        os.truncate(path, SIZE - 1)
    elif how == "removed":
        place.unlink()
        path.unlink()
    else:
        path.unlink()
    found = cache.use(one)
    if how == "own removed":
        assert found is not None
        assert found.read_bytes() == data
    else:
        assert found is None
        assert not place.exists()
        assert put(cache, 1, keep=True).read_bytes() == data


def test_what_is_removed_while_it_is_used_stays_for_its_users(tmp_path: Path) -> None:
    cache = CacheFolder(tmp_path, 10 * SIZE)
    one, data = blob(1)
    path = put(cache, 1, keep=True)
    (tmp_path / one.name[:2] / one.name[2:]).unlink()
    assert cache.use(one) == path
    assert path.read_bytes() == data


def test_a_blob_is_fetched_by_one_at_a_time(tmp_path: Path) -> None:
    first, second = CacheFolder(tmp_path, SIZE), CacheFolder(tmp_path, SIZE)
    digest = blob(1)[0].digest
    lock = first.try_lock(digest)
    assert lock is not None
    assert second.try_lock(digest) is None
    assert second.try_lock(blob(2)[0].digest) is not None
    lock.release()
    assert second.try_lock(digest) is not None


@pytest.mark.skipif(sys.platform == "win32", reason="it has other locks")
def test_a_disk_without_locks_is_said_to_be_none_and_nobody_waits_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    cache = CacheFolder(tmp_path, SIZE)
    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(OSError, match="No locks"):
        cache.try_lock(bytes(32))
    with pytest.raises(OSError, match="No locks"):
        CacheFolder(tmp_path, SIZE)


def test_what_a_killed_process_used_is_free_again(tmp_path: Path) -> None:
    one, _ = blob(1)
    put(CacheFolder(tmp_path, 10 * SIZE), 1)
    program = f"""
import os, sys
from pathlib import Path
from dc.cache import CacheFolder
from dc.messages_parts import Blob
cache = CacheFolder(Path({str(tmp_path)!r}), 10000)
assert cache.use(Blob(bytes.fromhex({one.name!r}), {SIZE})) is not None
lock = cache.try_lock(bytes(32))
os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
    (entry,) = CacheFolder(tmp_path, 10 * SIZE).entries()
    assert not entry.in_use
    assert CacheFolder(tmp_path, 10 * SIZE).try_lock(bytes(32)) is not None


def test_what_nobody_goes_on_with_is_removed(tmp_path: Path) -> None:
    cache = CacheFolder(tmp_path, SIZE)
    parts = [cache.incoming(bytes(32)).with_suffix(".part"), cache.incoming(b"x" * 32)]
    others = [tmp_path / "incoming" / "photo.jpg", tmp_path / "in-use" / "notes" / "mine.txt"]
    others[1].parent.mkdir()
    for part in [*parts, *others]:
        part.write_bytes(b"beginning")
    cache.close()
    CacheFolder(tmp_path, SIZE).close()
    assert all(part.exists() for part in parts), "it may be gone on with"
    old = time.time() - limits.CACHE_STALE_SECONDS - 10
    for part in [*parts, *others]:
        os.utime(part, (old, old))
    CacheFolder(tmp_path, SIZE).close()
    assert not any(part.exists() for part in parts)
    assert all(other.exists() for other in others), "they are somebody else's"


def test_what_was_given_up_makes_room_while_the_process_runs(tmp_path: Path) -> None:
    cache = CacheFolder(tmp_path, SIZE)
    given_up, old, coming = (cache.incoming(bytes([at]) * 32) for at in range(3))
    parts = [one.with_suffix(".part") for one in (given_up, old, coming)]
    for part in parts:
        part.write_bytes(b"beginning")
    lock = cache.try_lock(b"\2" * 32)
    assert lock is not None
    long_ago = time.time() - limits.CACHE_STALE_SECONDS - 10
    for part in parts[1:]:
        os.utime(part, (long_ago, long_ago))
    cache.make_room(look=True)
    assert [part.exists() for part in parts] == [True, False, True], "somebody fetches the last"
    cache.make_room(SIZE)
    assert [part.exists() for part in parts] == [False, False, True]
    lock.release()
    assert list((tmp_path / "incoming").iterdir()) == [parts[2]]


def test_a_disk_without_hard_links_does_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    cache = CacheFolder(tmp_path, SIZE)
    path = put(cache, 1, keep=True)
    for number in (2, 3):
        put(cache, number)
    cache.make_room()
    assert path.exists()
    assert there(cache) == digests(1)
    cache.let_go(blob(1)[0].digest)
    assert path.exists()
    cache.make_room(SIZE)
    assert not path.exists()


def test_files_that_are_no_blobs_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "ab").mkdir()
    (tmp_path / "ab" / "notes.txt").write_text("mine")
    (tmp_path / "README").write_text("mine")
    cache = CacheFolder(tmp_path, 0)
    put(cache, 1)
    cache.make_room(look=True)
    assert there(cache) == set()
    assert (tmp_path / "ab" / "notes.txt").exists()
