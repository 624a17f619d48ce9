"""History, presence, events and settings in both stores: they say the same, in bounded space."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

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
from dc.store import Store
from dc.store_memory import MemoryStore
from dc.store_sqlite import open_store
from dc.view_server import EventView

MOST = 2**62
FEW = settings(max_examples=6, deadline=None)


def step(at: int, done: int = 1, queued: int = 0) -> HistoryStep:
    return HistoryStep(at, done, 2 * done, queued, 1, 2, 3, 4, 5, 6)


def event(number: int, kind: str = "job.submitted", **fields: Any) -> EventView:
    known: dict[str, Any] = {"at": 1.5, "level": "info", "who": "ann", "text": "it was"}
    return EventView(event=number, kind=kind, **(known | fields))


def both(
    records: Sequence[ShownRecord], ask: Callable[[Store], Awaitable[Any]], *, again: bool = True
) -> Any:
    """Commit records to both stores; return the answer, which is the same of both."""

    async def answers() -> list[Any]:
        memory = MemoryStore()
        await memory.commit(records)
        with tempfile.TemporaryDirectory() as folder:
            store = await open_store(Path(folder))
            await store.commit(records)
            if again:
                await store.aclose()
                store = await open_store(Path(folder))
            found = [await ask(memory), await ask(store)]
            assert await store.check() == []
            await store.aclose()
        return found

    first, second = trio.run(answers)
    assert first == second
    return first


# --- history --------------------------------------------------------------------------------------

STEPS = st.lists(
    st.builds(step, st.integers(0, 40).map(lambda at: at * 400), st.integers(0, 5), st.integers(0)),
    max_size=30,
)


@FEW
@given(STEPS.map(lambda steps: [step(s.at, s.done, min(s.queued, 2**60)) for s in steps]))
def test_steps_of_all_lengths_are_those_that_were_written(steps: list[HistoryStep]) -> None:
    """Against a model that keeps every step: it adds up what fell into the same longer one."""

    async def ask(store: Store) -> list[list[HistoryStep]]:
        return [await store.history(long, 0, MOST) for long in limits_shown.HISTORY_KEPT]

    records = [History(steps[at : at + 3]) for at in range(0, len(steps), 3)]
    for long, found in zip(limits_shown.HISTORY_KEPT, both(records, ask), strict=True):
        groups: dict[int, list[HistoryStep]] = {}
        for one in steps:
            groups.setdefault(one.at // long * long, []).append(one)
        assert [one.at for one in found] == sorted(groups)
        for one in found:
            mine = groups[one.at]
            assert one.done == sum(each.done for each in mine)
            assert one.failed == sum(each.failed for each in mine)
            assert one.queued == mine[-1].queued


def test_of_each_length_the_newest_steps_are_kept() -> None:
    count = limits_shown.HISTORY_KEPT[10] + 200
    records = [History([step(10 * at) for at in range(first, first + 100)])
               for first in range(0, count, 100)]  # fmt: skip
    records.append(History([step(3)]))  # the clock was wrong for a while

    async def ask(store: Store) -> dict[int, list[HistoryStep]]:
        return {long: await store.history(long, 0, MOST) for long in limits_shown.HISTORY_KEPT}

    found = both(records, ask)
    for long, steps in found.items():
        assert len(steps) <= limits_shown.HISTORY_KEPT[long]
    assert len(found[10]) == limits_shown.HISTORY_KEPT[10]
    newest = -(-count // 100) * 100
    assert found[10][-1].at == 10 * (newest - 1)
    assert sum(one.done for one in found[7200]) == newest + 1
    assert sum(limits_shown.HISTORY_KEPT.values()) <= 18_000


def test_history_is_read_between_two_times() -> None:
    async def ask(store: Store) -> list[HistoryStep]:
        assert await store.history(77, 0, MOST) == []
        return await store.history(10, 10, 30.5)

    found = both([History([step(at) for at in (0, 10, 20, 30, 40)])], ask)
    assert [one.at for one in found] == [10, 20, 30]


# --- presence -------------------------------------------------------------------------------------

ROWS = st.builds(
    PresenceRow,
    st.sampled_from(["a", "b", "“c”"]),
    st.integers(0, 20).map(lambda at: at / 8),
    st.none() | st.integers(0, 20).map(lambda at: at / 8),
    st.integers(0, 9),
    st.integers(0, 9),
)


@FEW
@given(st.lists(st.builds(Presences, st.lists(ROWS, max_size=3), st.none() | st.just(1.25))))
def test_when_workers_were_here_is_the_same_in_both(records: list[Presences]) -> None:
    async def ask(store: Store) -> list[list[PresenceRow]]:
        return [await store.presence(key) for key in ("a", "b", "“c”", "nobody")]

    both(records, ask)


def test_what_is_open_ends_when_the_server_was_last_alive() -> None:
    rows = [PresenceRow("a", 1.0, None, 3, 1), PresenceRow("b", 9.0, None, 0, 0)]
    records = [Presences(rows), Presences([], 5.0), Presences([PresenceRow("a", 7.0, None, 0, 0)])]

    async def ask(store: Store) -> list[list[PresenceRow]]:
        return [await store.presence("a"), await store.presence("b")]

    mine, other = both(records, ask)
    assert mine == [PresenceRow("a", 7.0, None, 0, 0), PresenceRow("a", 1.0, 5.0, 3, 1)]
    assert other == [PresenceRow("b", 9.0, 9.0, 0, 0)]


def test_the_last_times_of_a_worker_are_kept() -> None:
    most = limits_shown.PRESENCES_OF_WORKER
    rows = [PresenceRow("a", float(at), at + 0.5, 0, 0) for at in range(most + 20)]
    other = PresenceRow("b", 0.0, 0.5, 0, 0)

    async def ask(store: Store) -> list[list[PresenceRow]]:
        return [await store.presence("a"), await store.presence("b")]

    found, kept = both([Presences([other]), *(Presences([row]) for row in rows)], ask)
    assert found == rows[: -most - 1 : -1]
    assert kept == [other]


# --- events ---------------------------------------------------------------------------------------

WORDS = st.sampled_from(["", "it", "IT", "%", "_", "\\", "ä", "Ä", "job.1", '"'])
FIELDS = {
    "who": st.sampled_from(["ann", "server", "ö"]),
    "worker": st.sampled_from(["", "w", "x"]),
    "job": st.none() | st.integers(0, 2),
}
EVENTS = st.builds(
    event,
    st.just(0),
    st.sampled_from(["job.submitted", "job.paused", "worker.came"]),
    level=st.sampled_from(["info", "error"]),
    text=st.lists(WORDS, max_size=3).map("".join),
    **FIELDS,
)
FILTERS = st.builds(
    EventFilter,
    kind=st.sampled_from(["", "job", "job.paused", "worker", "jo"]),
    level=st.sampled_from(["", "error"]),
    who=st.sampled_from(["", "ann", "ö"]),
    job=FIELDS["job"],
    worker=FIELDS["worker"],
    search=WORDS,
)


@FEW
@given(
    st.lists(EVENTS, max_size=20),
    st.lists(st.tuples(FILTERS, st.integers(0, 5), st.integers(1, 25), st.integers(1, 9))),
)
def test_events_are_found_the_same_in_both(
    found: list[EventView], wanted: list[tuple[EventFilter, int, int, int]]
) -> None:
    rows = [
        event(number, row.kind, level=row.level, who=row.who, text=row.text, job=row.job,
              worker=row.worker)
        for number, row in enumerate(found, start=1)
    ]  # fmt: skip

    async def ask(store: Store) -> list[Any]:
        assert await store.events(EventFilter(), 0, MOST, 100) == rows[::-1]
        return [await store.next_event(), *[await store.events(*one) for one in wanted]]

    both([Events(rows[:5]), Events(rows[5:])], ask)


def test_the_newest_events_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    most = limits_shown.EVENTS_KEPT
    records = [Events([event(1), event(2), event(3)]), Events([event(most + 2)])]

    async def ask(store: Store) -> list[int]:
        assert await store.next_event() == most + 3
        return [one.event for one in await store.events(EventFilter(), 0, MOST, 10)]

    assert both(records, ask) == [most + 2, 3]


def test_texts_of_any_kind_come_back_as_they_were() -> None:
    row = event(1, text="<b>\x00\u202e\n'\"\\", who="\x00", worker="w\x00", task=2**31, job=1)
    assert both([Events([row])], lambda store: store.events(EventFilter(), 0, 9, 9)) == [row]


# --- settings -------------------------------------------------------------------------------------


def test_settings_stay_until_they_are_taken_back() -> None:
    records = [SettingChanged("a", "1"), SettingChanged("b", ""), SettingChanged("a", "2")]
    assert both(records, lambda store: store.settings()) == {"a": "2", "b": ""}
    records.append(SettingChanged("a", None))
    assert both([*records, SettingChanged("c", None)], lambda store: store.settings()) == {"b": ""}
