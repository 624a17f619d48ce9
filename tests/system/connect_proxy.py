"""A proxy that passes CONNECT on, as a small office has: `python -m tests.system.connect_proxy`.

Listens on every address at a port, says so, and runs until it is ended.
"""

from __future__ import annotations

import sys
from functools import partial

import trio

MOST_HEAD: int = 4096


async def _pump(source: trio.SocketStream, to: trio.SocketStream) -> None:
    try:
        async for data in source:
            await to.send_all(data)
        await to.send_eof()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass  # the other side is gone; so is this one soon


async def _serve(client: trio.SocketStream) -> None:
    async with client:
        head = b""
        while b"\r\n\r\n" not in head and len(head) < MOST_HEAD:
            head += await client.receive_some() or b"\r\n\r\n"
        method, _, rest = head.decode("latin-1").partition(" ")
        host, _, port = rest.partition(" ")[0].rpartition(":")
        if method != "CONNECT":
            await client.send_all(b"HTTP/1.1 405 Method Not Allowed\r\n\r\n")
            return
        async with await trio.open_tcp_stream(host.strip("[]"), int(port)) as server:
            await client.send_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            print(f"passed on to {host}", flush=True)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_pump, client, server)
                await _pump(server, client)


async def _run(port: int) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(trio.serve_tcp, _serve, port, host="0.0.0.0"))
        print("listening", flush=True)


if __name__ == "__main__":
    trio.run(_run, int(sys.argv[1]))
