"""Invites as people get them, and where the server is reached."""

from __future__ import annotations

import socket
import threading
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dc import invites, limits_access
from dc.errors import OptionsError
from dc.server import own_addresses
from dc.server.made_invites import Place, code_of, made, qr_rows, read_addresses
from dc.server.own_addresses import reached_at
from dc.view_access import InviteView

SECRET = b"0123456789"


def view(purpose: Literal["worker", "sign_in"]) -> InviteView:
    return InviteView(
        id="1", name="", purpose=purpose, roles=[], group="", approve=False, uses=1,
        state="valid", created=0.0, expires=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("192.0.2.7", ("192.0.2.7", 8220)),
        (" 192.0.2.7:1 ", ("192.0.2.7", 1)),
        ("host", ("host", 8220)),
        ("my-lab.example:65535", ("my-lab.example", 65535)),
        ("münchen.example", ("münchen.example", 8220)),
        ("2001:db8::1", ("2001:db8::1", 8220)),
        ("[2001:DB8::1]:99", ("2001:db8::1", 99)),
        ("[::1]", ("::1", 8220)),
    ],
)
def test_addresses(text: str, found: tuple[str, int]) -> None:
    assert read_addresses([text], 8220) == [found]


@pytest.mark.parametrize(
    "text",
    ["", ":1", "a b", "a:b", "a:0", "a:65536", "a:999999", "[a]:1", "[::1", "a/b", "a@b", "::g",
     "http://a", "a?b", "a#b", "a\nb", "a,b", "[::1]x", "x" * 254],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(OptionsError):
        read_addresses([text], 8220)


@given(st.text(max_size=60))
def test_whatever_is_given_is_an_address_or_none(text: str) -> None:
    try:
        [(host, port)] = read_addresses([text], 8220)
    except OptionsError:
        return
    assert host
    assert 0 < port < 65536
    assert not set(host) & set(" /@?#\\\n\"'<>")


def test_a_code_has_all_that_a_worker_needs() -> None:
    addresses = [("192.0.2.7", 8220), ("lab.example", 443), ("2001:db8::1", 8220)]
    pin = bytes(range(32))
    found = made(view("worker"), SECRET, Place(addresses, pin))
    read = invites.read(found.code)
    assert (read.secret, read.pin, read.addresses) == (SECRET, pin[:16], addresses)
    assert found.shell.split()[-1] == found.code
    assert invites.read(found.pxe.removeprefix("dc.invite=")) == read
    assert not found.link


def test_a_code_of_a_public_certificate_has_no_pin() -> None:
    assert invites.read(code_of(SECRET, Place([("lab.example", 443)]))).pin == b""


def test_no_more_addresses_than_a_code_takes() -> None:
    many = [(f"192.0.2.{n}", 1) for n in range(20)]
    assert len(invites.read(code_of(SECRET, Place(many))).addresses) == invites.MOST_ADDRESSES


def test_a_link_has_its_secret_where_no_server_sees_it() -> None:
    found = made(view("sign_in"), SECRET, Place([("lab.example", 8220)]))
    url, _, secret = found.link.partition("#")
    assert url == "https://lab.example:8220/sign-in"
    assert invites.read_secret(secret) == SECRET
    assert not found.shell


def test_a_qr_code_is_square_and_begins_as_all_do() -> None:
    rows = qr_rows("DC1-ABC")
    assert {len(row) for row in rows} == {len(rows)}
    assert rows[0].startswith("11111110")
    assert rows[6].startswith("1111111")


# --- where it is reached ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("0.0.0.0", ["10.0.0.7", "2001:db8::7"]),
        ("::", ["10.0.0.7", "2001:db8::7"]),
        ("", ["10.0.0.7", "2001:db8::7"]),
        ("192.0.2.1", ["192.0.2.1"]),
        ("lab.example", ["lab.example"]),
    ],
)
async def test_where_a_server_is_reached(host: str, found: list[str]) -> None:
    async def own() -> list[str]:
        return ["10.0.0.7", "2001:db8::7"]

    assert await reached_at(host, own) == found


async def test_a_computer_without_a_network_is_reached_by_itself() -> None:
    async def own() -> list[str]:
        return []

    assert await reached_at("::", own) == ["127.0.0.1"]


async def test_own_addresses_are_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["127.0.1.1", "10.0.0.7", "fe80::1%eth0", "::1", "2001:db8::7", "10.0.0.7", "odd"]

    def found(*_: Any, **__: Any) -> list[Any]:
        return [(0, 0, 0, "", (name, 0)) for name in names]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    monkeypatch.setattr(own_addresses, "ELSEWHERE", ())
    assert await own_addresses.own_addresses() == ["10.0.0.7", "2001:db8::7"]


async def test_a_computer_that_knows_nothing_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    monkeypatch.setattr(socket, "socket", fails)
    assert await own_addresses.own_addresses() == []


async def test_a_name_that_is_looked_for_far_away_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = threading.Event()
    monkeypatch.setattr(limits_access, "NAMES_SECONDS", 0.01)
    monkeypatch.setattr(own_addresses, "ELSEWHERE", ())
    monkeypatch.setattr(own_addresses, "_of_names", asked.wait)
    try:
        assert await own_addresses.own_addresses() == []
    finally:
        asked.set()
