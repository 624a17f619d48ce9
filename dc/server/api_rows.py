"""Pages of lists: how many rows one answer has, and where it begins."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta

from dc import limits, limits_http

Cursor: TypeAlias = Annotated[str, Meta(max_length=4 * limits.TEXT_CHARS)]
Rows: TypeAlias = Annotated[int, Meta(ge=1, le=limits_http.PAGE_ROWS)]
