"""Trace context of jobs and attempts, as in W3C Trace Context: one text, `traceparent`.

It names a trace and a span in it: `00-TRACE-SPAN-FLAGS`, in hexadecimal. A job is in the trace of
what submitted it, and else in one of its own, which is the same after any restart. An attempt has a
span that follows from its job's, its number and which try it is.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

TRACEPARENT: Final = "traceparent"
VARIABLE: Final = "TRACEPARENT"
"""The environment variable by which programs pass it on to those that they start."""

SAMPLED: Final = "01"
_FORM: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


def parse(text: str) -> tuple[str, str, str] | None:
    """Return trace, span and flags in hexadecimal; None where a text is no trace context."""
    found = _FORM.fullmatch(text)
    if found is None or not (int(found[1], 16) and int(found[2], 16)):
        return None
    return found[1], found[2], found[3]


def of_job(said: str, server: str, job: int) -> str:
    """Return the parent of what a job's tasks do.

    Args:
        said: of what submitted it; may be empty.
        server: names the data folder.
        job: its number.
    """
    if parse(said) is not None:
        return said
    digest = hashlib.sha256(f"{server}/jobs/{job}".encode()).hexdigest()
    return f"00-{digest[:32]}-{digest[32:48]}-{SAMPLED}"


def of_attempt(parent: str, number: int, attempt: int) -> str:
    """Return the trace context of an attempt, whose parent this is; nothing if there is none."""
    found = parse(parent)
    if found is None:
        return ""
    trace, span, flags = found
    digest = hashlib.sha256(f"{trace}/{span}/{number}/{attempt}".encode()).hexdigest()
    return f"00-{trace}-{digest[:16]}-{flags}"
