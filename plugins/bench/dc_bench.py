"""A task type that does nothing, to see what dc itself costs."""

from __future__ import annotations

import dc


@dc.task_type(version="1")
def noop(payload: bytes) -> bytes:
    """Give the payload back: for `python -m dc bench`."""
    return payload
