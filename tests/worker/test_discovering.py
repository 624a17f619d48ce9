"""A worker without an address finds servers that let themselves be found, over real sockets."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import trio

from dc import limits_join
from dc.discovery import Facts, Found, answer, question, read_question
from dc.worker.discovering import Discovery
from dc.worker.networks import Asked

HERE = [Asked("127.0.0.1")]


def facts(port: int) -> Facts:
    return Facts("server", port, True, bytes(16), "0.1", "desk")


@contextmanager
def answering() -> Iterator[tuple[trio.socket.SocketType, int]]:
    """A socket on this computer, and its port."""
    sock = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
    with sock:
        yield sock, 0


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for others for long, once one is found."""
    monkeypatch.setattr(limits_join, "DISCOVERY_SECONDS", 50.0)
    monkeypatch.setattr(limits_join, "DISCOVERY_QUIET_SECONDS", 0.05)


async def answer_one(sock: trio.socket.SocketType, port: int) -> None:
    """Answer in every wrong way, and then in the right one."""
    data, sender = await sock.recvfrom(1000)
    nonce = read_question(data)
    assert nonce is not None
    for wrong in (b"", b"dc!1", answer(bytes(8), facts(port)), question(nonce), b"x" * 300):
        await sock.sendto(wrong, sender)
    for _ in range(2):
        await sock.sendto(answer(nonce, facts(port)), sender)


async def test_a_server_that_answers_is_found(quick: None) -> None:
    with answering() as (sock, _):
        await sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer_one, sock, port)
            found = await Discovery(HERE, port, mdns=()).run()
    assert found == [Found("127.0.0.1", facts(port))]


async def test_where_nobody_answers_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_join, "DISCOVERY_SECONDS", 0.2)
    asked = [*HERE, Asked("203.0.113.255", "203.0.113.1"), Asked("ff02::1%9999999")]
    with answering() as (sock, _):  # bound, so that nobody else has the port
        await sock.bind(("127.0.0.1", 0))
        assert await Discovery(asked, sock.getsockname()[1], mdns=()).run() == []


async def test_what_the_other_program_says_counts(quick: None, tmp_path: Path) -> None:
    said = Found("192.0.2.7", facts(8220))
    lines = ["", "{", "x" * 9000, msgspec.json.encode(said).decode(), '{"host": 1}']
    program = tmp_path / "browse.py"
    program.write_text(
        f"import sys\nsys.stdout.write({chr(10).join(lines)!r} + chr(10))\n"
        "sys.stdout.flush()\nsys.stdin.read()\n"
    )
    assert await Discovery([], 1, [sys.executable, str(program)]).run() == [said]


@pytest.mark.parametrize("program", [["/nonexistent"], [sys.executable, "-c", "import nonsense"]])
async def test_without_the_other_program(
    monkeypatch: pytest.MonkeyPatch, program: list[str]
) -> None:
    monkeypatch.setattr(limits_join, "DISCOVERY_SECONDS", 0.5)
    assert await Discovery([], 1, program).run() == []
