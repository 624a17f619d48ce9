"""The database and its write-ahead log as files, looked at before SQLite opens them.

Theory of operation
-------------------
SQLite takes a log that is not there, or whose first bytes are wrong, for an empty one, and throws
it away with all that was acknowledged but not yet copied. So the database says whether it needs its
log: `folder.log_needed` is 1 in the database file and 0 in the log behind it. Whoever copies the
whole log (this program, or any other that opens the database) thereby sets it to 0 in the file; a
file that says 1 without a log has lost it. It is brought about in three steps, the second of which
copies the log: write 1; copy; write 0.

A log that is whole at its head may be damaged further on. SQLite then takes what is before. That is
right for the last transaction, which may have been cut off by a power failure: it was never
acknowledged. But each commit is synced before the next begins: whole transactions behind the damage
say that acknowledged ones are in it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Final

from msgspec import Struct

from dc.errors import StoreDamaged, StoreError

MAGIC: Final = b"SQLite format 3\0"
"""The first bytes of a database."""

LOG_MAGIC: Final = (0x377F0682, 0x377F0683)
"""The first four bytes of a log; the last bit tells the order of bytes in its checksums."""

HEAD_BYTES: Final = 100
LOG_HEAD_BYTES: Final = 32
FRAME_HEAD_BYTES: Final = 24

APPLICATION_ID: Final = 0x64637631
"""Marks a database of dc ("dcv1"), as SQLite's `application_id`."""


class Head(Struct, frozen=True):
    """What the first page of a database file says: page size in bytes, pages, version, owner."""

    page_size: int
    pages: int
    version: int
    application: int


class Frame(Struct, frozen=True):
    """A page in the log. `commits`: it is the last of its transaction. `check`: its checksum."""

    page: int
    commits: bool
    head: bytes
    check: bytes


def log_of(path: Path) -> Path:
    """Return the log of a database."""
    return path.with_name(path.name + "-wal")


def damaged(path: Path, how: str) -> StoreDamaged:
    """Return the error that tells of a damaged database."""
    return StoreDamaged(
        f"{path} is damaged ({how}): restore it from a backup, or choose another --data"
    )


def read_head(path: Path) -> Head | None:
    """Return what the first page of a database file says, None if there is none or it is empty.

    Raises:
        StoreDamaged: it is not the first page of a database.
        OSError: it cannot be read.
    """
    if not path.exists() or path.stat().st_size == 0:
        return None
    with path.open("rb") as file:
        data = file.read(HEAD_BYTES)
    if len(data) < HEAD_BYTES or not data.startswith(MAGIC):
        raise damaged(path, "file is not a database")
    (page_size,) = struct.unpack_from(">H", data, 16)
    (pages,) = struct.unpack_from(">I", data, 28)
    version, _, application = struct.unpack_from(">III", data, 60)
    return Head(65536 if page_size == 1 else page_size, pages, version, application)


def is_whole(log: Path) -> bool:
    """Whether the log begins as one; SQLite takes any other for an empty one.

    Raises:
        OSError: it cannot be read.
    """
    if not log.exists():
        return False
    with log.open("rb") as file:
        data = file.read(LOG_HEAD_BYTES)
    if len(data) < LOG_HEAD_BYTES:
        return False
    (magic,) = struct.unpack_from(">I", data)
    return magic in LOG_MAGIC and _checksum(magic, data[:24], bytes(8)) == data[24:]


def _checksum(magic: int, data: bytes, before: bytes) -> bytes:
    """Return the log's checksum of the data, going on from the one before."""
    words = struct.unpack(f"{'><'[~magic & 1]}{len(data) // 4}I", data)
    one, two = struct.unpack(">2I", before)
    for first, second in zip(words[::2], words[1::2], strict=True):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return struct.pack(">2I", one, two)


class Frames:
    """The frames of a whole log: their heads alone, but for those that are checked.

    Raises:
        OSError: it cannot be read.
    """

    def __init__(self, file: FileIO) -> None:
        head = file.read(LOG_HEAD_BYTES)
        self._file = file
        self._magic, _, self._page_size = struct.unpack_from(">3I", head)
        self._salt = head[16:24]

    def behind(self, taken: int) -> Iterator[Frame | None]:
        """Yield the frames behind the first few, None for each that was left by an earlier log."""
        each = FRAME_HEAD_BYTES + self._page_size
        at = LOG_HEAD_BYTES + taken * each
        self._file.seek(at)
        while len(data := self._file.read(FRAME_HEAD_BYTES)) == FRAME_HEAD_BYTES:
            page, size = struct.unpack_from(">2I", data)
            own = data[8:16] == self._salt
            yield Frame(page, bool(size), data[:8], data[16:]) if own else None
            at += each
            self._file.seek(at)

    def follows(self, frame: Frame, before: Frame) -> bool:
        """Whether the frame just yielded was written behind that other one."""
        body = self._file.read(self._page_size)
        whole = len(body) == self._page_size
        return whole and _checksum(self._magic, frame.head + body, before.check) == frame.check


def check_length(path: Path, head: Head, *, with_log: bool) -> None:
    """Check that the database file is as long as it says, but for pages that are in its log.

    Raises:
        StoreDamaged: it has been cut off.
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    missing = set(range(size // head.page_size + 1, head.pages + 1))
    if missing and with_log:
        with log_of(path).open("rb", buffering=0) as file:
            missing -= {frame.page for frame in Frames(file).behind(0) if frame is not None}
    if missing:
        raise damaged(path, f"{size} bytes are left of {head.pages * head.page_size}")


def check_frames(path: Path, taken: int) -> None:
    """Check that nothing acknowledged is behind what SQLite has taken from the log.

    Args:
        path: the database.
        taken: frames that SQLite took.

    Raises:
        StoreDamaged: there are whole transactions behind them: the log was scribbled on.
        OSError: it cannot be read.
    """
    before: Frame | None = None
    with log_of(path).open("rb", buffering=0) as file:
        log = Frames(file)
        for frame in log.behind(taken):
            if frame is not None and before is not None and log.follows(frame, before):
                raise damaged(log_of(path), f"from its frame {taken + 1} on")
            before = frame if frame is not None and frame.commits else None


def set_aside(path: Path) -> Path | None:
    """Give what is there of a damaged log another name, so that SQLite does not remove it.

    Raises:
        StoreError: that name is taken.
        OSError: it cannot be renamed.
    """
    log = log_of(path)
    if not log.exists() or log.stat().st_size == 0:
        return None
    aside = log.with_name(log.name + ".lost")
    if aside.exists():
        raise StoreError(f"{aside} is there already: move it away first")
    return log.rename(aside)
