"""The worker's journal: what was said is read back, whatever became of the file's end."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dc import limits_worker as limits
from dc.journal import ASIDE, HEAD, MAGIC, Journal, frame, read_journal
from dc.messages import Report
from dc.messages_parts import Blob, Failure
from dc.messages_worker import Done, Failed, Returned
from dc.pipe import FileResult, InFile

FILE = InFile("/somewhere/result", 70_000, b"d" * 32)


def done(sequence: int, size: int = 2) -> Done:
    numbers = list(range(size))
    return Done(sequence, 7, numbers, [1] * size, [0.5] * size, [b"x" * 64] * size)


def reports_in(path: Path) -> list[Report]:
    return [report for report, _ in read_journal(path).reports]


def some_journal(path: Path) -> tuple[list[Report], FileResult]:
    """Fill a journal with one entry of each kind."""
    reports: list[Report] = [
        done(1),
        Failed(2, 7, 9, 1, 0.1, Failure("error", "no", "trace")),
        Returned(3, 8, [1, 2], [1, 5]),
        Done(4, 8, [3], [1], [2.0], [Blob(b"d" * 32, 70_000)]),
    ]
    result = FileResult(9, 1, 2, 3.5, FILE)
    book = Journal(path)
    for report in reports:
        book.keep([report])
    book.record(1)
    book.keep_file(FileResult(9, 0, 1, 1.0, FILE))
    book.keep_file(result)
    book.forget_file((9, 0, 1))
    book.close()
    return reports[1:], result


def test_what_was_said_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    reports, result = some_journal(path)
    for _ in range(3):  # opening it again changes nothing
        found = read_journal(path)
        assert (found.recorded, found.damage, found.files) == (1, "", [result])
        assert [report for report, _ in found.reports] == reports
        Journal(path).close()


def test_there_is_no_journal_yet(tmp_path: Path) -> None:
    book = Journal(tmp_path / "journal")
    assert (book.contents.reports, book.contents.recorded, book.contents.damage) == ([], 0, "")
    book.close()
    assert read_journal(tmp_path / "journal").readable


def test_it_is_there_before_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    book = Journal(path)
    assert book.keep([done(1), done(2)]) == [
        msgspec.msgpack.encode(done(1)),
        msgspec.msgpack.encode(done(2)),
    ]
    assert reports_in(path) == [done(1), done(2)]
    book.record(1)
    assert reports_in(path) == [done(1), done(2)], "not worth a write of its own"
    book.keep([done(3)])
    assert reports_in(path) == [done(2), done(3)]
    book.record(2)
    book.settle()
    assert reports_in(path) == [done(3)]
    book.close()


def test_torn_at_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    some_journal(path)
    whole = path.read_bytes()
    seen: set[int] = set()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        book = Journal(path)
        found = book.contents
        sequences = [report.sequence for report, _ in found.reports]
        first = found.recorded + 1
        assert sequences == list(range(first, first + len(sequences)))
        seen.add(len(sequences))
        last = sequences[-1] if sequences else found.recorded
        book.keep([done(last + 1)])
        book.close()
        after = read_journal(path)
        assert after.damage == "", "the torn end is gone"
        assert [report.sequence for report, _ in after.reports] == [*sequences, last + 1]
        assert after.files == found.files
    assert seen == {0, 1, 2, 3, 4}


def test_every_byte_scribbled(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    reports, _ = some_journal(path)
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
        found = read_journal(path)
        assert found.damage
        assert found.readable == (at >= len(HEAD))
        got = [report for report, _ in found.reports]
        assert got in ([done(1), *reports][:count] for count in range(5)) or (
            got == reports[: len(got)]
        )


@given(st.binary(max_size=300))
def test_any_bytes_behind_the_head(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "journal"
        path.write_bytes(HEAD + frame(data) + data)
        book = Journal(path)
        book.keep([done(book.contents.recorded + len(book.contents.reports) + 1)])
        book.close()
        assert read_journal(path).damage == ""


def test_right_frames_that_make_no_sense(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    encode = msgspec.msgpack.encode
    for entry, text in (
        (done(5), "report 5 behind report 1"),
        (Done(2, 1, [1, 2], [1], [0.0], [b""]), "1 attempts for 2 numbers"),
        (FILE, "no entry"),
    ):
        path.write_bytes(HEAD + frame(encode(done(1))) + frame(encode(entry)))
        found = read_journal(path)
        assert text in found.damage
        assert [report for report, _ in found.reports] == [done(1)]


@pytest.mark.parametrize(
    "head",
    [MAGIC + (2).to_bytes(2, "big"), b"something else", b"dc"],
    ids=["newer", "other", "cut"],
)
def test_what_is_not_ours_is_set_aside(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "journal"
    path.write_bytes(head + b"content")
    book = Journal(path)
    assert book.contents.damage
    assert (tmp_path / f"journal{ASIDE}").read_bytes() == head + b"content"
    book.keep([done(1)])
    book.close()
    assert reports_in(path) == [done(1)]


def test_what_cannot_be_read_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.mkdir()
    book = Journal(path)
    assert "cannot be read" in book.contents.damage
    assert (tmp_path / f"journal{ASIDE}").is_dir()
    book.keep([done(1)])
    book.close()
    assert reports_in(path) == [done(1)]


# --- size -----------------------------------------------------------------------------------------


def test_it_is_emptied_when_all_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    book = Journal(path)
    sequence = 0
    while path.stat().st_size < limits.JOURNAL_SPARE_BYTES:
        sequence += 1
        book.keep([done(sequence, 20)])
    book.record(sequence)
    assert path.stat().st_size < 100
    book.close()
    assert read_journal(path).recorded == sequence, "numbers go on"


def test_it_stays_small_though_something_is_always_left(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    book = Journal(path)
    most = 0
    result = FileResult(9, 1, 2, 3.5, FILE)
    book.keep_file(result)
    for sequence in range(1, 600):
        book.keep([done(sequence, 1000)])
        book.record(sequence - 3)
        most = max(most, path.stat().st_size)
    book.close()
    assert 0.9 * limits.JOURNAL_BYTES < most < limits.JOURNAL_BYTES
    found = read_journal(path)
    assert [report.sequence for report, _ in found.reports] == [597, 598, 599]
    assert found.files == [result]


# --- a disk that fails ----------------------------------------------------------------------------


class FullDisk:
    """Lets so many bytes be written, then none."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 10**9
        self._write: Callable[[int, bytes], int] = os.write
        monkeypatch.setattr(os, "write", self.write)

    def write(self, file: int, data: bytes) -> int:
        if not self.left:
            raise OSError(errno.ENOSPC, "No space left on device")
        part = data[: self.left]
        self.left -= len(part)
        return self._write(file, part)


@pytest.mark.parametrize("room", [0, 1, 9, 100])
def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    path = tmp_path / "journal"
    disk = FullDisk(monkeypatch)
    book = Journal(path)
    book.keep([done(1)])
    disk.left = room
    book.keep([done(2), done(3)])
    assert "No space left" in book.failure
    assert reports_in(path) == [done(1)]
    book.mend()
    assert book.failure
    assert not (tmp_path / "journal.new").exists()
    book.record(2)
    book.keep_file(FileResult(9, 1, 2, 3.5, FILE))
    book.forget_file((9, 1, 2))
    book.keep([done(4)])
    assert reports_in(path) == [done(1)]
    disk.left = 10**9
    book.mend()
    assert not book.failure
    assert reports_in(path) == [done(3), done(4)]
    book.keep([done(5)])
    book.close()
    assert reports_in(path) == [done(3), done(4), done(5)]


def test_a_disk_that_is_full_from_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal"
    some_journal(path)
    disk = FullDisk(monkeypatch)
    disk.left = 0
    book = Journal(path)
    assert book.failure
    assert [report.sequence for report, _ in book.contents.reports] == [2, 3, 4]
    book.keep([done(5)])
    book.close()
    assert [report.sequence for report in reports_in(path)] == [2, 3, 4], "nothing is lost of it"


# --- against a model ------------------------------------------------------------------------------

steps = st.lists(
    st.one_of(
        st.tuples(st.just("keep"), st.integers(1, 4)),
        st.tuples(st.just("record"), st.integers(0, 3)),
        st.tuples(st.sampled_from(["file", "gone"]), st.integers(0, 3)),
        st.tuples(st.sampled_from(["kill", "close", "fail", "mend"]), st.just(0)),
    ),
    max_size=40,
)


@given(steps)
def test_round_trips(script: list[tuple[str, int]]) -> None:
    """Whatever is said, and however processes end: what is read is what a plain list holds."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "journal"
        book = Journal(path)
        kept: list[Report] = []
        files: dict[int, FileResult] = {}
        last = 0
        for what, count in script:
            if what == "keep":
                news = [done(last + 1 + at) for at in range(count)]
                last += count
                kept += news
                book.keep(news)
            elif what == "record":
                upto = min(last, (kept[0].sequence if kept else last) + count - 1)
                kept = [report for report in kept if report.sequence > upto]
                book.record(upto)
            elif what == "file":
                files[count] = FileResult(1, count, 1, float(last), FILE)
                book.keep_file(files[count])
            elif what == "gone":
                files.pop(count, None)
                book.forget_file((1, count, 1))
            elif what == "fail":
                book._fail(OSError(errno.EIO, "broken"))
            elif what == "mend":
                book.mend()
            elif what == "close" and not book.failure:
                book.close()
                book = Journal(path)
            elif what == "kill" and not book.failure:
                book.settle()
                book._close()
                book = Journal(path)
        book.mend()
        book.close()
        found = read_journal(path)
        assert [report for report, _ in found.reports] == kept
        assert {one.number: one for one in found.files} == files
        assert found.recorded == (kept[0].sequence - 1 if kept else last)
