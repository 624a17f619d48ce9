"""The first start of a server that others may reach."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from dc import invites, tokens
from dc.errors import StartError
from dc.known_servers import Known, KnownServers, pin_text
from dc.server.access import Access
from dc.server.commands_access import AccessCommand, MakeInvite, MakeToken
from dc.server.first_start import LINK_SECONDS, TOKEN_FILE, Reached, first_start

NOW = 1e9
PIN = bytes(range(32))


class Server:
    """Does what is asked, as the reactor does; it can die at a step."""

    def __init__(self) -> None:
        self.access = Access()
        self.asked: list[AccessCommand] = []
        self.dies_at = 0
        self.does_it_first = False

    async def ask(self, command: AccessCommand) -> object:
        self.asked.append(command)
        dies = len(self.asked) == self.dies_at
        if dies and not self.does_it_first:
            raise KeyboardInterrupt
        if isinstance(command, MakeToken):
            self.access.make_token(command.roles, command.name, None, NOW, command.random)
        elif isinstance(command, MakeInvite):
            self.access.make_invite(command.wanted, NOW, command.secret)
        if dies:
            raise KeyboardInterrupt
        return None


class Start:
    """Starts it."""

    def __init__(self, place: Path) -> None:
        self.data = place / "data"
        self.data.mkdir()
        self.known = KnownServers(place / "servers.json")
        self.server = Server()
        self.reached = Reached("https://desk:8220", "0.0.0.0", 8220, PIN)

    async def __call__(self, *, terminal: bool = True) -> list[str]:
        server, known = self.server, lambda: self.known
        return await first_start(
            server.ask, server.access, self.data, self.reached, NOW, known, terminal=terminal
        )

    @property
    def token(self) -> str:
        return (self.data / TOKEN_FILE).read_text().strip()


@pytest.fixture
def start(tmp_path: Path) -> Start:
    return Start(tmp_path)


async def test_it_makes_the_operators_token_and_a_way_in(start: Start) -> None:
    lines = await start()
    who = start.server.access.who_has(start.token, NOW)
    assert who is not None
    assert who.roles == frozenset({"admin"})
    assert who.name == "operator"
    link = lines[0].rpartition(" ")[2]
    page, _, code = link.partition("#")
    assert page == "https://desk:8220/sign-in"
    assert start.token not in "\n".join(lines)
    assert lines[1:] == [
        "add a computer: python -m dc invite",
        f"its key, to compare: {pin_text(PIN)}",
    ]
    session, _, _ = start.server.access.sign_in(code, NOW + LINK_SECONDS - 1, bytes(range(30)))
    signed_in = start.server.access.who_has(session.text, NOW)
    assert signed_in is not None
    assert signed_in.may("admin")
    assert invites.read_secret(code) is not None


async def test_commands_on_this_computer_need_nothing_more(start: Start) -> None:
    await start()
    for url in ("https://127.0.0.1:8220", "https://localhost:8220", "https://desk:8220"):
        assert start.known.of(url) == Known(PIN.hex(), start.token), url
    assert start.known.default == "https://127.0.0.1:8220"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
async def test_the_token_is_its_users_alone(start: Start) -> None:
    await start()
    assert stat.S_IMODE((start.data / TOKEN_FILE).stat().st_mode) == 0o600


async def test_a_later_start_makes_and_says_nothing(start: Start) -> None:
    await start()
    asked = len(start.server.asked)
    assert await start() == []
    assert len(start.server.asked) == asked


@pytest.mark.parametrize("knows", [False, True], ids=["lost", "on disk"])
@pytest.mark.parametrize("dies_at", [1, 2])
async def test_a_server_that_was_killed_in_between_goes_on_there(
    start: Start, dies_at: int, knows: bool
) -> None:
    start.server.dies_at = dies_at
    start.server.does_it_first = knows
    with pytest.raises(KeyboardInterrupt):
        await start()
    assert not (start.data / TOKEN_FILE).exists()
    token = (start.data / f"{TOKEN_FILE}.new").read_text().strip()
    if not knows and dies_at == 1:
        start.server = Server()
    assert len(await start()) == 3
    assert start.token == token
    assert start.known.of("https://127.0.0.1:8220") == Known(PIN.hex(), token)
    assert start.server.access.who_has(token, NOW) is not None
    assert [one.name for one in start.data.iterdir()] == [TOKEN_FILE]


async def test_one_that_was_revoked_before_all_was_done_is_not_gone_on_with(start: Start) -> None:
    start.server.dies_at = 2
    with pytest.raises(KeyboardInterrupt):
        await start()
    old = tokens.read((start.data / f"{TOKEN_FILE}.new").read_text())
    assert old is not None
    start.server.access.revoke_token(old.id, NOW)
    assert await start()
    assert start.token != old.text


async def test_commands_find_a_server_that_listens_elsewhere_now(start: Start) -> None:
    await start()
    start.reached = Reached("https://desk:9000", "0.0.0.0", 9000, PIN)
    assert await start() == []
    assert start.known.of("https://127.0.0.1:9000") == Known(PIN.hex(), start.token)
    assert start.known.default == "https://127.0.0.1:9000"


async def test_who_has_signed_out_stays_signed_out(start: Start) -> None:
    await start()
    start.known.forget("https://127.0.0.1:8220")
    assert await start() == []
    assert start.known.of("https://127.0.0.1:8220") == Known(PIN.hex())


@pytest.mark.parametrize("lost", ["revoked", "removed", "damaged"])
async def test_nobody_is_locked_out_for_good(start: Start, lost: str) -> None:
    await start()
    old = start.token
    read = tokens.read(old)
    assert read is not None
    if lost == "revoked":
        start.server.access.revoke_token(read.id, NOW)
    elif lost == "removed":
        (start.data / TOKEN_FILE).unlink()
    else:
        (start.data / TOKEN_FILE).write_bytes(b"\xff" * 5000)
    assert await start()
    assert start.token != old
    assert start.server.access.who_has(start.token, NOW) is not None
    if lost == "revoked":
        assert start.server.access.who_has(old, NOW) is None


async def test_a_token_of_less_than_the_operator_is_none(start: Start) -> None:
    token, _ = start.server.access.make_token(["view"], "ada", None, NOW, bytes(range(30)))
    (start.data / TOKEN_FILE).write_text(token.text)
    assert await start()
    assert start.token != token.text


async def test_a_user_without_a_file_is_told_what_to_do(start: Start) -> None:
    def none() -> KnownServers:
        raise StartError("this user has no home folder")

    lines = await first_start(
        start.server.ask, start.server.access, start.data, start.reached, NOW, none, terminal=True
    )
    assert lines[-1] == (
        f"use it here: python -m dc sign-in {start.data / TOKEN_FILE} "
        f"--server https://127.0.0.1:8220 --pin {PIN.hex()}"
    )


async def test_the_folder_that_cannot_be_written_is_told(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("dc.server.first_start.write_secret", refuse)
    with pytest.raises(StartError, match=r"admin-token\.new cannot be written: Permission denied"):
        await start()
    assert start.server.asked == []


async def test_another_default_of_the_user_stays(start: Start) -> None:
    start.known.keep("https://lab:8220", Known("", "t"), default=True)
    await start()
    assert start.known.default == "https://lab:8220"


async def test_a_certificate_that_browsers_accept_needs_no_pin_but_here(start: Start) -> None:
    start.reached = Reached("https://dc.example.org", "10.0.0.5", 8220, PIN, is_public=True)
    lines = await start()
    assert len(lines) == 2
    assert lines[0].partition("#")[0].endswith(" https://dc.example.org/sign-in")
    assert start.known.of("https://dc.example.org") == Known("", start.token)
    assert start.known.of("https://10.0.0.5:8220") == Known(PIN.hex(), start.token)


async def test_behind_a_proxy_this_computer_needs_no_tls(start: Start) -> None:
    start.reached = Reached("https://dc.example.org", "127.0.0.1", 8220, b"", is_public=True)
    await start()
    assert start.known.of("http://127.0.0.1:8220") == Known("", start.token, tls=False)
    assert start.known.default == "http://127.0.0.1:8220"


@pytest.mark.parametrize(
    ("host", "pin", "here"),
    [
        ("0.0.0.0", PIN, ["https://127.0.0.1:1", "https://localhost:1"]),
        ("::", PIN, ["https://127.0.0.1:1", "https://localhost:1", "https://[::1]:1"]),
        ("10.0.0.5", PIN, ["https://10.0.0.5:1"]),
        ("fd00::5", PIN, ["https://[fd00::5]:1"]),
        ("127.0.0.1", b"", ["http://127.0.0.1:1", "http://localhost:1"]),
    ],
)
def test_where_this_computer_finds_it(host: str, pin: bytes, here: list[str]) -> None:
    assert Reached("https://desk:1", host, 1, pin).here == here


async def test_what_may_be_a_log_is_told_no_secret(start: Start) -> None:
    lines = await start(terminal=False)
    assert lines[0] == "sign in: python -m dc sign-in-link"
    assert not any("#" in line for line in lines)
