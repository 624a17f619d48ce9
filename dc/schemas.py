"""What payloads and results look like, as JSON Schema, for those who have no plugin."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from dc.typed import Typed, type_text

BYTES: Final = "application/octet-stream"
"""The media type of what travels untouched, however the task gets it."""


def schema_of(typed: Typed) -> dict[str, Any]:
    """Return the JSON Schema of one side of a task type.

    What is MessagePack on the wire is described as the JSON that it is like; bytes within it are
    text with `contentEncoding`. A whole payload or result of bytes has a `contentMediaType`
    instead. What JSON Schema cannot describe is only named.
    """
    if typed.codec == "bytes":
        return {"type": "string", "contentMediaType": BYTES}
    try:
        return msgspec.json.schema(typed.kind)
    except Exception:  # some types have no schema, and their own hooks may raise anything
        return {"description": type_text(typed.kind)}
