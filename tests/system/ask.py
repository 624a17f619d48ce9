"""Ask a server with TLS for something, from wherever this program runs.

python -m tests.system.ask URL PIN TOKEN METHOD PATH [JSON]
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import trio
from msgspec import json
from msgspec.structs import replace

from dc.dial import dial, read_url
from dc.http_client import HttpClient


async def ask(url: str, pin: str, token: str, method: str, path: str, value: Any) -> Any:
    server = replace(read_url(url), pin=bytes.fromhex(pin))
    access = [("Authorization", f"Bearer {token}")]
    http = HttpClient(partial(dial, server), server.authority, access)
    try:
        with trio.fail_after(20.0):
            return await http.send_json(method, path, value)
    finally:
        await http.aclose()


def main() -> None:
    url, pin, token, method, path, *body = sys.argv[1:]
    value = json.decode(body[0]) if body else None
    sys.stdout.write(json.encode(trio.run(ask, url, pin, token, method, path, value)).decode())


if __name__ == "__main__":
    main()
