"""Jobs over workers and time: lanes, rows of single attempts, traces."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dc import limits_shown
from dc.messages_parts import Failure
from dc.records import AttemptEnd, Outcomes
from dc.server.bins import OTHERS, Bins
from dc.server.timelines import (
    CHAIN_SECONDS,
    Now,
    in_rows,
    span_of_end,
    span_of_running,
    spans_of,
    timeline,
)
from dc.server.trace_events import TraceEvents, encoded
from dc.view_jobs import CountsView, JobView, Span

MOMENTS = st.lists(
    st.tuples(st.sampled_from("ab"), st.floats(0, 1e4), st.floats(0, 100)), min_size=1, max_size=20
)


def bins_of(moments: list[tuple[str, float, float]]) -> Bins:
    bins = Bins()
    for worker, at, time in moments:
        micros = int(time * 1e6 + 0.5)
        bins.add(worker, 1e6 + at, [time], micros, micros, failed=time > 50)
    return bins


@given(MOMENTS, st.integers(1, 400))
def test_lanes_have_all_that_is_in_the_bins(moments: list[Any], steps: int) -> None:
    bins = bins_of(moments)
    since, until = bins.range() or (0.0, 0.0)
    view = timeline(1, bins, [], until, since, until - 1e-6, steps)
    assert view.since <= since
    assert view.until >= until - 1e-6
    for lane in view.lanes:
        mine = [(at, time) for worker, at, time in moments if worker == lane.worker]
        assert len(lane.busy) == len(lane.failed) <= steps
        assert sum(lane.busy) * view.step == pytest.approx(sum(t for _, t in mine), abs=1e-3)
        assert sum(lane.failed) == sum(t > 50 for _, t in mine)


def test_a_part_of_the_time_is_shown_in_finer_steps() -> None:
    bins = bins_of([("a", at, 1.0) for at in range(1, 101)])
    whole = timeline(1, bins, [], 0.0, 1e6, 1e6 + 100, 10)
    assert whole.step == pytest.approx(10, rel=0.2)
    part = timeline(1, bins, [], 0.0, 1e6 + 50, 1e6 + 60, 400)
    assert part.step == bins.step / 1e6
    assert part.lanes[0].busy == [1.0] * len(part.lanes[0].busy)
    nothing = timeline(1, bins, [], 0.0, 2e6, 2e6 + 60, 400)
    assert nothing.lanes == []


def test_what_runs_is_in_the_lanes() -> None:
    running = [Now(3, 1, "a", 1e6 + 0.75), Now(4, 1, "b", 1e6 - 5)]
    view = timeline(1, Bins(), running, 1e6 + 2, 1e6, 1e6 + 1.9, 4)
    assert (view.since, view.until, view.step) == (1e6, 1e6 + 2, 0.5)
    assert [lane.busy for lane in view.lanes] == [[0.0, 0.5, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]]


@given(st.floats(0, 1e11), st.floats(0, 1e11), st.integers(1, 400))
def test_any_time_is_shown_in_any_number_of_steps(since: float, span: float, steps: int) -> None:
    until = min(since + span, 1e11)
    view = timeline(1, Bins(), [Now(1, 1, "a", since)], until, since, until, steps)
    assert view.since <= since
    assert view.until >= until
    assert all(len(lane.busy) <= steps for lane in view.lanes)


@pytest.mark.parametrize("span", [3600.0, 1e6])
def test_an_hour_of_these_days_is_shown_in_a_single_step(span: float) -> None:
    view = timeline(1, Bins(), [], 1.8e9, 1.8e9 - span, 1.8e9, 1)
    assert view.since <= 1.8e9 - span
    assert view.until > 1.8e9


def test_workers_that_have_no_lane_share_one() -> None:
    running = [Now(n, 1, f"w{n}", 1e6) for n in range(limits_shown.FIGURES_LANES + 5)]
    view = timeline(1, Bins(), running, 1e6 + 1, 1e6, 1e6 + 0.9, 2)
    assert len(view.lanes) == limits_shown.FIGURES_LANES + 1
    assert {lane.worker: lane.busy for lane in view.lanes}[OTHERS] == [5.0, 5.0]


# --- single attempts ------------------------------------------------------------------------------


def overlaps(spans: Sequence[tuple[object, float, float]]) -> bool:
    """Whether two spans of one row overlap."""
    rows = defaultdict(list)
    for row, began, ended in spans:
        rows[row].append((began, ended))
    return any(
        end > begin
        for mine in rows.values()
        for (_, end), (begin, _) in zip(sorted(mine), sorted(mine)[1:], strict=False)
    )


def most_at_a_time(spans: list[Span]) -> int:
    events = [(s.began, 1) for s in spans] + [(s.ended or 1e18, -1) for s in spans]
    most = now = 0
    for _, step in sorted(events):
        now += step
        most = max(most, now)
    return most


SPANS = st.lists(
    st.builds(
        lambda worker, began, time: Span(0, 1, worker, -1, began, began + time, "done"),
        st.sampled_from("ab"),
        st.integers(0, 50).map(float),
        st.integers(1, 20).map(float),
    ),
    max_size=30,
)


@given(SPANS)
def test_attempts_of_a_row_do_not_overlap(spans: list[Span]) -> None:
    found = in_rows(spans)
    assert sorted(s.began for s in found) == [s.began for s in found]
    assert not overlaps([((s.worker, s.slot), s.began, s.ended or 0) for s in found])
    for worker in "ab":
        mine = [s for s in found if s.worker == worker]
        assert {s.slot for s in mine} == set(range(most_at_a_time(mine)))


def test_spans_come_of_outcomes_ends_and_what_runs() -> None:
    failure = Failure("memory", "too much")
    record = Outcomes(1, 1, "w", 100.0, [4, 5], [1, 2], [3.0, 1.0], [b"", failure])
    assert list(spans_of(record)) == [
        Span(5, 2, "w", -1, 99.0, 100.0, "memory"),
        Span(4, 1, "w", -1, 97.0, 100.0, "done"),
    ]
    nobody = Outcomes(1, 1, "", 100.0, [4], [0], [0.0], [Failure("cancelled", "")])
    assert list(spans_of(nobody)) == []
    assert span_of_end(AttemptEnd(1, 2, "w", "lost", 9.0, 5.0)) == Span(
        1, 2, "w", -1, 5.0, 9.0, "lost"
    )
    assert span_of_end(AttemptEnd(1, 2, "w", "lost", 9.0)) is None
    assert span_of_running(Now(1, 2, "w", 5.0)).ended is None


def test_short_tasks_of_a_report_ran_one_after_the_other() -> None:
    count = 100
    columns: Any = list(range(count)), [1] * count, [0.05] * count, [b""] * count
    spans = in_rows(spans_of(Outcomes(1, 1, "w", 100.0, *columns)))
    assert max(span.slot for span in spans) == 4  # 5 s of work, in chains of about one second
    assert min(span.began for span in spans) > 100 - CHAIN_SECONDS - 0.1


# --- traces ---------------------------------------------------------------------------------------

NUMBER, TEXT = {"type": "number", "minimum": 0}, {"type": "string", "minLength": 1}
COMMON = {"name": TEXT, "pid": {"type": "integer"}, "tid": {"type": "integer"}, "ts": NUMBER}
EVENTS: dict[str, dict[str, Any]] = {
    "X": COMMON | {"dur": NUMBER, "cat": TEXT, "args": {"type": "object"}},
    "i": COMMON | {"s": {"enum": ["g", "p", "t"]}},
    "M": COMMON | {"name": {"enum": ["process_name", "thread_name"]}, "args": {"type": "object"}},
}
"""The fields that the Trace Event Format asks of complete, instant and metadata events."""


def check(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Check a trace against the format, and return its complete events."""
    assert document["displayTimeUnit"] in ("ms", "ns")
    events: list[dict[str, Any]] = document["traceEvents"]
    for event in events:
        for field, rule in EVENTS[event["ph"]].items():
            value = event[field]
            if "enum" in rule:
                assert value in rule["enum"]
            kinds: dict[str, Any] = {
                "number": (int, float),
                "integer": int,
                "string": str,
                "object": dict,
            }
            assert isinstance(value, kinds.get(rule.get("type", ""), object))
            assert value >= rule["minimum"] if "minimum" in rule else True
    complete = [event for event in events if event["ph"] == "X"]
    rows = [((e["pid"], e["tid"]), e["ts"], e["ts"] + e["dur"]) for e in complete]
    assert not overlaps(rows)
    named = {(e["pid"], e["tid"]) for e in events if e["name"] == "thread_name"}
    assert {row for row, _, _ in rows} == named
    processes = {e["pid"] for e in events if e["name"] == "process_name"}
    assert {event["pid"] for event in events} == processes
    return complete


def a_job(**changes: Any) -> JobView:
    fields: dict[str, Any] = {
        "job": 7, "name": "n", "type": "t", "version": "1", "payload": "", "result": "",
        "state": "done", "note": "", "why": "", "reason": None, "counts": CountsView(),
        "priority": 0, "retries": 0, "timeout": 0.0, "requires": {}, "resources": {},
        "alternatives": [], "needs": [], "limits": {}, "environment": {}, "submitter": "",
        "weight": 1.0, "after": [], "after_what": "", "each": False, "not_before": None,
        "deadline": None, "created": 5.0, "bytes": 0, "inputs": {}, "keep_output": False,
        "started_at": 6.0, "finished_at": 90.0,
    }  # fmt: skip
    return JobView(**fields | changes)


def trace_of(pages: list[list[Span]], limit: int = 1000) -> dict[str, Any]:
    events = TraceEvents(a_job(), limit, 100.0)
    body = b'{"displayTimeUnit": "ms", "traceEvents": [' + encoded(events.begin(), first=True)
    for page in pages:
        body += encoded(events.attempts(page), first=False)
    document: dict[str, Any] = json.loads(body + b"]}")
    return document


@given(st.lists(SPANS, max_size=3))
def test_a_trace_is_as_the_format_asks(pages: list[list[Span]]) -> None:
    ordered = [sorted(page, key=lambda span: span.ended or 0) for page in pages]
    complete = check(trace_of(ordered))
    assert len(complete) == sum(map(len, pages))


def test_a_trace_says_what_it_is_of() -> None:
    spans = [
        Span(1, 2, "w", -1, 6.0, 7.5, "done"),
        Span(2, 1, "w", -1, 7.5, 8.0, "error"),
        Span(3, 1, "w", -1, 7.0, None, "running"),
        Span(4, 1, "w", -1, 1.0, 2.0, "done"),
    ]
    document = trace_of([spans])
    first, *_ = complete = check(document)
    assert (first["ts"], first["dur"], first["cat"]) == (1_000_000, 1_500_000, "done")
    assert first["args"] == {"task": 1, "attempt": 2, "end": "done"}
    assert [event["tid"] for event in complete[:3]] == [1, 1, 2]
    assert complete[2]["dur"] == 93_000_000, "what runs ends now"
    assert (complete[3]["ts"], complete[3]["dur"]) == (0, 0), "before the job there is nothing"
    instants = [e["name"] for e in document["traceEvents"] if e["ph"] == "i"]
    assert instants == ["submitted", "started", "done"]
    assert len(check(trace_of([spans], limit=2))) == 2
