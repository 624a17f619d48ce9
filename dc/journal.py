"""A worker's journal: what it has to report and its server has not recorded, in a file.

Theory of operation
-------------------
The file is a head, which names the version, and frames: the length of an entry and its CRC-32, four
bytes each, then the entry in MessagePack. An entry is a report, exactly as it goes over the wire; a
`Recorded`, which ends the reports up to it; a `FileResult`, a large result that is in a file and
not at the server yet; or a `Gone`, which ends one of those.

Entries are appended, all of one call in one write, and not synced: what was written outlives the
process, however it ends. A power cut may cost the last seconds; their tasks are run again. That
reports were recorded is written with the next ones, or by `settle`: without it they are sent again,
and the server knows that it has them.

Entries that are still needed are in memory, too. So one way of writing the file anew, from there
and beside the old one, serves for all: to drop what is over, once that is most of the file; to cut
off a torn end, when the file is opened; and to go on after a failed write. While writing fails
nothing but the file is missing: `failure` says why, and `mend` tries again.

Reading ends at the first frame that is not whole and right; what was before it counts.
"""

from __future__ import annotations

import os
import zlib
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from msgspec import Struct

from dc import limits_worker as limits
from dc.errors import ProtocolError
from dc.messages import Report, check_columns
from dc.messages_parts import Message
from dc.messages_worker import Done, Failed, Recorded, Returned
from dc.pipe import FileResult

VERSION: Final = 1
MAGIC: Final = b"dc-journal"
HEAD: Final = MAGIC + VERSION.to_bytes(2, "big")
FRAME_HEAD_BYTES: Final = 8
ASIDE: Final = ".aside"
"""Ends the name of a file that is no journal of this version, and was set aside."""

Key = tuple[int, int, int]


class Gone(Message, frozen=True):
    """A result in a file that is needed no more: it was reported, or nobody wants it."""

    job: int
    number: int
    attempt: int


class Contents(Struct):
    """What a journal holds.

    Attributes:
        reports: those not recorded, in the order of their sequences, each with its bytes.
        files: large results that are not at the server.
        recorded: the sequence up to which all was recorded.
        damage: why the rest of the file does not count; empty if all of it does.
        readable: whether the file is there and is a journal of this version.
    """

    reports: list[tuple[Report, int]] = []
    files: list[FileResult] = []
    recorded: int = 0
    damage: str = ""
    readable: bool = True


# --- reading --------------------------------------------------------------------------------------


class _Reader:
    """Reads entries and keeps what is needed of them."""

    def __init__(self) -> None:
        self.recorded = 0
        self.reports: deque[tuple[Report, int]] = deque()
        self.files: dict[Key, FileResult] = {}
        self._decoder = msgspec.msgpack.Decoder(
            Done | Failed | Returned | Recorded | FileResult | Gone
        )

    def take(self, data: bytes) -> None:
        """Take an entry.

        Raises:
            ProtocolError: it is none, or does not follow those before it.
        """
        try:
            entry = self._decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
            raise ProtocolError(f"no entry of a journal: {error}") from None
        match entry:
            case Done() | Failed() | Returned():
                self._take_report(entry, len(data))
            case Recorded():
                self.recorded = max(self.recorded, entry.sequence)
                while self.reports and self.reports[0][0].sequence <= self.recorded:
                    self.reports.popleft()
            case FileResult():
                self.files[entry.job, entry.number, entry.attempt] = entry
            case Gone():
                self.files.pop((entry.job, entry.number, entry.attempt), None)

    def _take_report(self, report: Report, size: int) -> None:
        if not isinstance(report, Failed):
            check_columns(report)
        last = self.reports[-1][0].sequence if self.reports else self.recorded
        if report.sequence != last + 1:
            raise ProtocolError(f"report {report.sequence} behind report {last}")
        self.reports.append((report, size))


def read_journal(path: Path) -> Contents:
    """Return what a journal holds, as far as it can be read. Changes nothing.

    Raises:
        OSError: the file is there and cannot be read.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return Contents()
    reader = _Reader()
    with file:
        damage = _not_ours(file.read(len(HEAD)))
        readable = not damage
        if readable:
            damage = _read_entries(file, reader)
    files = list(reader.files.values())
    return Contents(list(reader.reports), files, reader.recorded, damage, readable)


def _not_ours(head: bytes) -> str:
    """Return why a file with this head is no journal that can be read, or nothing."""
    if len(head) < len(HEAD) or head[: len(MAGIC)] != MAGIC:
        return "it is no journal" if head else ""
    version = int.from_bytes(head[len(MAGIC) :], "big")
    return "" if version == VERSION else f"it is of version {version}, this dc knows {VERSION}"


def _read_entries(file: BinaryIO, reader: _Reader) -> str:
    """Have all entries read; return why the reading ended early, or nothing."""
    end = os.fstat(file.fileno()).st_size
    while head := file.read(FRAME_HEAD_BYTES):
        at = file.tell() - len(head)
        size = int.from_bytes(head[:4], "big")
        if len(head) < FRAME_HEAD_BYTES or size > end - file.tell():
            return f"it is cut off at byte {at}"
        data = file.read(size)
        if zlib.crc32(data) != int.from_bytes(head[4:], "big"):
            return f"its bytes from {at} on are not what was written"
        try:
            reader.take(data)
        except ProtocolError as error:
            return f"its bytes from {at} on make no sense: {error}"
    return ""


# --- writing --------------------------------------------------------------------------------------


def frame_head(data: bytes) -> bytes:
    """Return what stands before an entry's bytes."""
    return (len(data) << 32 | zlib.crc32(data)).to_bytes(FRAME_HEAD_BYTES, "big")


def frame(data: bytes) -> bytes:
    """Return an entry's bytes as a frame."""
    return frame_head(data) + data


class Journal:
    """A journal that is written to. No other process may use the file.

    Args:
        path: the file; it is made if it is not there, and set aside if it is not of this version.

    Attributes:
        contents: what it held when it was opened.
        failure: why the file cannot be written to at present; empty while it can.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failure = ""
        self._file = -1
        self._size = 0
        self._needed = 0  # bytes of the entries below
        self._marked = True  # whether the file says how far all was recorded
        self._reports: deque[tuple[int, bytes]] = deque()
        self._files: dict[Key, bytes] = {}
        self._encoder = msgspec.msgpack.Encoder()
        self._in_the_way = False  # whether a file is there that must not be written over
        self.contents = self._read()
        self._recorded = self.contents.recorded
        for report, _ in self.contents.reports:
            self._add_report(report)
        for result in self.contents.files:
            self._add_file(result)
        self._write_anew()

    def _read(self) -> Contents:
        try:
            contents = read_journal(self.path)
        except OSError as error:
            self._in_the_way = True
            return Contents(damage=f"it cannot be read: {error.strerror or error}")
        self._in_the_way = not contents.readable
        return contents

    # --- what is said ---------------------------------------------------------------------------

    def keep(self, reports: Sequence[Report]) -> list[bytes]:
        """Keep reports, whose sequences go on from the last one's; return each as encoded."""
        encoded = [self._add_report(report) for report in reports]
        pieces = [] if self._marked else [self._mark()]
        for data in encoded:
            pieces += frame_head(data), data
        self._marked = True
        self._append(b"".join(pieces))
        return encoded

    def record(self, sequence: int) -> None:
        """Forget the reports up to a sequence."""
        reports = self._reports
        if sequence <= self._recorded:
            return
        self._recorded = sequence
        while reports and reports[0][0] <= sequence:
            self._needed -= len(reports.popleft()[1])
        self._marked = False
        if not self._needed and self._size >= limits.JOURNAL_SPARE_BYTES:
            self._empty()

    def settle(self) -> None:
        """Write down how far all was recorded, if that has not been done."""
        if not self._marked:
            self._marked = True
            self._append(self._mark())

    def keep_file(self, result: FileResult) -> None:
        """Keep a large result that is in a file."""
        self._append(frame(self._add_file(result)))

    def forget_file(self, key: Key) -> None:
        """Forget such a result, by (job, number, attempt)."""
        gone = self._files.pop(key, None)
        if gone is not None:
            self._needed -= len(gone)
            self._append(frame(self._encoder.encode(Gone(*key))))

    def mend(self) -> None:
        """Try to write again, if that has failed."""
        if self.failure:
            self._write_anew()

    def close(self) -> None:
        """Close the file. What was said is in it, if `failure` is empty."""
        self.settle()
        self._close()

    # --- in memory ------------------------------------------------------------------------------

    def _add_report(self, report: Report) -> bytes:
        data = self._encoder.encode(report)
        self._reports.append((report.sequence, data))
        self._needed += len(data)
        return data

    def _add_file(self, result: FileResult) -> bytes:
        data = self._encoder.encode(result)
        self._files[result.job, result.number, result.attempt] = data
        self._needed += len(data)
        return data

    def _mark(self) -> bytes:
        return frame(self._encoder.encode(Recorded(self._recorded)))

    # --- in the file ----------------------------------------------------------------------------

    def _append(self, data: bytes) -> None:
        if self.failure:
            return
        try:
            _write_all(self._file, data)
        except OSError as error:
            self._fail(error)
            return
        self._size += len(data)
        if self._size >= limits.JOURNAL_BYTES and self._size >= 4 * self._needed:
            self._write_anew()

    def _empty(self) -> None:
        """Take everything out of the file but how far all was recorded."""
        if self.failure:
            return
        try:
            os.ftruncate(self._file, len(HEAD))
        except OSError as error:
            self._fail(error)
            return
        self._size = len(HEAD)
        self.settle()

    def _write_anew(self) -> None:
        """Write what is needed to a new file, and put it in the place of the old one."""
        new = self.path.with_name(self.path.name + ".new")
        entries = [*self._files.values(), *(data for _, data in self._reports)]
        data = b"".join([HEAD, self._mark(), *map(frame, entries)])
        try:
            if self._in_the_way:
                self.path.replace(self.path.with_name(self.path.name + ASIDE))
                self._in_the_way = False
            _write_file(new, data)
            self._close()  # some systems replace no open file
            new.replace(self.path)
            self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | _BINARY)
        except OSError as error:
            self._fail(error)
            with suppress(OSError):
                new.unlink(missing_ok=True)
            return
        self._size = len(data)
        self._marked = True
        self.failure = ""

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    def _fail(self, error: OSError) -> None:
        self.failure = f"{error.filename or self.path}: {error.strerror or error}"


_BINARY: Final = getattr(os, "O_BINARY", 0)


def _write_all(file: int, data: bytes) -> None:
    written = os.write(file, data)
    while written < len(data):  # a disk that is full takes a part, and refuses the rest
        written += os.write(file, data[written:])


def _write_file(path: Path, data: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, 0o600)
    try:
        _write_all(file, data)
    finally:
        os.close(file)
