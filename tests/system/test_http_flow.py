"""What goes over HTTP alone, with a real server and worker: submitting, streams, results."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import trio

from tests.system.processes import Machine, Server

LINES = "application/x-ndjson"
SECONDS = 60.0


def post(server: Server, path: str, body: bytes, kind: str, key: str = "") -> tuple[int, Any]:
    headers = {"Content-Type": kind} | ({"Idempotency-Key": key} if key else {})
    request = urllib.request.Request(server.address + path, body, headers, method="POST")
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        return answer.status, json.loads(answer.read())


class Stream:
    """A stream of events over a socket."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.heard = b""

    @classmethod
    async def open(cls, server: Server, topics: str) -> Stream:
        stream = await trio.open_tcp_stream("127.0.0.1", server.port)
        head = f"GET /api/stream?topics={topics} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        await stream.send_all(head.encode())
        return cls(stream)

    async def until(self, text: str) -> None:
        with trio.fail_after(SECONDS):
            while text.encode() not in self.heard:
                assert await self.more(), self.heard[-2000:]

    async def more(self) -> bytes:
        piece = bytes(await self.stream.receive_some())
        self.heard += piece
        return piece


async def test_a_job_over_http_alone(machine: Machine) -> None:
    server = await machine.server()
    stream = await Stream.open(server, "overview,jobs,job:1,events")
    await stream.until("event: overview")
    await stream.until('"code":"unknown_job"')
    lines = b'{"type":"square","options":{"name":"by lines"}}\n' + b"".join(
        b"%d\n" % number for number in range(300)
    )
    status, said = await trio.to_thread.run_sync(post, server, "/api/jobs", lines, LINES, "once")
    assert (status, said["job"], said["tasks"]) == (201, 1, 300)
    status, said = await trio.to_thread.run_sync(post, server, "/api/jobs", lines, LINES, "once")
    assert (status, said["job"]) == (200, 1)
    await stream.until("event: job:1")
    await machine.worker(server, "one")
    path = "/api/jobs/1/results?follow=true"
    body = await trio.to_thread.run_sync(server.get, path)
    found = {row["number"]: row for row in map(json.loads, body.splitlines())}
    assert sorted(found) == list(range(300))
    assert found[7]["result"] == 49
    assert found[13]["failure"]["kind"] == "error"
    await stream.until('"state":"failed"')
    await stream.until("event: events")
    await server.program.stop()
    with trio.fail_after(SECONDS):
        while await stream.more():
            pass
    await stream.stream.aclose()
    assert stream.heard.endswith(b"0\r\n\r\n"), "it ends, and is not cut off"


async def test_a_file_is_posted_and_used(machine: Machine, tmp_path: Path) -> None:
    server = await machine.server()
    data = bytes(range(256)) * 1000
    status, blob = await trio.to_thread.run_sync(post, server, "/blobs", data, "image/png")
    assert (status, blob["size"]) == (201, len(data))
    assert server.get(f"/blobs/{blob['sha256']}") == data
