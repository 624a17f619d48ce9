"""Paths that lead elsewhere, and two that look like one: each names one thing, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attacks.victim import Answer, Victim, attacked

SECRET = b"nobody may read this"


async def get(victim: Victim, target: bytes, *headers: bytes) -> Answer:
    lines = b"".join(line + b"\r\n" for line in headers)
    (answer,) = await victim.send(
        b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\n" + lines + b"\r\n"
    )
    return answer


@pytest.mark.parametrize(
    "target",
    [
        b"/../secret",
        b"/%2e%2e/secret",
        b"/%2e%2e%2fsecret",
        b"/.%2e/secret",
        b"/..%5csecret",
        b"/..\\secret",
        b"/app/../../secret",
        b"/app/%2e%2e/%2e%2e/secret",
        b"/vendor/..%2f..%2fsecret",
        b"/blobs/../secret",
        b"/blobs/..%2fsecret",
        b"/blobs/" + b"%2e" * 32,
        b"/plugins/..%2fsecret",
        b"/jobs/1/tasks/../../../secret",
        b"/jobs/..%2f/tasks/1/payload",
        b"/secret;x=/index.html",
        b"/%73ecret",
        b"//secret",
        b"//localhost/secret",
        b"/.secret",
        b"/index.html/",
        b"/index.html/../secret",
    ],
)
async def test_nothing_leads_out_of_what_is_served(target: bytes, tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path.parent):
        (place / "secret").write_bytes(SECRET)
    async with attacked(tmp_path) as victim:
        answer = await get(victim, target, b"Accept: application/json")
        assert answer.status in (400, 404) or target == b"/index.html/"
        assert SECRET not in answer.body


@pytest.mark.parametrize(
    "target",
    [
        b"/%",
        b"/%2",
        b"/%zz",
        b"/%u002e",
        b"/%00",
        b"/index.html%00.js",
        b"/a%0d%0aX: y",
        b"/%c0%ae%c0%ae/",  # overlong: two bytes for a dot
        b"/%e0%80%af",
        b"/%ff",
        b"/%ed%a0%80",  # half of a pair
        b"/\xc3\xa9",
        b"/a b",
        b"/#a",
        b"/\x7f",
        b"*",
        b"localhost",
        b"ftp://localhost/",
        b"http://user@localhost/",
        b"/?" + b"a&" * 2000,
        b"/api/status?%ff",
    ],
)
async def test_what_is_no_path(target: bytes, tmp_path: Path) -> None:
    async with attacked(tmp_path) as victim:
        assert (await get(victim, target)).status == 400
        assert await victim.is_well()


@pytest.mark.parametrize(
    "target",
    [
        b"//api/status",
        b"/api//status",
        b"/api%2Fstatus",
        b"/api/status//",
        b"/API/status",
        b"/api/./status",
        b"/x/../api/status",
        b"/api/status;a=b",
        b"/api/status%20",
        b"/api\\status",
        b"//metrics",
        b"/metrics%2f",
        b"/api%2Fbackup",
        b"/blobs%2f" + b"0" * 64,
    ],
)
async def test_a_path_has_one_spelling(target: bytes, tmp_path: Path) -> None:
    """Whoever judges a request by its path judges the one that is answered."""
    async with attacked(tmp_path) as victim:
        assert (await get(victim, target)).status == 404


async def test_letters_may_be_written_as_escapes(tmp_path: Path) -> None:
    async with attacked(tmp_path) as victim:
        assert (await get(victim, b"/api/%73tatus")).status == 200
        assert (await get(victim, b"/%61pi/status/")).status == 200


async def test_a_long_path_costs_no_more_than_its_head(tmp_path: Path) -> None:
    async with attacked(tmp_path) as victim:
        assert (await get(victim, b"/" + b"a/" * 4000)).status == 404
        assert (await get(victim, b"/" + b"%2e%2e%2f" * 900)).status == 404
        answer = await get(victim, b"/" + b"a" * 8192)
        assert (answer.status, answer.code) == (414, "too_long")
        assert len(answer.body) < 1000


@pytest.mark.parametrize(
    "job", [b"-1", b"+1", b"1e3", b"0x1", b"1.0", b"9" * 40, b"%D9%A1", b"%C2%B2", b"1_0", b"%201"]
)
async def test_numbers_are_digits(job: bytes, tmp_path: Path) -> None:
    async with attacked(tmp_path) as victim:
        answer = await get(victim, b"/api/jobs/" + job)
        assert (answer.status, answer.code) == (404, "unknown_job")
