"""Which server a worker goes to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import trio

from dc.dial import Server, read_url
from dc.discovery import Facts, Found
from dc.errors import StartError, WrongServer
from dc.invites import Invite
from dc.worker import looking
from dc.worker.finding import HERE, Finding, Goal, Where
from dc.worker.joined_server import JoinedServer
from dc.worker.joined_servers import JoinedServers
from dc.worker.terminal import Terminal

PIN = b"p" * 32
URL = "https://192.0.2.7:8220"
AT = Server("192.0.2.7", 8220, True)
FACTS = Facts("server", 8220, True, PIN[:16])
OTHER = Facts("other", 8220, True, b"o" * 16)
KNOWN = JoinedServer("server", PIN.hex(), ["192.0.2.7:8220", "192.0.2.8:8220"], is_in=True)


class Person(Terminal):
    def __init__(self, answer: str | None = None) -> None:
        self.answer = answer

    @property
    def is_there(self) -> bool:
        return self.answer is not None

    def say(self, text: str) -> None:
        raise AssertionError(text)

    async def ask(self, question: str) -> str:
        assert self.answer is not None
        return self.answer


class World:
    """What there is beside the worker.

    Args:
        folder: of the worker.
        found: what each look for servers finds; the last one stays.
        answer: of the person; None for nobody.
    """

    def __init__(
        self, folder: Path, found: Sequence[list[Found]] = ([],), answer: str | None = None
    ) -> None:
        self.found = list(found)
        self.pauses: list[float] = []
        self.known = JoinedServers(folder)
        self.finding = Finding(self.known, self.discover, Person(answer), self.pause)

    async def discover(self) -> list[Found]:
        await trio.lowlevel.checkpoint()
        return self.found.pop(0) if len(self.found) > 1 else self.found[0]

    async def pause(self, seconds: float) -> None:
        await trio.lowlevel.checkpoint()
        self.pauses.append(seconds)
        assert len(self.pauses) < 20


@pytest.fixture(autouse=True)
def nobody_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server is on this computer, whatever really is, and no pin is in the environment."""
    monkeypatch.delenv("DC_PIN", raising=False)
    monkeypatch.setattr(looking, "is_open", no)
    monkeypatch.setattr(looking, "is_vouched_for", no)


async def no(server: Server) -> bool:
    await trio.lowlevel.checkpoint()
    return False


async def yes(server: Server) -> bool:
    await trio.lowlevel.checkpoint()
    return True


async def pin(server: Server) -> bytes:
    await trio.lowlevel.checkpoint()
    return PIN


def pinned(server: Server, pin: bytes = PIN) -> Server:
    return Server(server.host, server.port, True, pin)


async def test_a_code_has_all(tmp_path: Path) -> None:
    invite = Invite(b"secret-ten", PIN[:16], [("192.0.2.7", 8220), ("::1", 1)])
    goal = await World(tmp_path).finding.find(Where(invite))
    servers = [Server("192.0.2.7", 8220, True, PIN[:16]), Server("::1", 1, True, PIN[:16])]
    code = JoinedServer("", PIN[:16].hex(), ["192.0.2.7:8220", "[::1]:1"], b"secret-ten".hex())
    assert goal == Goal(servers, code)


async def test_without_tls_nothing_is_joined(tmp_path: Path) -> None:
    goal = await World(tmp_path).finding.find(Where(url="127.0.0.1:1234"))
    assert goal == Goal([Server("127.0.0.1", 1234)])


async def test_an_address_of_a_server_that_was_joined(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.known.note(KNOWN)
    goal = await world.finding.find(Where(url="https://192.0.2.8:8220"))
    first = pinned(read_url("https://192.0.2.8:8220"))
    assert goal == Goal([first, pinned(AT)], KNOWN)


async def test_an_address_without_a_scheme_leaves_out_no_tls(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.known.note(KNOWN)
    for text in ("192.0.2.7", "192.0.2.7:8220"):
        goal = await world.finding.find(Where(url=text))
        assert (goal.servers[0], goal.joined) == (pinned(AT), KNOWN)
    plain = await world.finding.find(Where(url="http://192.0.2.7:8220"))
    assert plain == Goal([Server("192.0.2.7", 8220)]), "this was said"


async def test_a_new_address_of_a_server_that_was_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dc.worker.finding.shown_pin", pin)
    world = World(tmp_path)
    world.known.note(KNOWN)
    goal = await world.finding.find(Where(url="https://192.0.2.99:8220"))
    assert goal.joined == KNOWN
    assert goal.is_known
    assert goal.servers == [Server("192.0.2.99", 8220, True, PIN)]


async def test_an_address_of_which_nothing_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dc.worker.finding.shown_pin", pin)
    goal = await World(tmp_path).finding.find(Where(url=URL))
    assert goal == Goal([pinned(AT)], JoinedServer("", PIN.hex(), ["192.0.2.7:8220"]), False)
    monkeypatch.setattr(looking, "is_vouched_for", yes)
    goal = await World(tmp_path).finding.find(Where(url=URL))
    assert goal == Goal([AT], JoinedServer("", "", ["192.0.2.7:8220"]))
    monkeypatch.setenv("DC_PIN", PIN.hex())
    goal = await World(tmp_path).finding.find(Where(url=URL))
    assert goal == Goal([pinned(AT)], JoinedServer("", PIN.hex(), ["192.0.2.7:8220"]))


async def test_an_address_where_nobody_answers_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    left: list[Exception] = [OSError("refused"), WrongServer("odd"), trio.BrokenResourceError()]

    async def later(server: Server) -> bytes:
        await trio.lowlevel.checkpoint()
        if left:
            raise left.pop(0)
        return PIN

    monkeypatch.setattr("dc.worker.finding.shown_pin", later)
    world = World(tmp_path)
    assert (await world.finding.find(Where(url=URL))).servers == [pinned(AT)]
    assert world.pauses == sorted(world.pauses)
    assert len(world.pauses) == 3
    assert "cannot reach https://192.0.2.7:8220: refused" in caplog.text


async def test_without_an_address_it_is_the_server_joined_last(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.known.note(JoinedServer("x", "ab" * 32, ["h:1"], is_in=True))
    world.known.note(KNOWN)
    goal = await world.finding.find(Where())
    assert goal.joined == KNOWN
    assert goal.servers[0] == pinned(AT)


async def test_without_any_it_is_the_one_on_this_computer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "is_open", yes)
    assert await World(tmp_path).finding.find(Where()) == Goal([HERE])


async def test_the_only_one_that_is_found_is_to_be_compared(tmp_path: Path) -> None:
    world = World(tmp_path, [[], [], [Found("192.0.2.7", FACTS)]])
    goal = await world.finding.find(Where())
    joined = JoinedServer("", PIN[:16].hex(), ["192.0.2.7:8220"])
    assert goal == Goal([pinned(AT, PIN[:16])], joined, False)
    assert len(world.pauses) == 2


async def test_of_several_a_person_says_which(tmp_path: Path) -> None:
    both = [Found("192.0.2.7", FACTS), Found("192.0.2.9", OTHER)]
    goal = await World(tmp_path, [both], "2").finding.find(Where())
    assert goal.servers == [Server("192.0.2.9", 8220, True, b"o" * 16)]
    for answer in ("", "0", "3", "x", "\u0662"):
        with pytest.raises(StartError, match="none was chosen"):
            await World(tmp_path, [both], answer).finding.find(Where())
    with pytest.raises(StartError, match=r"found 2 servers:\n.*192\.0\.2\.7.*\n.*192\.0\.2\.9"):
        await World(tmp_path, [both]).finding.find(Where())


async def test_one_without_tls_on_this_computer_is_taken(tmp_path: Path) -> None:
    found = [Found("127.0.0.1", Facts("x", 1234, False)), Found("h", Facts("y", 1, False))]
    assert await World(tmp_path, [found]).finding.find(Where()) == Goal([Server("127.0.0.1", 1234)])


async def test_a_server_is_found_by_its_key(tmp_path: Path) -> None:
    found = [Found("192.0.2.9", OTHER), Found("192.0.2.7", FACTS), Found("::1", FACTS)]
    servers = await World(tmp_path, [found]).finding.with_pin(PIN)
    assert [one.host for one in servers] == ["192.0.2.7", "::1"]
