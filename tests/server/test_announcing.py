"""A server that lets itself be found: what it answers, and how often."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import msgspec
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from dc import mdns
from dc.discovery import Facts, Found, question, read_answer
from dc.server.announce_pace import AnnouncePace
from dc.server.announcing import announce, answer_all, open_sockets

FACTS = Facts("server", 8220, True, bytes(16), "0.1", "desk")
NONCE = b"12345678"


async def test_questions_are_answered_and_nothing_else() -> None:
    (here,) = await open_sockets("127.0.0.1", 0)
    address = here.getsockname()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer_all, here, FACTS, AnnouncePace())
        with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
            await sock.connect(address)
            for wrong in (b"", b"dc?1", question(NONCE)[:-1], question(NONCE) + b"x", b"y" * 256):
                await sock.send(wrong)
            await sock.send(question(NONCE))
            with trio.fail_after(30.0):
                assert read_answer(await sock.recv(1000), NONCE) == FACTS
        nursery.cancel_scope.cancel()


async def test_one_address_is_not_answered_without_end() -> None:
    (here,) = await open_sockets("127.0.0.1", 0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer_all, here, FACTS, AnnouncePace(per_address=2))
        with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
            await sock.connect(here.getsockname())
            for number in range(5):
                await sock.send(question(b"%08d" % number))
            for _ in range(2):
                await sock.recv(1000)
            with trio.move_on_after(0.3):
                pytest.fail(f"a third answer: {await sock.recv(1000)!r}")
        nursery.cancel_scope.cancel()


async def test_on_a_loopback_address_this_computer_alone_is_answered() -> None:
    for host, family in (("127.0.0.1", 4), ("localhost", 4), ("::1", 6)):
        for sock in await open_sockets(host, 0):
            with sock:
                name = sock.getsockname()[0]
                assert name == ("127.0.0.1" if family == 4 else "::1")
    for sock in await open_sockets("192.0.2.7", 0):
        with sock:
            assert sock.getsockname()[0] in ("0.0.0.0", "::")


async def test_a_port_that_cannot_be_had_is_said(caplog: pytest.LogCaptureFixture) -> None:
    (taken,) = await open_sockets("127.0.0.1", 0)
    with taken, trio.fail_after(30.0):
        facts = Facts("server", taken.getsockname()[1], True, bytes(16))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(announce, "127.0.0.1", facts, mdns=()))
            while "cannot be had" not in caplog.text:  # noqa: ASYNC110
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()


async def test_mdns_is_another_program(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    out = tmp_path / "out"
    program = tmp_path / "announce.py"
    program.write_text(
        f"import sys\nopen({str(out)!r}, 'w').write(sys.stdin.readline())\nsys.exit(3)\n"
    )
    with trio.fail_after(30.0):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(announce, "192.0.2.7", FACTS, [sys.executable, str(program)])
            while "mDNS has ended (status 3)" not in caplog.text:  # noqa: ASYNC110
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
    assert msgspec.json.decode(out.read_bytes(), type=Facts) == FACTS


def test_a_service_of_mdns_says_the_same() -> None:
    info = mdns.info_of(FACTS, ["192.0.2.7", "2001:db8::7"])
    assert mdns.found_of(info) == [Found("192.0.2.7", FACTS), Found("2001:db8::7", FACTS)]
    assert info.type == "_dc._tcp.local."
    assert not [one for one in mdns.own_addresses() if one.startswith(("127.", "::1", "fe80"))]
    assert mdns.main([]) == 2


# --- how often ------------------------------------------------------------------------------------


def test_by_address_and_in_all() -> None:
    pace = AnnouncePace(per_address=2, per_second=3, addresses=10)
    assert [pace.may("a", 0.0) for _ in range(3)] == [True, True, False]
    assert [pace.may("b", 0.5) for _ in range(2)] == [True, False]  # three in this second
    assert pace.may("b", 1.5)
    assert not pace.may("a", 59.0)
    assert pace.may("a", 60.0)
    assert pace.may("a", 10.0)  # a clock that was set back


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 3)), max_size=60))
def test_never_more_than_that(asked: list[tuple[str, float]]) -> None:
    pace = AnnouncePace(per_address=3, per_second=5, addresses=3)
    now, answered = 0.0, []
    for address, passed in asked:
        now += passed
        if pace.may(address, now):
            answered.append(now)
    for begin in answered:
        assert sum(begin <= at < begin + 0.999 for at in answered) <= 10  # of two seconds at most
