"""How many rows of a list one answer has."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta

from dc import limits

Rows: TypeAlias = Annotated[int, Meta(ge=1, le=limits.PAGE_ROWS)]
