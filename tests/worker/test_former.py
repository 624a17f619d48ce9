"""Results of other jobs in an executor: what the server may answer, whole and broken off."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dc import limits, limits_client
from dc.cache import CacheFolder
from dc.errors import UnknownTask
from dc.messages_parts import Blob
from dc.plain_get import Answer
from dc.worker.executor_variables import CACHE_VARIABLE, SERVER_VARIABLE
from dc.worker.former import FORMER

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello"
DATA = bytes(range(256)) * 2000
DIGEST = hashlib.sha256(DATA)


class Script:
    """A server that gives one answer after the other, each on a connection of its own."""

    def __init__(self, answers: list[bytes]) -> None:
        self.asked: list[bytes] = []
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        for answer in self._answers:
            connection, _ = self._listener.accept()
            with connection:
                asked = b""
                while b"\r\n\r\n" not in asked:
                    asked += connection.recv(65536)
                self.asked.append(asked)
                connection.sendall(answer)

    def close(self) -> None:
        self._listener.close()
        self._thread.join()


@contextmanager
def serving(*answers: bytes) -> Iterator[Script]:
    script = Script(list(answers))
    try:
        yield script
    finally:
        script.close()


def beginning() -> bytes:
    """The answer to who asks for the first bytes of DATA."""
    span = f"Content-Range: bytes 0-{limits.INLINE_BYTES - 1}/{len(DATA)}"
    return answer(DATA[: limits.INLINE_BYTES], tag(), span, status="206 Partial Content")


def answer(data: bytes, *fields: str, status: str = "200 OK", size: int | None = None) -> bytes:
    length = f"Content-Length: {len(data) if size is None else size}"
    head = "\r\n".join([f"HTTP/1.1 {status}", length, *fields])
    return f"{head}\r\n\r\n".encode() + data


def tag() -> str:
    return f'ETag: "{DIGEST.hexdigest()}"'


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(limits_client, "FOLLOW_PAUSE_SECONDS", 0.0)
    folder = tmp_path / "cache"
    CacheFolder(folder, 10**9).close()
    monkeypatch.setenv(CACHE_VARIABLE, f"{10**9}:{folder}")
    return folder


def test_the_body_of_an_answer() -> None:
    with serving(OK) as server, Answer(server.address, "/x") as got:
        assert (got.status, got.size, got.digest, got.read(5)) == (200, 5, None, b"hello")
    assert server.asked[0].startswith(b"GET /x HTTP/1.1\r\n")


def test_what_is_broken_off_is_told_from_what_is_whole() -> None:
    with serving(*(OK[:size] for size in range(len(OK)))) as server:
        for _ in range(len(OK)):
            with pytest.raises(ConnectionError), Answer(server.address, "/x") as got:
                got.read(5)


def test_what_is_too_large_for_its_reader_is_not_read() -> None:
    with (
        serving(OK) as server,
        Answer(server.address, "/x") as got,
        pytest.raises(UnknownTask, match="more than 4 bytes"),
    ):
        got.read(4)


def test_a_small_result_is_a_file_where_one_is_wanted(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(answer(b"busy", status="503 Busy"), OK) as server:
        monkeypatch.setenv(SERVER_VARIABLE, server.address)
        assert FORMER.file(1, 2, tmp_path / "it").read_bytes() == b"hello"
    empty = answer(b"", "Content-Range: bytes */0", status="416 Range Not Satisfiable")
    with serving(empty) as server:
        monkeypatch.setenv(SERVER_VARIABLE, server.address)
        assert FORMER.file(1, 3, tmp_path / "nothing").read_bytes() == b""


def test_a_result_that_is_not_there_is_not(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(answer(b"no such task", status="404 Not Found")) as server:
        monkeypatch.setenv(SERVER_VARIABLE, server.address)
        with pytest.raises(UnknownTask, match="no such task"):
            FORMER.file(1, 2, tmp_path / "it")


def test_a_large_result_is_fetched_once_and_from_where_it_was_broken_off(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    partial = "206 Partial Content"
    with serving(
        beginning(),
        answer(DATA[:100_000], tag(), size=len(DATA)),
        beginning(),
        answer(DATA[100_000:], tag(), status=partial),
        beginning(),
    ) as server:
        monkeypatch.setenv(SERVER_VARIABLE, server.address)
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        first = FORMER.file(1, 2, tmp_path / "a" / "it")
        assert first.read_bytes() == DATA
        assert b"Range: bytes=100000-\r\n" in server.asked[3]
        second = FORMER.file(1, 2, tmp_path / "b" / "it")
        assert second.read_bytes() == DATA
        assert first.stat().st_ino == second.stat().st_ino, "one file for both"
    assert not list((cache / "incoming").iterdir())


def test_other_bytes_than_their_name_says_are_fetched_again(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = bytes(len(DATA))
    with serving(
        beginning(),
        answer(wrong, tag()),
        beginning(),
        answer(DATA, tag()),
    ) as server:
        monkeypatch.setenv(SERVER_VARIABLE, server.address)
        assert FORMER.file(1, 2, tmp_path / "it").read_bytes() == DATA


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such limit")
def test_nothing_is_left_where_a_file_cannot_be_written(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with serving(beginning(), answer(DATA, tag())) as server:
        monkeypatch.setenv(SERVER_VARIABLE, server.address)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        try:
            with pytest.raises(OSError, match="File too large"):
                FORMER.file(1, 2, tmp_path / "it")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not [one for one in (cache / "incoming").iterdir() if one.suffix != ".lock"]


def test_a_cache_on_another_disk_may_let_it_go_while_it_is_read(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    with serving(beginning(), answer(DATA, tag())) as server:
        monkeypatch.setenv(SERVER_VARIABLE, server.address)
        found = FORMER.file(1, 2, tmp_path / "it")
    assert len(CacheFolder(cache, 0).make_room(look=True)) == 1
    assert found == tmp_path / "it"
    assert found.read_bytes() == DATA
    assert not list(tmp_path.glob("*.part"))


def test_a_result_whose_name_is_not_said_gets_one(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(answer(DATA)) as server:
        monkeypatch.setenv(SERVER_VARIABLE, server.address)
        assert FORMER.file(1, 2, tmp_path / "it").read_bytes() == DATA
    blob = Blob(DIGEST.digest(), len(DATA))
    assert CacheFolder(cache, 10**9, own=tmp_path / "own").use(blob) is not None
