"""Signing in and out on the command line, and which server is meant."""

from __future__ import annotations

import io
import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dc.cli.main import main
from dc.cli.screen import Screen
from dc.cli.sign_in import sign_in, sign_out
from dc.cli.sign_in_port import Answer, Port
from dc.cli.which_server import server_of
from dc.dial import Server
from dc.errors import NotSignedIn, ProtocolError, StartError, WrongServer
from dc.known_servers import Known, KnownServers
from tests.browser import samples_access
from tests.client.test_events_cli import Asked

URL = "https://desk:8220"
TOKEN = samples_access.SECRET
PIN = bytes(range(32))
LINK = f"{URL}/sign-in#abcdefghijklmnop"


class FakePort(Port):
    """A server that is known by its key alone, or by authorities."""

    def __init__(self, *, public: bool = False) -> None:
        self.public = public
        self.asked: list[tuple[Any, ...]] = []
        self.answer = Answer(msgspec.json.encode(samples_access.me("submit", name="ci")))

    def exchange(
        self, url: str, pin: bytes, method: str, path: str, *, token: str = "", body: Any = None
    ) -> Answer:
        self.asked.append((url, pin, method, path, token, body))
        return self.answer

    def verify(self, url: str) -> None:
        if not self.public:
            raise WrongServer("nobody knows it")

    def pin_shown(self, url: str) -> bytes:
        return PIN


@pytest.fixture
def known(tmp_path: Path) -> KnownServers:
    return KnownServers(tmp_path / "servers.json")


@pytest.fixture
def port() -> FakePort:
    return FakePort()


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DC_TOKEN", "DC_PIN", "DC_SERVER"):
        monkeypatch.delenv(name, raising=False)


def arguments(secret: str | None, **more: Any) -> Namespace:
    return Namespace(**{"secret": secret, "server": URL, "pin": "", "json": False, **more})


def token_file(tmp_path: Path, text: str = f"{TOKEN}\n") -> str:
    path = tmp_path / "ci.token"
    path.write_text(text)
    return str(path)


def yes(_: str) -> bool:
    return True


def no(_: str) -> bool:
    return False


def test_a_token_of_a_file_is_tried_and_kept(
    tmp_path: Path, known: KnownServers, port: FakePort, capsys: pytest.CaptureFixture[str]
) -> None:
    args = arguments(token_file(tmp_path), pin=PIN.hex())
    assert sign_in(args, Screen(), port, known, no) == 0
    assert port.asked == [(URL, PIN, "GET", "/api/me", TOKEN, None)]
    assert known.of(URL) == Known(PIN.hex(), TOKEN)
    assert known.default == URL
    assert capsys.readouterr().out == f"signed in at {URL} as ci (submit)\n"


def test_a_new_server_is_known_by_its_key_once_somebody_has_compared_it(
    tmp_path: Path, known: KnownServers, port: FakePort
) -> None:
    questions: list[str] = []
    args = arguments(token_file(tmp_path))

    def ask(text: str) -> bool:
        questions.append(text)
        return len(questions) > 1

    with pytest.raises(StartError, match="give --pin"):
        sign_in(args, Screen(), port, known, ask)
    assert port.asked == []  # nothing was sent to whoever it is
    assert known.of(URL) is None
    sign_in(args, Screen(), port, known, ask)
    assert "0001 0203" in questions[0]
    assert port.asked[0][1] == PIN
    sign_in(args, Screen(), port, known, ask)
    assert len(questions) == 2  # it is known by now


def test_a_server_that_authorities_know_needs_no_pin(tmp_path: Path, known: KnownServers) -> None:
    port = FakePort(public=True)
    sign_in(arguments(token_file(tmp_path)), Screen(), port, known, no)
    assert known.of(URL) == Known("", TOKEN)


def test_a_link_names_the_server_and_gives_a_session(known: KnownServers, port: FakePort) -> None:
    session = "dct_session"
    cookie = f"dc-session={session}; HttpOnly; SameSite=Strict; Secure; Path=/"
    port.answer = Answer(port.answer.body, cookie)
    args = arguments(LINK, server="https://another:1", pin=PIN.hex())
    sign_in(args, Screen(), port, known, no)
    body = {"secret": "abcdefghijklmnop"}
    assert port.asked == [(URL, PIN, "POST", "/api/sign-in", "", body)]
    assert known.of(URL) == Known(PIN.hex(), session)


def test_a_link_may_stand_in_a_file(tmp_path: Path, known: KnownServers, port: FakePort) -> None:
    port.answer = Answer(port.answer.body, "dc-session=dct_session")
    sign_in(arguments(token_file(tmp_path, LINK), pin=PIN.hex()), Screen(), port, known, no)
    assert port.asked[0][2] == "POST"


def test_a_token_of_standard_input_or_the_environment(
    known: KnownServers, port: FakePort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"  {TOKEN}\n"))
    sign_in(arguments("-", pin=PIN.hex()), Screen(), port, known, no)
    monkeypatch.setenv("DC_TOKEN", f"{TOKEN}2")
    monkeypatch.setenv("DC_PIN", PIN.hex())
    sign_in(arguments(None), Screen(), port, known, no)
    assert [one[4] for one in port.asked] == [TOKEN, f"{TOKEN}2"]


def test_what_lets_nobody_in_is_not_kept(
    tmp_path: Path, known: KnownServers, port: FakePort
) -> None:
    port.answer = Answer(msgspec.json.encode(samples_access.me(signed_in=False)))
    with pytest.raises(NotSignedIn, match="lets nobody in"):
        sign_in(arguments(token_file(tmp_path), pin=PIN.hex()), Screen(), port, known, no)
    with pytest.raises(NotSignedIn):  # an answer without its cookie
        sign_in(arguments(LINK, pin=PIN.hex()), Screen(), port, known, no)
    assert not known.path.exists()


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("", "say by what"), (f"{URL}/sign-in", "is not whole"),
        (f"{URL}/jobs#abc", "is not whole"),
        (f"{URL}/sign-in#", "is not whole"), ("https:///sign-in#abc", "is not whole"),
        ("http://desk:8220/sign-in#abc", "does not go over http"),
    ],
)  # fmt: skip
def test_what_is_no_way_in_is_told(
    secret: str, text: str, known: KnownServers, port: FakePort
) -> None:
    with pytest.raises(StartError, match=text):
        sign_in(arguments(secret), Screen(), port, known, no)
    assert port.asked == []


@pytest.mark.parametrize("text", ["", "one two", "x" * 3000])
def test_a_file_that_has_no_token_in_it_is_told(
    text: str, tmp_path: Path, known: KnownServers, port: FakePort
) -> None:
    with pytest.raises(StartError, match="there is no token in"):
        sign_in(arguments(token_file(tmp_path, text)), Screen(), port, known, no)


def test_a_token_on_the_command_line_is_refused_and_not_shown_again(
    known: KnownServers, port: FakePort
) -> None:
    with pytest.raises(StartError, match="into a file") as refused:
        sign_in(arguments(TOKEN), Screen(), port, known, no)
    assert TOKEN not in str(refused.value)
    assert port.asked == []


def test_who_fails_to_sign_in_is_not_told_to_sign_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise NotSignedIn("this token lets nobody in")

    monkeypatch.setattr("dc.cli.sign_in._enter", refuse)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert main(["sign-in", token_file(tmp_path), "--server", URL, "--pin", PIN.hex()]) == 2
    assert capsys.readouterr().err == "dc: this token lets nobody in\n"


def test_a_token_never_goes_over_a_network_in_the_clear(
    tmp_path: Path, known: KnownServers, port: FakePort
) -> None:
    args = arguments(token_file(tmp_path), server="http://desk:8220")
    with pytest.raises(StartError, match="use https"):
        sign_in(args, Screen(), port, known, yes)
    assert port.asked == []


def test_something_else_answers(tmp_path: Path, known: KnownServers, port: FakePort) -> None:
    port.answer = Answer(b"<html>")
    with pytest.raises(StartError, match="no dc server"):
        sign_in(arguments(token_file(tmp_path), pin=PIN.hex()), Screen(), port, known, no)


def test_nobody_is_asked_where_nobody_can_answer(
    tmp_path: Path, known: KnownServers, port: FakePort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))  # no terminal
    with pytest.raises(StartError, match="give --pin"):
        sign_in(arguments(token_file(tmp_path)), Screen(), port, known)


def test_signing_out_forgets_the_token(
    known: KnownServers, capsys: pytest.CaptureFixture[str]
) -> None:
    known.keep(URL, Known(PIN.hex(), TOKEN))
    assert sign_out(arguments(None), Screen(), known) == 0
    assert known.of(URL) == Known(PIN.hex())
    said = capsys.readouterr().out
    assert "is forgotten here" in said
    assert f"python -m dc token revoke {TOKEN.split('_')[1]}" in said  # what is forgotten still is
    assert TOKEN.split("_")[2] not in said
    assert sign_out(arguments(None, json=True), Screen(), known) == 0
    assert json.loads(capsys.readouterr().out) == {"server": URL, "forgotten": False}


def test_a_link_for_a_browser(capsys: pytest.CaptureFixture[str]) -> None:
    made = msgspec.to_builtins(samples_access.made_invite(link=LINK))
    asked = Asked(made, made)
    assert main(["sign-in-link"], asked) == 0
    wanted = {"name": "", "purpose": "sign_in", "roles": ["admin"], "uses": 1, "lifetime": 900.0}
    assert asked.asked == [("POST", "/api/invites", wanted)]
    said = capsys.readouterr()
    assert said.out == f"{LINK}\n"
    assert said.err == "it works once, within 15 minutes\n"
    assert main(["sign-in-link", "--role", "view", "--name", "ada", "--minutes", "5"], asked) == 0
    assert asked.asked[1][2]["roles"] == ["view"]
    assert asked.asked[1][2]["lifetime"] == 300.0


# --- which server -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("server", "url", "meant"),
    [
        ("", None, URL), ("https://lab:1", None, "https://lab:1"), ("desk", None, URL),
        ("", "http://127.0.0.1:1", "http://127.0.0.1:1"), ("lab:1", None, "lab:1"),
    ],
)  # fmt: skip
def test_which_server_is_meant(
    server: str, url: str | None, meant: str, known: KnownServers
) -> None:
    known.keep("https://desk", Known(PIN.hex(), TOKEN))
    known.keep(URL, Known(PIN.hex(), TOKEN), default=True)
    assert server_of(Namespace(server=server, url=url), known) == meant


def test_the_one_on_this_computer_is_meant_if_no_other(known: KnownServers) -> None:
    assert server_of(Namespace(server=""), known) == "http://127.0.0.1:8220"


def test_a_damaged_file_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("APPDATA", str(tmp_path))
    (tmp_path / "dc").mkdir()
    (tmp_path / "dc" / "servers.json").write_text("{")
    assert main(["status"], Asked()) == 2
    assert "servers.json is damaged" in capsys.readouterr().err


def test_a_server_whose_key_has_no_pin_is_not_called_another_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def shown(server: Server) -> bytes:
        raise ProtocolError(f"{server.url} shows no certificate that has a pin (of no known kind)")

    monkeypatch.setattr("dc.cli.sign_in_port.shown_pin", shown)
    with pytest.raises(StartError, match=r"^https://desk:8220 shows no certificate that has a pin"):
        Port().pin_shown("https://desk:8220")
