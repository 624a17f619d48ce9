"""Downloads: checked, gone on with, and what to do is said when a file is gone."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from imagemaker import download
from imagemaker.errors import ImageError
from imagemaker.lock import Package

NOT_KEPT: dict[str, str] = {}
DATA = bytes(range(256)) * 40


FILES = ("/pool/a.deb", "/pool/busy.deb", "/pool/cut.deb", "/old/pool/gone.deb")


class Mirror(BaseHTTPRequestHandler):
    """Has one file, and goes on with it where it is asked to."""

    asked: list[str | None]

    def do_GET(self) -> None:
        type(self).asked.append(self.headers["Range"])
        if self.path == "/pool/busy.deb" and len(self.asked) < 3:
            self.send_error(503)
            return
        if self.path not in FILES:
            self.send_error(404)
            return
        begun = int((self.headers["Range"] or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        if begun >= len(DATA):
            self.send_error(416)
            return
        self.send_response(206 if begun else 200)
        self.send_header("Content-Length", str(len(DATA) - begun))
        self.end_headers()
        breaks_off = self.path == "/pool/cut.deb" and not begun
        self.wfile.write(DATA[begun : 5000 if breaks_off else None])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "PAUSES", (0.0, 0.0))


@pytest.fixture
def mirrors() -> Iterator[dict[str, str]]:
    Mirror.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield {"debian": f"http://127.0.0.1:{server.server_port}"}
        server.shutdown()
        thread.join()


def package(path: str = "pool/a.deb", data: bytes = DATA) -> Package:
    digest = hashlib.sha256(data).hexdigest()
    return Package("a", "1", "debian", path, len(data), digest, ("root",))


def test_a_file_is_downloaded_once(mirrors: dict[str, str], tmp_path: Path) -> None:
    assert download.fetch([package()], mirrors, tmp_path, NOT_KEPT) == len(DATA)
    assert (tmp_path / "a.deb").read_bytes() == DATA
    assert download.fetch([package()], mirrors, tmp_path, NOT_KEPT) == 0
    assert Mirror.asked == [None]


@pytest.mark.parametrize("begun", [1, 5000, len(DATA)])
def test_what_was_begun_is_gone_on_with(
    mirrors: dict[str, str], tmp_path: Path, begun: int
) -> None:
    (tmp_path / "a.deb.part").write_bytes(DATA[:begun])
    download.fetch([package()], mirrors, tmp_path, NOT_KEPT)
    assert (tmp_path / "a.deb").read_bytes() == DATA
    assert Mirror.asked == [f"bytes={begun}-"]


def test_what_breaks_off_is_gone_on_with_at_once(mirrors: dict[str, str], tmp_path: Path) -> None:
    download.fetch([package("pool/cut.deb")], mirrors, tmp_path, NOT_KEPT)
    assert (tmp_path / "cut.deb").read_bytes() == DATA
    assert Mirror.asked == [None, "bytes=5000-"]


def test_a_mirror_that_is_busy_is_asked_again(mirrors: dict[str, str], tmp_path: Path) -> None:
    download.fetch([package("pool/busy.deb")], mirrors, tmp_path, NOT_KEPT)
    assert (tmp_path / "busy.deb").read_bytes() == DATA
    assert len(Mirror.asked) == 3


def test_what_breaks_off_for_long_is_kept(
    mirrors: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "PAUSES", ())
    with pytest.raises(ImageError, match=r"ended early\. Run it again, it goes on"):
        download.fetch([package("pool/cut.deb")], mirrors, tmp_path, NOT_KEPT)
    download.fetch([package("pool/cut.deb")], mirrors, tmp_path, NOT_KEPT)
    assert (tmp_path / "cut.deb").read_bytes() == DATA
    assert Mirror.asked == [None, "bytes=5000-"]


def test_other_bytes_are_refused_and_not_gone_on_with(
    mirrors: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(ImageError, match="not the file that was locked"):
        download.fetch([package(data=DATA[:-1] + b"x")], mirrors, tmp_path, NOT_KEPT)
    assert list(tmp_path.iterdir()) == []


def test_a_version_that_is_gone_is_told_of(mirrors: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"^a 1 is not at .* any more: .*make os-lock` takes"):
        download.fetch([package("pool/gone.deb")], mirrors, tmp_path, NOT_KEPT)
    assert len(Mirror.asked) == 1  # that is not over in a moment


def test_a_version_that_is_gone_is_had_from_the_archives_old_state(
    mirrors: dict[str, str], tmp_path: Path
) -> None:
    old = {"debian": mirrors["debian"] + "/old"}
    download.fetch([package("pool/gone.deb"), package()], mirrors, tmp_path, old)
    assert (tmp_path / "gone.deb").read_bytes() == DATA
    assert (tmp_path / "a.deb").read_bytes() == DATA
    assert len(Mirror.asked) == 3


def test_what_is_in_no_old_state_either_is_told_of(mirrors: dict[str, str], tmp_path: Path) -> None:
    old = {"debian": mirrors["debian"] + "/older"}
    with pytest.raises(ImageError, match=r"not at .*/pool/gone.* as well: .*/older/pool/gone"):
        download.fetch([package("pool/gone.deb")], mirrors, tmp_path, old)
    assert list(tmp_path.iterdir()) == []


def test_a_mirror_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"127\.0\.0\.1:1/.* Is the network there\?"):
        download.fetch([package()], {"debian": "http://127.0.0.1:1"}, tmp_path, NOT_KEPT)
