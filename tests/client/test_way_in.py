"""The way into a server: of what a program says, of the environment, of the user's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from dc.client.way_in import way_in
from dc.dial import Server
from dc.errors import StartError
from dc.known_servers import Known, KnownServers, default_path

URL = "https://desk.lan:8220"
PIN = bytes(range(32))


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DC_TOKEN", "DC_PIN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("APPDATA", str(tmp_path))


def bearer(token: str) -> list[tuple[str, str]]:
    return [("Authorization", f"Bearer {token}")]


def test_a_server_of_this_computer_needs_nothing() -> None:
    assert way_in("http://127.0.0.1:8220") == (Server("127.0.0.1", 8220), [])
    assert way_in("127.0.0.1") == (Server("127.0.0.1", 8220), [])


def test_what_was_kept_is_used_for_any_spelling_of_the_address() -> None:
    KnownServers().keep(URL, Known(PIN.hex(), "t"))
    server = Server("desk.lan", 8220, tls=True, pin=PIN)
    for url in (URL, "desk.lan", "desk.lan:8220", "wss://desk.lan:8220"):
        assert way_in(url) == (server, bearer("t")), url


def test_what_a_program_says_goes_before_all(monkeypatch: pytest.MonkeyPatch) -> None:
    KnownServers().keep(URL, Known(PIN.hex(), "t"))
    monkeypatch.setenv("DC_TOKEN", "e")
    assert way_in(URL)[1] == bearer("e")
    server, headers = way_in(URL, "mine", "ab" * 16)
    assert (server.pin, headers) == (b"\xab" * 16, bearer("mine"))
    assert way_in(URL, "", "") == (Server("desk.lan", 8220, tls=True), [])


def test_a_token_stays_off_the_network_in_the_clear() -> None:
    with pytest.raises(StartError, match="does not go over http"):
        way_in("http://desk.lan:8220", "t")


def test_a_pin_is_of_no_use_without_tls() -> None:
    assert way_in("http://127.0.0.1:1", "t", PIN.hex())[0].pin == b""


@pytest.mark.parametrize("url", ["no server at all", "ftp://desk", "http://desk/path", ""])
def test_what_is_no_address_is_told(url: str) -> None:
    with pytest.raises(StartError, match="not a server's address"):
        way_in(url)


def test_a_damaged_file_is_told() -> None:
    path = default_path()
    path.parent.mkdir(parents=True)
    path.write_text("{")
    for url in (URL, "desk.lan"):
        with pytest.raises(StartError, match=r"servers\.json is damaged"):
            way_in(url)
    assert way_in(URL, "t", "")[1] == bearer("t")
