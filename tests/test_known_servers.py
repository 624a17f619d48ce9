"""The file of the servers that a user is let in by."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from dc.errors import StartError
from dc.known_servers import (
    MOST_BYTES,
    Credentials,
    Known,
    KnownServers,
    authority_of,
    credentials_of,
    default_path,
    may_carry,
    pin_text,
    read_pin,
    write_secret,
)

PIN = "9f" * 32
TOKEN = "dct_2jq4mzzy7hkd3wxa_aebagbafaydqqcikbmga2dqpcaireeyu"
URL = "https://desk.lan:8220"


@pytest.fixture
def known(tmp_path: Path) -> KnownServers:
    return KnownServers(tmp_path / "config" / "dc" / "servers.json")


def test_what_is_kept_is_found_by_any_spelling_of_the_address(known: KnownServers) -> None:
    assert known.of(URL) is None
    known.keep(URL, Known(PIN, TOKEN))
    for spelling in (
        URL,
        "https://Desk.LAN:8220/",
        "desk.lan",
        "desk.lan:8220",
        "wss://desk.lan:8220",
    ):
        assert known.of(spelling) == Known(PIN, TOKEN), spelling
    for other in ("https://desk.lan:8221", "https://desk.lan", "desk:8220"):
        assert known.of(other) is None, other
    assert KnownServers(known.path).of(URL) == Known(PIN, TOKEN)


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("desk", "desk:8220"), ("http://desk", "desk:8220"), ("https://desk", "desk:443"),
        ("https://10.0.0.5", "10.0.0.5:8220"), ("https://[fe80::1]:9000", "[fe80::1]:9000"),
        ("fe80::1", "[fe80::1]:8220"), ("[::1]", "[::1]:8220"), (" desk:1 ", "desk:1"),
    ],
)  # fmt: skip
def test_addresses_have_one_name(url: str, authority: str) -> None:
    assert authority_of(url) == authority


@pytest.mark.parametrize("url", ["", "https://", "https://desk:port", "http://[::1", ":8220"])
def test_what_is_no_address_is_told(url: str) -> None:
    with pytest.raises(StartError, match="is no server's address"):
        authority_of(url)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a user's folder to the user")
def test_the_file_is_its_users_alone(known: KnownServers) -> None:
    before = os.umask(0)
    try:
        known.keep(URL, Known(PIN, TOKEN))
        known.path.chmod(0o644)  # somebody has copied it without care
        known.keep(URL, Known(PIN, TOKEN))
    finally:
        os.umask(before)
    assert stat.S_IMODE(known.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(known.path.parent.stat().st_mode) == 0o700
    assert [one.name for one in known.path.parent.iterdir()] == ["servers.json"]


def test_a_file_that_cannot_be_replaced_stays_as_it_was(
    known: KnownServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    known.keep(URL, Known(PIN, TOKEN))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StartError, match="cannot be written: No space left"):
            known.keep("https://other:1", Known())
    assert known.of(URL) == Known(PIN, TOKEN)
    assert [one.name for one in known.path.parent.iterdir()] == ["servers.json"]


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"servers": {"desk:1": 7}}', b"\xff\xfe", b" " * (MOST_BYTES + 1)]
)
def test_a_damaged_file_is_told_and_never_written_over(known: KnownServers, data: bytes) -> None:
    known.path.parent.mkdir(parents=True)
    known.path.write_bytes(data)
    with pytest.raises(StartError, match=r"servers\.json is damaged"):
        known.of(URL)
    with pytest.raises(StartError, match="is damaged"):
        known.keep(URL, Known(PIN, TOKEN))
    assert known.path.read_bytes() == data


def test_a_file_that_cannot_be_read_is_told(known: KnownServers) -> None:
    known.path.mkdir(parents=True)
    with pytest.raises(StartError, match=r"servers\.json cannot be read"):
        known.of(URL)


def test_fields_of_a_newer_dc_are_no_harm(known: KnownServers) -> None:
    known.path.parent.mkdir(parents=True)
    known.path.write_text('{"new": 1, "servers": {"desk.lan:8220": {"token": "t", "more": []}}}')
    assert known.of(URL) == Known("", "t")


def test_forgetting_a_token_keeps_the_pin(known: KnownServers) -> None:
    known.keep(URL, Known(PIN, TOKEN), default=True)
    assert known.forget(URL)
    assert known.of(URL) == Known(PIN)
    assert not known.forget(URL)
    assert not known.forget("https://other:1")
    assert known.default == URL


def test_the_server_that_is_meant_where_none_is_named(known: KnownServers) -> None:
    assert known.default == ""
    known.keep(URL, Known(PIN, TOKEN), default=True)
    known.keep("https://other:1", Known(PIN, TOKEN))
    assert known.default == URL


def test_a_host_alone_is_spoken_to_as_it_is_known(known: KnownServers) -> None:
    assert known.resolved("desk.lan") == "desk.lan"
    known.keep(URL, Known(PIN, TOKEN))
    known.keep("http://127.0.0.1:1", Known("", TOKEN, tls=False))
    assert known.resolved("desk.lan:8220") == URL
    assert known.resolved("Desk.lan") == URL
    assert known.resolved("127.0.0.1:1") == "127.0.0.1:1"
    assert known.resolved("http://desk.lan:8220") == "http://desk.lan:8220"


# --- what a client takes ------------------------------------------------------------------------


def test_the_environment_goes_before_the_file(known: KnownServers) -> None:
    known.keep(URL, Known(PIN, TOKEN))
    pin = bytes.fromhex(PIN)
    assert credentials_of(URL, known=known, environment={}) == Credentials(pin, TOKEN)
    other = {"DC_TOKEN": " dct_other\n", "DC_PIN": "ab" * 16}
    assert credentials_of(URL, known=known, environment=other) == Credentials(
        bytes.fromhex("ab" * 16), "dct_other"
    )
    half = {"DC_TOKEN": "dct_other"}
    assert credentials_of(URL, known=known, environment=half) == Credentials(pin, "dct_other")
    assert credentials_of("https://new:1", known=known, environment={}) == Credentials()


def test_the_file_is_not_looked_at_where_the_environment_says_all(known: KnownServers) -> None:
    known.path.parent.mkdir(parents=True)
    known.path.write_text("damaged")
    said = {"DC_TOKEN": "dct_x", "DC_PIN": PIN}
    assert credentials_of(URL, known=known, environment=said).token == "dct_x"


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("https://desk:8220", True), ("wss://desk:8220", True), ("http://127.0.0.1:8220", True),
        ("http://localhost:8220", True), ("http://[::1]:8220", True), ("127.0.0.1:8220", True),
        ("http://desk:8220", False), ("desk:8220", False), ("http://127.0.0.1.evil:8220", False),
        ("http://localhost.evil:1", False), ("http://10.0.0.5:1", False),
    ],
)  # fmt: skip
def test_tokens_never_cross_a_network_in_the_clear(
    url: str, may: bool, known: KnownServers
) -> None:
    assert may_carry(url) == may
    if may:
        assert credentials_of(url, known=known, environment={"DC_TOKEN": "t"}).token == "t"
    else:
        with pytest.raises(StartError, match="does not go over http"):
            credentials_of(url, known=known, environment={"DC_TOKEN": "t"})


def test_a_host_alone_that_is_known_by_tls_gets_its_token(known: KnownServers) -> None:
    known.keep(URL, Known(PIN, TOKEN))
    assert credentials_of("desk.lan:8220", known=known, environment={}).token == TOKEN
    with pytest.raises(StartError, match="does not go over http"):
        credentials_of("http://desk.lan:8220", known=known, environment={})


@pytest.mark.parametrize("text", ["", "  "])
def test_no_pin_is_none(text: str) -> None:
    assert read_pin(text) == b""


def test_a_pin_is_read_as_it_is_printed() -> None:
    pin = bytes(range(32))
    assert read_pin(pin_text(pin)) == pin
    assert read_pin(pin.hex(":").upper()) == pin
    assert read_pin(pin[:16].hex()) == pin[:16]


@pytest.mark.parametrize("text", ["ab" * 15, "ab" * 33, "abc", "no pin", "é" * 32, "9f" * 16 + "g"])
def test_what_is_no_pin_is_told(text: str) -> None:
    with pytest.raises(StartError, match="is no pin"):
        read_pin(text)


# --- where it is --------------------------------------------------------------------------------


def test_each_system_has_its_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert default_path({}, "linux") == tmp_path / ".config" / "dc" / "servers.json"
    assert default_path({}, "darwin") == tmp_path / ".config" / "dc" / "servers.json"
    named = {"XDG_CONFIG_HOME": str(tmp_path / "c")}
    assert default_path(named, "linux") == tmp_path / "c" / "dc" / "servers.json"
    assert default_path({"XDG_CONFIG_HOME": "c"}, "linux").parent.parent.name == ".config"
    roaming = {"APPDATA": str(tmp_path / "Roaming")}
    assert default_path(roaming, "win32") == tmp_path / "Roaming" / "dc" / "servers.json"
    there = tmp_path / "AppData" / "Roaming" / "dc" / "servers.json"
    assert default_path({}, "win32") == there


def test_who_has_no_home_goes_without_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", nowhere)
    with pytest.raises(StartError, match="no home folder"):
        default_path({}, "linux")
    assert credentials_of(URL, environment={}) == Credentials()
    assert credentials_of(URL, environment={"DC_TOKEN": "t"}).token == "t"


def test_a_secret_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_secret(path, b"one")
    write_secret(path, b"two")
    assert path.read_bytes() == b"two"
    assert [one.name for one in tmp_path.iterdir()] == ["secret"]
