"""History, presence, events and settings as rows of the database, and back."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from dc import limits_shown
from dc.records_shown import (
    EventFilter,
    Events,
    History,
    HistoryStep,
    PresenceRow,
    Presences,
    SettingChanged,
    ShownRecord,
)
from dc.view_server import EventView

DRIVERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "job": "job = :job AND",
        "worker": "worker = :worker AND worker != '' AND",
        "who": "who = :who AND",
        "kind": "kind = :kind AND",
        "family": "family = :family AND",
        "level": "level = :level AND",
    }
)
"""What of a filter has an index `events_of_…`, and how it is put so that the index serves: what is
rarest comes first."""

FIELDS: Final = ("event", "at", "level", "kind", "who", "text", "job", "task", "worker")
"""Of an event, in the order in which the database has them."""

_encode = msgspec.json.Encoder().encode
_steps = msgspec.json.Decoder(list[HistoryStep])
_presence = msgspec.json.Decoder(list[PresenceRow])
_events = msgspec.json.Decoder(list[tuple[Any, ...]])


def shown_line(record: ShownRecord) -> tuple[int, str | None, float | None, str | None]:
    """Return the kind, the key, the time and the head of a record's row in the view `incoming`."""
    match record:
        case History(steps):
            return 61, None, None, _text(steps)
        case Presences(rows, ended):
            return 62, None, ended, _text(rows)
        case Events(rows):
            return 63, None, None, _text([[getattr(row, name) for name in FIELDS] for row in rows])
        case SettingChanged(name, value):
            return 64, name, None, value


def _text(value: object) -> str:
    return _encode(value).decode()


class ShownReader:
    """Reads it over one connection.

    Args:
        connection: which it does not close.
        queries: all queries, by name.
    """

    def __init__(self, connection: sqlite3.Connection, queries: Mapping[str, str]) -> None:
        self._connection = connection
        self._queries = queries

    def _one(self, name: str, **values: object) -> Any:
        return self._connection.execute(self._queries[name], values).fetchone()

    def history(self, step: int, since: float, until: float) -> list[HistoryStep]:
        """See Store."""
        (text,) = self._one("history", step=step, since=since, until=until)
        return _steps.decode(text)

    def presence(self, key: str) -> list[PresenceRow]:
        """See Store."""
        (text,) = self._one("presence", key=key)
        return _presence.decode(text)

    def settings(self) -> dict[str, str]:
        """See Store."""
        return dict(self._connection.execute(self._queries["settings"]).fetchall())

    def next_event(self) -> int:
        """See Store."""
        (event,) = self._one("next_event")
        return int(event)

    def events(self, wanted: EventFilter, after: int, before: int, limit: int) -> list[EventView]:
        """See Store."""
        values = filter_values(wanted)
        between = {"first": after + 1, "before": before, "limit": limit}
        sql = self._queries["events"]
        driver = next((name for name in DRIVERS if values[name] not in ("", None)), None)
        if driver is not None:
            by = f"FROM events INDEXED BY events_of_{driver} WHERE {DRIVERS[driver]}"
            sql = sql.replace("FROM events WHERE", by)
        (text,) = self._connection.execute(sql, values | between).fetchone()
        rows = _events.decode(text)
        return [EventView(**dict(zip(FIELDS, row, strict=True))) for row in rows]


def filter_values(wanted: EventFilter) -> dict[str, str | int | None]:
    """Return a filter as the values of a query."""
    whole = "." in wanted.kind
    marked = wanted.search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return {
        "level": wanted.level,
        "kind": wanted.kind if whole else "",
        "family": "" if whole else wanted.kind,
        "who": wanted.who,
        "job": wanted.job,
        "worker": wanted.worker,
        "search": f"%{marked[: limits_shown.EVENT_SEARCH_CHARS]}%" if marked else "",
    }
