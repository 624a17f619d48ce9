"""The audit log: what is done has its entry; floods of refusals have few."""

from __future__ import annotations

from dc import limits_access as limits
from dc.roles import LOCAL, NOBODY, Principal
from dc.server.audit_log import AuditLog

ANN = Principal(frozenset({"admin"}), "ann", "tokenid")
NOW = 1e9


def test_what_is_done_has_an_entry() -> None:
    log = AuditLog()
    row = log.done("token.created", ANN, "::1", "token x\nfor bob", NOW)
    assert (row.entry, row.at, row.kind, row.ok) == (1, NOW, "token.created", True)
    assert (row.who, row.token, row.address) == ("ann", "tokenid", "::1")
    assert row.what == "token x�for bob"
    assert log.done("job.cancelled", LOCAL, "", "job 1", NOW).entry == 2
    assert log.take(NOW) == []


def test_long_texts_are_cut() -> None:
    row = AuditLog().done("x", Principal(frozenset(), "n" * 999), "a" * 999, "w" * 9999, NOW)
    assert max(len(row.who), len(row.address)) <= limits.AUDIT_FIELD_CHARS
    assert len(row.what) <= limits.AUDIT_CHARS


def test_refusals_of_a_minute_are_one_entry_and_a_count() -> None:
    log = AuditLog()
    for _ in range(1000):
        log.refused("join.refused", NOBODY, "10.0.0.1", "worker w", NOW)
    log.refused("join.refused", NOBODY, "10.0.0.2", "worker v", NOW)
    first = log.take(NOW)
    assert [(row.address, row.what, row.ok) for row in first] == [
        ("10.0.0.1", "worker w", False),
        ("10.0.0.2", "worker v", False),
    ]
    log.written()
    assert log.take(NOW + limits.REFUSED_SECONDS - 1) == []
    (more,) = log.take(NOW + limits.REFUSED_SECONDS)
    assert (more.address, more.what) == ("10.0.0.1", "999 more like it: worker w")
    log.written()
    assert log.take(NOW + 1e6) == []
    log.refused("join.refused", NOBODY, "10.0.0.1", "worker w", NOW + 1e6)
    assert [row.entry for row in log.take(NOW + 1e6)] == [4]


def test_nothing_is_given_out_while_the_last_is_on_its_way() -> None:
    log = AuditLog()
    log.refused("a", NOBODY, "1", "x", NOW)
    assert len(log.take(NOW)) == 1
    log.refused("b", NOBODY, "1", "x", NOW)
    assert log.take(NOW) == []
    log.written()
    assert len(log.take(NOW)) == 1


def test_a_flood_from_everywhere_has_few_entries() -> None:
    log = AuditLog()
    for number in range(5 * limits.REFUSED_FLOWS):
        log.refused("join.refused", NOBODY, f"10.0.{number // 256}.{number % 256}", "w", NOW)
    rows = log.take(NOW)
    log.written()
    assert len(rows) == limits.REFUSED_FLOWS + 1
    rest = log.take(NOW + limits.REFUSED_SECONDS)
    assert [row.address for row in rest] == [""]
    assert rest[0].what.startswith(f"{4 * limits.REFUSED_FLOWS - 1:,} more")


def test_at_the_end_all_that_was_counted_is_told() -> None:
    log = AuditLog()
    for _ in range(3):
        log.refused("a", NOBODY, "1", "x", NOW)
    log.take(NOW)
    log.written()
    assert [row.what for row in log.take(NOW, all_=True)] == ["2 more like it: x"]
