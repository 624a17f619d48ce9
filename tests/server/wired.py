"""Requests that go the whole way: bytes over a stream in memory to the site, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import h11
import trio
import trio.testing

from dc.server.site import Site


@dataclass
class Heard:
    """An answer; of a stream that does not end, what came first."""

    status: int
    kind: str
    headers: dict[str, str]
    body: bytes


async def ask(
    site: Site,
    method: str,
    target: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    length: int | None = None,
    line: str = "",
) -> Heard:
    """Make one request over a connection of its own.

    Args:
        site: who is asked.
        method: of the request.
        target: as it is sent.
        body: of the request.
        headers: further ones.
        length: that the body is said to have.
        line: one line of the head that may be no header.
    """
    said = {"Host": "localhost", "Connection": "close", **(headers or {})}
    if body or length is not None or method not in ("GET", "HEAD"):
        said["Content-Length"] = str(len(body) if length is None else length)
    lines = [f"{method} {target} HTTP/1.1", *(f"{n}: {v}" for n, v in said.items())]
    head = "\r\n".join([*lines, *([line] if line else []), "", ""]).encode()
    async with trio.open_nursery() as nursery:
        here, there = trio.testing.memory_stream_pair()
        nursery.start_soon(site.serve_stream, there)
        await here.send_all(head + body)
        heard = await _hear(here, method)
        await here.aclose()
        nursery.cancel_scope.cancel()
    return heard


async def _hear(stream: trio.abc.ReceiveStream, method: str) -> Heard:
    client = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    client.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
    client.send(h11.EndOfMessage())
    response, body = None, b""
    while True:
        event = client.next_event()
        if event is h11.NEED_DATA:
            client.receive_data(bytes(await stream.receive_some()))
        elif isinstance(event, h11.Response):
            response = event
            fields = {n.decode(): v.decode() for n, v in event.headers}
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
            if fields["content-type"] == "text/event-stream":
                break
        elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            break
    assert response is not None
    return Heard(response.status_code, fields.get("content-type", ""), fields, body)
