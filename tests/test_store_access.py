"""Who is let in, and the audit log, in both stores: they say the same, in bounded space."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from dc import limits_access
from dc.errors import StoreConflict
from dc.records_access import (
    AccessForgotten,
    AccessRecord,
    AccessRows,
    Audited,
    AuditFilter,
    AuditRow,
    GroupForgotten,
    GroupKept,
    GroupRow,
    InviteKept,
    InviteRow,
    TokenKept,
    TokenRow,
    WorkerKeyForgotten,
    WorkerKeyKept,
    WorkerKeyRow,
)
from dc.store import Store
from dc.store_memory import MemoryStore
from dc.store_sqlite import open_store

FEW = settings(max_examples=8, deadline=None)
MOST = 2**62
NAMES = st.sampled_from(["a", "b", "“c”", "d'\n\\"])
TIMES = st.integers(0, 1000).map(lambda at: at / 8)


def both(records: Sequence[AccessRecord], ask: Callable[[Store], Awaitable[Any]]) -> Any:
    """Commit records to both stores; return the answer, which is the same of both."""

    async def answers() -> list[Any]:
        memory = MemoryStore()
        with tempfile.TemporaryDirectory() as folder:
            store = await open_store(Path(folder))
            for record in records:
                await memory.commit([record])
                await store.commit([record])
            await store.aclose()
            store = await open_store(Path(folder))
            found = [await ask(memory), await ask(store)]
            assert await store.check() == []
            await store.aclose()
        return found

    first, second = trio.run(answers)
    assert first == second
    return first


async def all_rows(store: Store) -> AccessRows:
    return await store.access()


TOKENS = st.builds(
    TokenRow,
    NAMES,
    st.binary(min_size=32, max_size=32),
    st.lists(st.sampled_from(["view", "submit", "work", "admin"]), unique=True),
    NAMES,
    TIMES,
    st.none() | TIMES,
    st.none() | TIMES,
    NAMES,
    st.none() | TIMES,
)
INVITES = st.builds(
    InviteRow,
    NAMES,
    st.binary(min_size=32, max_size=32),
    st.sampled_from(["worker", "sign_in"]),
    NAMES,
    TIMES,
    st.just(["view"]),
    NAMES,
    st.booleans(),
    st.none() | st.integers(0, 5),
    st.none() | TIMES,
    st.none() | TIMES,
)
KEYS = st.builds(
    WorkerKeyRow,
    NAMES,
    st.sampled_from(["pending", "joined"]),
    NAMES,
    TIMES,
    NAMES,
    NAMES,
    st.dictionaries(NAMES, NAMES),
    NAMES,
    st.none() | TIMES,
    NAMES,
)
GROUPS = st.builds(GroupRow, NAMES, st.lists(NAMES), NAMES)
RECORDS = (
    st.builds(TokenKept, TOKENS)
    | st.builds(InviteKept, INVITES)
    | st.builds(WorkerKeyKept, KEYS, st.none() | INVITES)
    | st.builds(WorkerKeyForgotten, NAMES)
    | st.builds(AccessForgotten, st.lists(NAMES), st.lists(NAMES))
    | st.builds(GroupKept, GROUPS)
    | st.builds(GroupForgotten, NAMES)
)


@FEW
@given(st.lists(RECORDS, max_size=30))
def test_who_is_let_in_is_the_same_in_both(records: list[AccessRecord]) -> None:
    found = both(records, all_rows)
    names = [row.id for row in found.tokens]
    assert names == sorted(set(names))


def test_the_use_of_an_invite_is_written_with_the_key() -> None:
    invite = InviteRow("1", bytes(32), "worker", "lab", 1.0, uses=2)
    used = InviteRow("1", bytes(32), "worker", "lab", 1.0, uses=1)
    key = WorkerKeyRow("ab", "joined", "w", 2.0, invite="1")
    found = both([InviteKept(invite), WorkerKeyKept(key, used)], all_rows)
    assert found == AccessRows([], [used], [key], [])


# --- the audit log --------------------------------------------------------------------------------


def entry(number: int, kind: str = "token.created", **fields: Any) -> AuditRow:
    known: dict[str, Any] = {"ok": True, "who": "ann", "token": "t", "address": "::1", "what": "x"}
    return AuditRow(number, 1.5, kind, **(known | fields))


ENTRIES = [
    entry(1),
    entry(2, "token.revoked", who="bob"),
    entry(3, "tokens.other", ok=False, address="10.0.0.1"),
    entry(4, "signed_out", what="“quoted” \\ 'text'"),
]


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (AuditFilter(), [4, 3, 2, 1]),
        (AuditFilter(kind="token"), [2, 1]),
        (AuditFilter(kind="token.revoked"), [2]),
        (AuditFilter(kind="signed_out"), [4]),
        (AuditFilter(who="bob"), [2]),
        (AuditFilter(ok=False), [3]),
        (AuditFilter(ok=True, who="ann"), [4, 1]),
        (AuditFilter(address="10.0.0.1"), [3]),
        (AuditFilter(address="10.0.0.1", ok=True), []),
    ],
)
def test_entries_are_found_by_what_is_said_of_them(wanted: AuditFilter, numbers: list[int]) -> None:
    async def ask(store: Store) -> tuple[list[AuditRow], int]:
        return await store.audit(wanted, MOST, 10), await store.next_audit()

    found, next_ = both([Audited(ENTRIES[:2]), Audited(ENTRIES[2:])], ask)
    assert found == [ENTRIES[number - 1] for number in numbers]
    assert next_ == 5


def test_entries_are_read_page_by_page() -> None:
    async def ask(store: Store) -> list[list[AuditRow]]:
        return [await store.audit(AuditFilter(), before, 2) for before in (MOST, 3, 1)]

    found = both([Audited(ENTRIES)], ask)
    assert [[row.entry for row in page] for page in found] == [[4, 3], [2, 1], []]


def test_the_newest_entries_are_kept() -> None:
    most = limits_access.AUDIT_KEPT
    records = [Audited([entry(1), entry(2)]), Audited([entry(most + 1)])]

    async def ask(store: Store) -> list[AuditRow]:
        return await store.audit(AuditFilter(), MOST, 10)

    assert [row.entry for row in both(records, ask)] == [most + 1, 2]


async def test_nothing_of_a_failed_commit_stays(tmp_path: Path) -> None:
    store = await open_store(tmp_path)
    for one in (MemoryStore(), store):
        await one.commit([Audited([entry(1)])])
        key = WorkerKeyRow("ab", "joined", "w", 2.0)
        with pytest.raises(StoreConflict):
            await one.commit([WorkerKeyKept(key), Audited([entry(1)])])
        assert await one.access() == AccessRows([], [], [], [])
    await store.aclose()
