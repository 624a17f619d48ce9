"""`python -m dc.healthcheck [URL]`: whether what runs in this container is well, for its engine.

A server is if it answers a request, with whatever; a request without TLS is enough for that, for a
port with TLS answers it with the way to it. A worker is if it runs: while its server is away, it is
as it should be.
"""

from __future__ import annotations

import http.client
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from dc import limits

DEFAULT_URL: Final = f"http://{limits.DEFAULT_HOST}:{limits.DEFAULT_PORT}/"
SECONDS: Final = 5.0
"""A server that takes longer to say anything is not well."""

FIRST: Final = Path("/proc/1/cmdline")
FAILED: Final = 500
"""From this status on an answer says that the server itself has failed."""

WELL, ILL = 0, 1


def is_worker(first: Path = FIRST) -> bool:
    """Whether the first process of this container is a worker."""
    try:
        return b"dc.worker" in first.read_bytes().split(b"\0")
    except OSError:
        return False


def trouble(url: str, seconds: float = SECONDS) -> str:
    """Return what is wrong with the server at an address; nothing if it answers."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or limits.DEFAULT_PORT
        connection = http.client.HTTPConnection(host, port, timeout=seconds)
        try:
            connection.request("GET", "/")
            status = connection.getresponse().status
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f"no answer from {url}: {error}"
    return (
        f"{url} answers with status {status}" if status >= http.client.INTERNAL_SERVER_ERROR else ""
    )


def main(argv: Sequence[str] | None = None, first: Path = FIRST) -> int:
    """Look; return 0 if it is well, else 1."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words and is_worker(first):
        return WELL
    wrong = trouble(words[0] if words else DEFAULT_URL)
    if wrong:
        print(wrong, file=sys.stderr)
    return ILL if wrong else WELL


if __name__ == "__main__":
    sys.exit(main())
