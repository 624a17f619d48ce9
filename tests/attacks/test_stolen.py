"""Tokens, codes and proofs that were stolen, copied or guessed: what is over lets nobody in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from dc import invites, tokens
from dc.http import Response
from dc.server.commands_access import RevokeToken
from dc.view_access import Join
from tests.server.guests import Guests, Key, all_guests, settle
from tests.server.served import Pieces, read, request

FAR = "192.0.2.1"


async def from_far(
    guests: Guests, method: str, target: str, value: Any = None, host: str = FAR, **headers: str
) -> tuple[int, dict[str, str], str]:
    """Ask from an address; return the status, the headers, and the code of a problem."""
    body = None if value is None else Pieces(msgspec.json.encode(value))
    if body is not None:
        headers["Content_Type"] = "application/json"
    asked = request(method, target, body, **headers)
    asked.address = host
    answer = await guests.served.site.answer(asked)
    assert isinstance(answer, Response)
    data = await read(answer)
    code = msgspec.json.decode(data).get("code", "") if "problem" in answer.content_type else ""
    return answer.status, dict(answer.headers), code


def guessed() -> str:
    return f"Bearer {tokens.make(os.urandom(tokens.RANDOM_BYTES)).text}"


async def test_guesses_cost_more_and_more(tmp_path: Path, autojump_clock: Any) -> None:
    async with all_guests(tmp_path) as guests:
        found = [
            (await from_far(guests, "GET", "/api/status", Authorization=guessed()))[0]
            for _ in range(30)
        ]
        assert found == [401] * 11 + [429] * 19
        status, headers, code = await from_far(
            guests, "GET", "/api/status", Authorization=guessed()
        )
        assert (status, code, headers["Retry-After"]) == (429, "too_many", "2")
        good = guests.shown["view"]
        assert (await from_far(guests, "GET", "/api/status", Authorization=good))[0] == 200
        other = await from_far(
            guests, "GET", "/api/status", None, "192.0.2.2", Authorization=guessed()
        )
        assert other[0] == 401


async def test_what_is_refused_says_the_same_of_all(tmp_path: Path) -> None:
    """A token that was never made, one that is over, one that was taken back, another's secret."""
    async with all_guests(tmp_path) as guests:
        good = guests.shown["view"].removeprefix("Bearer ")
        made = tokens.read(good)
        assert made is not None
        other = tokens.Token(made.id, os.urandom(tokens.SECRET_BYTES)).text
        said = set()
        for shown in (
            guessed(),
            guests.shown["expired"],
            guests.shown["revoked"],
            f"Bearer {other}",
        ):
            answer = await guests.answer("nobody", "GET", "/api/jobs", Authorization=shown)
            assert isinstance(answer, Response)
            said.add((answer.status, await read(answer)))
        assert len(said) == 1


async def test_a_token_that_is_taken_back_ends_what_it_has_opened(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests:
        made = await guests.token("thief", "view")
        assert await guests.code("thief", "GET", "/api/jobs") == ""
        status, me = await guests.post("nobody", "/api/sign-in", {"secret": made.secret})
        assert status == 200, me
        await guests.app.ask(RevokeToken(made.token.id))
        assert await guests.code("thief", "GET", "/api/jobs") == "not_signed_in"


@pytest.mark.parametrize("place", ["query", "path", "cookie", "basic", "fragment"])
async def test_a_token_counts_where_it_belongs_alone(place: str, tmp_path: Path) -> None:
    """In a URL it would be in logs and histories, so nobody is to get used to that."""
    async with all_guests(tmp_path) as guests:
        token = guests.shown["admin"].removeprefix("Bearer ")
        target = "/api/jobs"
        headers: dict[str, Any] = {}
        if place == "query":
            headers = {"X-Token": token}
            target = "/api/events?kind=" + token
        elif place == "path":
            target = f"/api/workers/{token}"
        elif place == "cookie":
            headers = {"Cookie": f"token={token}; dc={token}"}
        elif place == "basic":
            headers = {"Authorization": f"Basic {token}"}
        else:
            headers = {"Referer": f"http://localhost/#{token}"}
        assert await guests.code("nobody", "GET", target, **headers) == "not_signed_in"


async def test_a_code_that_was_used_lets_nobody_else_in(
    tmp_path: Path, autojump_clock: Any
) -> None:
    async with all_guests(tmp_path) as guests:
        secret, mine, thief = await guests.invite(), Key(), Key()
        join = Join(secret, mine.text, "mine")
        assert (await from_far(guests, "POST", "/api/join", join))[0] == 200
        assert (await from_far(guests, "POST", "/api/join", join))[0] == 200  # a lost answer
        stolen = Join(secret, thief.text, "thief")
        assert (await from_far(guests, "POST", "/api/join", stolen))[::2] == (403, "invite")
        assert guests.app.reactor.board.access.worker(thief.text) is None


async def test_codes_are_not_guessed(tmp_path: Path, autojump_clock: Any) -> None:
    async with all_guests(tmp_path) as guests:
        secret = await guests.invite()
        for number in range(11):
            join = Join(os.urandom(invites.SECRET_BYTES).hex(), Key().text, f"w{number}")
            assert (await from_far(guests, "POST", "/api/join", join))[::2] == (403, "invite")
        right = Join(secret, Key().text, "right")
        status, headers, code = await from_far(guests, "POST", "/api/join", right)
        assert (status, code) == (429, "too_many")
        assert (await from_far(guests, "POST", "/api/join", right, "192.0.2.2"))[0] == 200
        await trio.sleep(int(headers["Retry-After"]))
        right = Join(await guests.invite(), Key().text, "later")
        assert (await from_far(guests, "POST", "/api/join", right))[0] == 200


async def test_a_wrong_token_keeps_nobody_from_joining(tmp_path: Path, autojump_clock: Any) -> None:
    """Behind one router, a program with a token that is over goes on and on."""
    async with all_guests(tmp_path) as guests:
        for _ in range(100):
            await from_far(guests, "GET", "/api/status", Authorization=guests.shown["revoked"])
        join = Join(await guests.invite(), Key().text, "w")
        assert (await from_far(guests, "POST", "/api/join", join))[0] == 200


async def test_a_session_of_a_worker_ends_with_its_key(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests:
        key = await guests.join("lost")
        guests.session("lost", guests.worker_of(key))
        path = "/blobs/" + "0" * 64
        assert await guests.code("lost", "GET", path) == "unknown_blob"
        assert await guests.code("admin", "DELETE", f"/api/worker-keys/{key.text}") == ""
        await settle()
        assert await guests.code("lost", "GET", path) == "not_signed_in"


async def test_a_worker_reads_what_it_holds_and_nothing_else(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests:
        for which in ("payload", "result", "output"):
            path = f"/jobs/1/tasks/0/{which}"
            assert await guests.code("other", "GET", path) in ("unknown_job", "not_permitted")
        assert await guests.code("has", "GET", "/jobs/1/tasks/0/payload") == ""


@pytest.mark.parametrize("secret", ["", "0", "abc", "0" * 19, "0" * 21, "0" * 128, "ab\n"])
async def test_a_code_of_a_wrong_length(secret: str, tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests:
        join = Join(secret, Key().text, "w")
        assert (await from_far(guests, "POST", "/api/join", join))[::2] == (403, "invite")


@pytest.mark.parametrize("more", ["\n", " ", "0", "\0"])
async def test_a_key_has_one_spelling(more: str, tmp_path: Path) -> None:
    """Else a worker could be two, by one key."""
    async with all_guests(tmp_path) as guests:
        join = Join(await guests.invite(), Key().text + more, "w")
        assert (await from_far(guests, "POST", "/api/join", join))[::2] == (400, "body")
