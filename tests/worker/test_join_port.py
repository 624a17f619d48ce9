"""A worker that joins, over HTTP, with a server in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from trio.abc import Stream
from trio.testing import MockClock, memory_stream_pair

from dc import limits_join
from dc.dial import Server
from dc.errors import (
    DcError,
    HttpError,
    InviteRefused,
    StartError,
    TooManyTries,
    UnknownKey,
    WrongServer,
)
from dc.http import Request, Response, Upgrade, serve
from dc.join_number import number
from dc.server.problems import problem_of
from dc.view_access import Join, Joined, Knock, KnockAnswer, Reveal
from dc.worker.join_port import JoinPort
from dc.worker.join_port import problem_of as problem_said
from dc.worker.joined_server import JoinedServer
from dc.worker.joined_servers import JoinedServers
from dc.worker.joining import Applicant
from dc.worker.terminal import Terminal, box
from dc.worker.way import Way

PIN = "ab" * 32
KEY = "cd" * 32
ME = Applicant(KEY, "worker", {"os": "linux"}, can_compare=True)
CODE = JoinedServer("", PIN[:32], ["192.0.2.7:8220"], secret="01" * 10)
UNKNOWN = JoinedServer("", PIN, ["192.0.2.7:8220"])
IN = JoinedServer("me", PIN, ["192.0.2.7:8220"], is_in=True)


def refusal(error: type[DcError], status: int) -> Response:
    return problem_of(error.code, status, "title", "detail")


class FakeServer:
    """Answers as it is told; what is asked is kept.

    Args:
        answers: to the requests, in their order; the last one stays.
    """

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, bytes]] = []

    async def answer(self, request: Request) -> Response | Upgrade:
        self.asked.append((request.method, request.target, await request.body(10_000)))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Response):
            return answer
        return Response(200, msgspec.json.encode(answer), "application/json")


class Person(Terminal):
    """Answers a question with what it was told."""

    def __init__(self, answer: str = "") -> None:
        self.answer = answer
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    async def ask(self, question: str) -> str:
        self.said.append(question)
        return self.answer


async def no_upgrade(upgrade: Upgrade, stream: Stream, behind: bytes) -> None:
    raise AssertionError("no upgrade was asked for")


@asynccontextmanager
async def reached(server: FakeServer, refuses: int = 0) -> AsyncIterator[Way]:
    """The way to a server, which cannot be reached at first."""
    left = [OSError("unreachable")] * refuses

    async with trio.open_nursery() as nursery:

        async def dial(_: Server) -> Stream:
            await trio.lowlevel.checkpoint()
            if left:
                raise left.pop()
            here, there = memory_stream_pair()
            nursery.start_soon(serve, there, server.answer, no_upgrade)
            return here

        yield Way([Server("192.0.2.7", 8220, True, bytes.fromhex(PIN))], dial)
        nursery.cancel_scope.cancel()


async def join(
    folder: Path, server: FakeServer, known: JoinedServer, person: Person, **options: Any
) -> JoinedServers:
    """Join it; return what is written down."""
    error: StartError | None = None
    async with reached(server, options.pop("refuses", 0)) as way:
        port = JoinPort(ME, known, way, lambda: PIN, JoinedServers(folder), person, **options)
        try:
            await port.run()
        except StartError as one:
            error = one
    if error is not None:
        raise error
    return JoinedServers(folder)


def joined(state: Any = "joined") -> Joined:
    return Joined(server="me", state=state, name="worker")


async def test_by_a_code(tmp_path: Path) -> None:
    server = FakeServer(joined())
    known = await join(tmp_path, server, CODE, Person())
    assert known.all == [IN]
    (asked,) = server.asked
    assert asked[:2] == ("POST", "/api/join")
    assert msgspec.json.decode(asked[2], type=Join) == Join(
        CODE.secret, KEY, "worker", {"os": "linux"}
    )


async def test_the_code_is_on_the_disk_when_it_is_sent(tmp_path: Path) -> None:
    noted = []

    class Looking(FakeServer):
        async def answer(self, request: Request) -> Response | Upgrade:
            noted.append(JoinedServers(tmp_path).all[0].secret)
            return await super().answer(request)

    await join(tmp_path, Looking(joined()), CODE, Person())
    assert noted == [CODE.secret]


async def test_it_waits_for_a_yes(
    tmp_path: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    server = FakeServer(joined("pending"), joined("pending"), joined())
    assert (await join(tmp_path, server, CODE, Person(), refuses=2)).all == [IN]
    assert [path for _, path, _ in server.asked] == ["/api/join", *[f"/api/join/keys/{KEY}"] * 2]
    assert "waiting for an operator to approve this worker at https://192.0.2.7" in caplog.text
    assert "cannot reach https://192.0.2.7:8220: " in caplog.text


async def test_a_code_that_is_refused(tmp_path: Path) -> None:
    server = FakeServer(refusal(InviteRefused, 403), refusal(UnknownKey, 404))
    with pytest.raises(StartError, match="does not take this join code") as error:
        await join(tmp_path, server, CODE, Person())
    assert CODE.secret not in str(error.value)
    assert JoinedServers(tmp_path).all == []


async def test_by_a_number(tmp_path: Path, autojump_clock: MockClock) -> None:
    person = Person("y")
    server = FakeServer(KnockAnswer("00" * 16), joined("pending"), joined("pending"), joined())
    known = await join(tmp_path, server, UNKNOWN, person, is_known=False)
    assert known.all == [IN]
    knock = msgspec.json.decode(server.asked[0][2], type=Knock)
    reveal = msgspec.json.decode(server.asked[1][2], type=Reveal)
    assert [path for _, path, _ in server.asked[:2]] == ["/api/join/knock", "/api/join/reveal"]
    assert knock.key == reveal.key == KEY
    digits = number(PIN, KEY, bytes.fromhex(reveal.nonce), bytes(16))
    assert box(digits, "https://192.0.2.7:8220/workers") == person.said[0]
    assert f"{digits[:3]} {digits[3:]}" in person.said[0]


@pytest.mark.parametrize("answer", ["", "n", "no", "what"])
async def test_a_person_says_no(tmp_path: Path, answer: str) -> None:
    server = FakeServer(KnockAnswer("00" * 16), joined("pending"))
    with pytest.raises(StartError, match="somebody may be in between"):
        await join(tmp_path, server, UNKNOWN, Person(answer), is_known=False)
    assert JoinedServers(tmp_path).all == []


async def test_where_the_network_is_trusted_nobody_is_asked(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    person = Person("n")
    server = FakeServer(KnockAnswer("00" * 16), joined("pending"), joined())
    known = await join(tmp_path, server, UNKNOWN, person, is_known=False, asks=False)
    assert known.all == [IN]
    assert len(person.said) == 1


async def test_too_much_asked_is_asked_again(tmp_path: Path, autojump_clock: MockClock) -> None:
    server = FakeServer(refusal(TooManyTries, 429), joined())
    assert (await join(tmp_path, server, CODE, Person())).all == [IN]


@pytest.mark.parametrize(
    "answer",
    [Response(200, b"{}", "application/json"), Response(200, b"<html>"), Response(500, b"x")],
)
async def test_an_answer_of_something_else_is_asked_again(
    tmp_path: Path, autojump_clock: MockClock, answer: Response
) -> None:
    assert (await join(tmp_path, FakeServer(answer, joined()), CODE, Person())).all == [IN]


async def test_a_server_that_does_not_answer(
    tmp_path: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Silent(FakeServer):
        async def answer(self, request: Request) -> Response | Upgrade:
            if not self.asked:
                self.asked.append(("", "", b""))
                await trio.sleep_forever()
            return await super().answer(request)

    assert (await join(tmp_path, Silent(joined()), CODE, Person())).all == [IN]
    assert f"for {limits_join.JOIN_SECONDS:g} s" in caplog.text


async def test_an_impostor(tmp_path: Path) -> None:
    async def dial(_: Server) -> Stream:
        raise WrongServer("it shows another key")

    way = Way([Server("h", 1, True, bytes(16))], dial)
    port = JoinPort(ME, CODE, way, lambda: "", JoinedServers(tmp_path), Person())
    with pytest.raises(StartError, match="another key"):
        await port.run()


def test_what_a_server_says_is_taken_apart() -> None:
    body = refusal(UnknownKey, 404).body
    assert isinstance(body, bytes)
    assert problem_said(HttpError(body.decode(), status=404)) == ("unknown_key", "detail")
    assert problem_said(HttpError("nginx", status=502)) == ("http", "502 nginx")


def test_a_terminal_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for stdin in (None, open_null()):
        monkeypatch.setattr("sys.stdin", stdin)
        assert not Terminal().is_there


def open_null() -> Any:
    reads: Callable[[], bool] = lambda: False  # noqa: E731
    return type("Null", (), {"isatty": staticmethod(reads)})()
