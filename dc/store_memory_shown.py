"""History, presence, events and settings in the store's twin in memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import trio
from msgspec.structs import replace

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


class MemoryShown:
    """The part of the twin that keeps what is to be shown."""

    def __init__(self) -> None:
        self._settings: dict[str, str] = {}
        self._history: dict[int, dict[int, HistoryStep]] = {
            step: {} for step in limits_shown.HISTORY_KEPT
        }
        self._presence: dict[tuple[str, float], PresenceRow] = {}
        self._events: dict[int, EventView] = {}

    def _show(self, record: ShownRecord, undo: list[Callable[[], object]]) -> None:
        """Take in a record."""
        match record:
            case History(steps):
                undo.append(partial(setattr, self, "_history", self._history))
                self._history = {
                    step: _rolled_up(step, known, steps) for step, known in self._history.items()
                }
            case Presences(rows, ended):
                undo.append(partial(setattr, self, "_presence", self._presence))
                self._presence = _with_presences(self._presence, rows, ended)
            case Events(rows):
                undo.append(partial(setattr, self, "_events", self._events))
                found = self._events | {row.event: row for row in rows}
                first = max(found, default=0) - limits_shown.EVENTS_KEPT
                self._events = {event: row for event, row in found.items() if event > first}
            case SettingChanged(name, value):
                undo.append(partial(setattr, self, "_settings", self._settings))
                others = {n: text for n, text in self._settings.items() if n != name}
                self._settings = others | ({} if value is None else {name: value})

    async def history(self, step: int, since: float, until: float) -> list[HistoryStep]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        known = self._history.get(step, {})
        return [known[at] for at in sorted(known) if since <= at < until]

    async def presence(self, key: str) -> list[PresenceRow]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        mine = [row for row in self._presence.values() if row.key == key]
        return sorted(mine, key=lambda row: row.since, reverse=True)

    async def next_event(self) -> int:
        """See Store."""
        await trio.lowlevel.checkpoint()
        return max(self._events, default=0) + 1

    async def events(
        self, wanted: EventFilter, after: int, before: int, limit: int
    ) -> list[EventView]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        found = [self._events[event] for event in sorted(self._events, reverse=True)]
        return [row for row in found if after < row.event < before and fits(row, wanted)][:limit]

    async def settings(self) -> dict[str, str]:
        """See Store."""
        await trio.lowlevel.checkpoint()
        return dict(sorted(self._settings.items()))


def fits(row: EventView, wanted: EventFilter) -> bool:
    """Whether an event is what a filter wants."""
    family = row.kind.partition(".")[0]
    search = wanted.search[: limits_shown.EVENT_SEARCH_CHARS]
    return (
        wanted.level in ("", row.level)
        and wanted.kind in ("", row.kind, family)
        and wanted.who in ("", row.who)
        and wanted.job in (None, row.job)
        and wanted.worker in ("", row.worker)
        and _folded(search) in _folded(row.text)
    )


def _folded(text: str) -> str:
    return "".join(one.lower() if one.isascii() else one for one in text)


def _rolled_up(
    step: int, known: dict[int, HistoryStep], steps: list[HistoryStep]
) -> dict[int, HistoryStep]:
    found = dict(known)
    for one in steps:
        at = one.at // step * step
        old = found.get(at)
        if old is not None:
            one = replace(one, done=old.done + one.done, failed=old.failed + one.failed)
        found[at] = replace(one, at=at)
    return {at: found[at] for at in sorted(found)[-limits_shown.HISTORY_KEPT[step] :]}


def _with_presences(
    known: dict[tuple[str, float], PresenceRow], rows: list[PresenceRow], ended: float | None
) -> dict[tuple[str, float], PresenceRow]:
    found = dict(known)
    if ended is not None:
        for place, row in found.items():
            if row.until is None:
                found[place] = replace(row, until=max(row.since, ended))
    found.update(((row.key, row.since), row) for row in rows)
    for key in {row.key for row in rows}:
        mine = sorted(place for place in found if place[0] == key)
        for place in mine[: -limits_shown.PRESENCES_OF_WORKER]:
            del found[place]
    return found
