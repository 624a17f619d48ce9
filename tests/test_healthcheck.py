"""The health of a container: a server answers, a worker runs."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dc import healthcheck

NOBODY = Path("/not/there")


@contextmanager
def server(answer: bytes) -> Iterator[str]:
    """A server that answers one request with these bytes, and then closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join()


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0),
        (b"HTTP/1.1 308 Permanent Redirect\r\nLocation: https://x\r\nContent-Length: 0\r\n\r\n", 0),
        (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", 0),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", 1),
        (b"SSH-2.0-x\r\n", 1),
        (b"", 1),
    ],
)
def test_a_server_is_well_if_it_answers(answer: bytes, status: int) -> None:
    with server(answer) as url:
        assert healthcheck.main([url], NOBODY) == status


def test_a_server_that_says_nothing_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert "timed out" in healthcheck.trouble(f"http://127.0.0.1:{port}", 0.05)
    assert healthcheck.main([f"http://127.0.0.1:{port}"], NOBODY) == 1
    assert "no answer from" in capsys.readouterr().err
    assert healthcheck.main(["http://127.0.0.1:what"], NOBODY) == 1


def test_a_worker_is_well_if_it_runs(tmp_path: Path) -> None:
    first = tmp_path / "cmdline"
    first.write_bytes(b"/opt/dc/bin/python\0-m\0dc.worker\0https://server:8220\0")
    assert healthcheck.main([], first) == 0
    first.write_bytes(b"/opt/dc/bin/python\0-m\0dc.server\0--data\0/dc.workers\0")
    assert not healthcheck.is_worker(first)
    assert not healthcheck.is_worker(NOBODY)
