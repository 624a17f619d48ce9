"""Pages of other sites, in a browser that can reach the server: they change and read nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attacks.victim import Answer, Victim, attacked, upgrade


async def ask(victim: Victim, method: str, target: str, *headers: str, body: str = "") -> Answer:
    host = [] if any(line.startswith("Host:") for line in headers) else ["Host: localhost"]
    lines = [f"{method} {target} HTTP/1.1", *host, f"Content-Length: {len(body)}", *headers, ""]
    (answer,) = await victim.send("".join(f"{line}\r\n" for line in lines).encode() + body.encode())
    return answer


@pytest.mark.parametrize(
    "headers",
    [
        ["Origin: http://evil.example"],
        ["Origin: null"],
        ["Origin: http://localhost:3000"],
        ["Origin: http://localhost.evil.example"],
        ["Origin: http://evil.example#localhost"],
        ["Origin: localhost"],
        ["Origin: "],
        ["Sec-Fetch-Site: cross-site"],
        ["Sec-Fetch-Site: cross-site", "Origin: http://localhost"],
        ["Origin: http://localhost", "Origin: http://evil.example"],
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "BREW"])
async def test_a_change_from_another_site(method: str, headers: list[str], tmp_path: Path) -> None:
    async with attacked(tmp_path) as victim:
        answer = await ask(victim, method, "/api/jobs", *headers, body="{}")
        assert (answer.status, answer.code) == (403, "cross_site")
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
async def test_a_form_cannot_post_what_is_taken(kind: str, tmp_path: Path) -> None:
    """Browsers send these from any page without asking first."""
    async with attacked(tmp_path) as victim:
        header = [f"Content-Type: {kind}; boundary=application/json"] if kind else []
        body = '{"type": "double", "tasks": [{"x": 1}]}'
        answer = await ask(victim, "POST", "/api/jobs", *header, body=body)
        assert answer.status == 415
        assert not victim.served.app.reactor.in_memory


async def test_nobody_is_told_that_another_site_may_ask(tmp_path: Path) -> None:
    async with attacked(tmp_path) as victim:
        asked = ["Origin: http://evil.example", "Access-Control-Request-Method: POST"]
        answer = await ask(victim, "OPTIONS", "/api/jobs", *asked)
        assert answer.status == 403
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("target", "mode", "dest", "status"),
    [
        ("/jobs", "navigate", "document", 200),
        ("/", "navigate", "document", 200),
        ("/jobs", "navigate", "iframe", 403),
        ("/icon.svg", "no-cors", "image", 403),
        ("/api/status", "no-cors", "script", 403),
        ("/api/status", "cors", "empty", 403),
        ("/api/status", "navigate", "document", 403),
        ("/api/backup", "navigate", "document", 403),
        ("/%61pi/backup", "navigate", "document", 403),
        ("/metrics", "navigate", "document", 403),
    ],
)
async def test_another_site_may_link_here_and_no_more(
    target: str, mode: str, dest: str, status: int, tmp_path: Path
) -> None:
    said = [f"Sec-Fetch-Mode: {mode}", f"Sec-Fetch-Dest: {dest}"]
    async with attacked(tmp_path) as victim:
        far = await ask(victim, "GET", target, "Sec-Fetch-Site: cross-site", *said)
        assert far.status == status
        assert far.headers["cross-origin-resource-policy"] == "same-origin"
        if target != "/api/backup" and target != "/%61pi/backup":
            near = await ask(victim, "GET", target, "Sec-Fetch-Site: same-origin", *said)
            assert near.status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "localhost.",
        "0.0.0.0",
        "127.1",
        "2130706433",
        "0x7f000001",
        "127.0.0.1%00",
        "192.0.2.7",
        "[::]",
        "[2001:db8::1]",
    ],
)
async def test_a_name_that_was_turned_to_this_computer(host: str, tmp_path: Path) -> None:
    """Rebinding: the page's own name leads here now, so the browser takes it for the same site."""
    async with attacked(tmp_path) as victim:
        answer = await ask(victim, "GET", "/api/status", f"Host: {host}", f"Origin: http://{host}")
        assert (answer.status, answer.code) == (421, "wrong_host")
        (answer,) = await victim.send(
            upgrade(f"Origin: http://{host}").replace(b"Host: localhost", f"Host: {host}".encode())
        )
        assert answer.status == 421


@pytest.mark.parametrize(
    "lines",
    [
        ["Host: localhost", "Host: localhost"],
        ["Host: localhost, evil.example"],
        ["Host: user@localhost"],
        ["Host: localhost/evil"],
        ["Host: localhost:port"],
        ["Host: localhost:99999"],
        ["Host: [::1"],
        ["Host: local host"],
        ["X-Host: localhost"],
    ],
)
async def test_a_host_that_is_none(lines: list[str], tmp_path: Path) -> None:
    async with attacked(tmp_path) as victim:
        text = "".join(f"{line}\r\n" for line in ["GET /api/status HTTP/1.1", *lines, ""])
        (answer,) = await victim.send(text.encode())
        assert answer.status == 400


async def test_what_a_proxy_might_say_counts_for_nothing(tmp_path: Path) -> None:
    async with attacked(tmp_path) as victim:
        for name in ("X-Forwarded-Host", "X-Host", "Forwarded", "X-Original-URL", "X-Rewrite-URL"):
            evil = f"{name}: /api/backup"
            assert (await ask(victim, "GET", "/api/status", evil)).status == 200
        override = "X-HTTP-Method-Override: DELETE"
        assert (await ask(victim, "GET", "/api/status", override)).status == 200
        answer = await ask(victim, "GET", "http://evil.example/api/status")
        assert answer.status == 421


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://localhost:3000", "http://localhost.evil.example", ""],
)
async def test_a_socket_for_another_sites_page(origin: str, tmp_path: Path) -> None:
    async with attacked(tmp_path) as victim:
        (answer,) = await victim.send(upgrade(f"Origin: {origin}"))
        assert (answer.status, answer.code) == (403, "cross_site")
        (answer,) = await victim.send(upgrade("Sec-Fetch-Site: cross-site"))
        assert answer.status == 403
