"""The tasks that every system runs. Only the standard library is imported here."""

from __future__ import annotations

import time


def noop(payload: bytes) -> bytes:
    """Give the payload back."""
    return payload


def nap(payload: bytes) -> bytes:
    """Sleep for the seconds that the payload begins with; give it back."""
    time.sleep(float(payload.split(b" ", 1)[0]))
    return payload


def noops(payloads: list[bytes]) -> list[bytes]:
    """Do many no-ops in one task: what users write by hand where a system has no chunks."""
    return [noop(payload) for payload in payloads]
