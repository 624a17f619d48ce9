"""Requests of HTTP counted by what they ask for, in a bounded set of labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from dc import limits_shown
from dc.server.histogram import Histogram

BOUNDS: Final = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0)
"""Seconds until an answer begins."""

WORDS: Final = frozenset(
    {
        *("api", "backup", "blobs", "cancel", "delete", "drain", "events", "figures", "history"),
        *("inputs", "jobs", "metrics", "openapi.json", "output", "overview", "pause", "payload"),
        *("plugins", "priority", "rename", "restart", "result", "results", "resume", "retry"),
        *("settings", "socket", "status", "stop", "stream", "submit", "submitters", "tasks"),
        *("access", "approve", "audit", "groups", "invites", "join", "knock", "me", "reveal"),
        *("sign-in", "sign-out", "tokens", "worker-keys"),
        *("arm64", "boot", "boot.ipxe", "initrd.img", "vmlinuz", "worker.iso"),
        *("timeline", "trace", "types", "worker-history", "workers"),
    }
)
"""Parts of paths that stand for themselves; any other is a name or a number of something."""

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER: Final = "other"


class RequestTally:
    """Counts requests.

    Attributes:
        counts: by method, route and class of the status, such as `2xx`.
        seconds: until answers began.
    """

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str, str]] = Counter()
        self.seconds = Histogram(BOUNDS)

    def count(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        key = (method if method in METHODS else OTHER, route_of(path), f"{status // 100}xx")
        if key not in self.counts and len(self.counts) >= limits_shown.COUNTED_ROUTES:
            key = (OTHER, OTHER, key[2])
        self.counts[key] += 1
        self.seconds.add([seconds])


def route_of(path: str) -> str:
    """Return a path with `*` in place of each name and number of something."""
    parts: Sequence[str] = path.strip("/").split("/")
    if len(parts) > limits_shown.ROUTE_PARTS:
        return OTHER
    return "/" + "/".join(part if part in WORDS or not part else "*" for part in parts)
