"""Lists of the server, page by page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from dc import limits_http as limits
from dc.client.plain_client import Client


def rows(
    client: Client, path: str, name: str, most: int | None = None, **query: str | int | None
) -> list[Mapping[str, Any]]:
    """Return the rows of a list, as many pages as it takes.

    Args:
        client: connected to the server.
        path: of the list.
        name: of its rows in an answer.
        most: so many at most; None for all.
        query: what is asked for; what is None or empty is left out.
    """
    found: list[Mapping[str, Any]] = []
    asked = {field: value for field, value in query.items() if value not in (None, "")}
    while most is None or len(found) < most:
        left = limits.PAGE_ROWS if most is None else min(limits.PAGE_ROWS, most - len(found))
        page = client.get(f"{path}?{urlencode({**asked, 'limit': left})}")
        found += page[name]
        if page.get("next") is None:
            break
        asked["cursor"] = page["next"]
    return found
