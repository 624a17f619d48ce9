"""The trace context around an attempt, without OpenTelemetry and with it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.propagate import inject
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import dc
from dc import otel, trace_context
from dc.client.options import check_options
from dc.errors import OptionsError
from dc.messages_parts import Failure
from dc.tasktypes import TaskType, task_type
from dc.worker.task_run import Batch
from dc.worker.traces import Traces
from dc.worker.tracing import Tracing
from tests.test_trace_context import SAID

VARIABLE = trace_context.VARIABLE
TRACING = Tracing(Traces())


@task_type
def looks(payload: bytes, context: dc.Context) -> bytes:
    """Say what the task sees."""
    return f"{os.environ[VARIABLE]} {context.traceparent}".encode()


@task_type
def makes_a_span(payload: bytes, context: dc.Context) -> bytes:
    """Make a span, and say in which trace a request would go out."""
    carrier: dict[str, str] = {}
    with trace.get_tracer("mine").start_as_current_span("inner"):
        inject(carrier)
    if payload:
        raise ValueError("it was to fail")
    return f"{carrier['traceparent']} {context.traceparent} {os.environ[VARIABLE]}".encode()


def batch(kind: TaskType, folder: Path, traceparent: str = SAID) -> Batch:
    return Batch(7, kind, folder, traceparent=traceparent, traced=True)


def texts(outcome: Any) -> list[str]:
    assert isinstance(outcome, bytes), outcome
    return outcome.decode().split()


# --- without ------------------------------------------------------------------------------------


@pytest.fixture
def no_otel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, otel.MODULE)


@pytest.mark.usefixtures("no_otel")
def test_a_task_sees_its_trace_context_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    wanted = trace_context.of_attempt(SAID, 3, 2)
    assert texts(TRACING.run(batch(looks, tmp_path), 3, 2, b"")) == [wanted, wanted]
    assert VARIABLE not in os.environ
    monkeypatch.setenv(VARIABLE, "before")
    TRACING.run(batch(looks, tmp_path), 3, 2, b"")
    assert os.environ[VARIABLE] == "before"


@pytest.mark.usefixtures("no_otel")
@pytest.mark.parametrize("noticed", [False, True])
def test_only_what_the_task_does_is_noticed(noticed: bool, tmp_path: Path) -> None:
    traces = Traces()
    sys.addaudithook(traces._on_audit)

    @task_type
    def sets(payload: bytes) -> bytes:
        """Set a variable, on request."""
        if payload:
            os.environ["DC_TEST_SET"] = "1"
            del os.environ["DC_TEST_SET"]
        return b""

    Tracing(traces).run(batch(sets, tmp_path), 3, 2, b"x" * noticed)
    assert traces.noticed is noticed


@pytest.mark.usefixtures("no_otel")
def test_only_who_asks_has_it_in_the_environment(tmp_path: Path) -> None:
    one = batch(looks, tmp_path)
    assert TRACING.is_wanted(one)
    one.traced = False
    assert not TRACING.is_wanted(one)
    assert one.context(3, 2).traceparent == trace_context.of_attempt(SAID, 3, 2)
    assert not TRACING.is_wanted(batch(looks, tmp_path, ""))


# --- with ---------------------------------------------------------------------------------------


class Harmful(SpanProcessor):
    """Raises at the beginning or the end of a span."""

    def __init__(self, when: str) -> None:
        self._when = when

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        if self._when == "start":
            raise RuntimeError("a processor of the user's is broken")

    def on_end(self, span: ReadableSpan) -> None:
        if self._when == "end":
            raise RuntimeError("a processor of the user's is broken")


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[TracerProvider]:
    """Make a program that uses OpenTelemetry of this one, for one test."""
    made = TracerProvider()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", made)
    yield made
    made.shutdown()


@pytest.fixture
def exported(provider: TracerProvider) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter


def test_an_attempt_is_a_span_below_its_job(exported: InMemorySpanExporter, tmp_path: Path) -> None:
    one = batch(makes_a_span, tmp_path)
    one.traced = False
    assert TRACING.is_wanted(one), "whoever uses OpenTelemetry is traced"
    inner, mine, variable = texts(TRACING.run(one, 3, 2, b""))
    below, span = exported.get_finished_spans()
    assert (below.name, span.name) == ("inner", "dc.task")
    assert span.parent is not None
    assert below.parent is not None
    assert f"{span.parent.trace_id:032x}-{span.parent.span_id:016x}" == SAID[3:52]
    assert span.parent.is_remote
    assert below.parent.span_id == span.context.span_id
    assert mine == variable == f"00-{SAID[3:35]}-{span.context.span_id:016x}-01"
    assert inner == f"00-{SAID[3:35]}-{below.context.span_id:016x}-01"
    assert dict(span.attributes or {}) == {
        "dc.job": 7,
        "dc.task": 3,
        "dc.attempt": 2,
        "dc.type": "makes_a_span",
        "dc.version": "1",
    }
    assert not trace.get_current_span().get_span_context().is_valid
    assert contexts.get_current() == {}


def test_a_failure_is_an_error_of_the_span(exported: InMemorySpanExporter, tmp_path: Path) -> None:
    outcome = TRACING.run(batch(makes_a_span, tmp_path), 3, 2, b"fail")
    assert isinstance(outcome, Failure)
    span = exported.get_finished_spans()[-1]
    assert span.status.status_code is trace.StatusCode.ERROR
    assert span.status.description == outcome.error
    assert (span.attributes or {})["dc.failure"] == "error"


@pytest.mark.parametrize("when", ["start", "end"])
def test_a_broken_tracer_does_no_harm(provider: TracerProvider, when: str, tmp_path: Path) -> None:
    provider.add_span_processor(Harmful(when))
    counted: list[int] = []

    @task_type
    def counts(payload: bytes) -> bytes:
        """Count the calls."""
        counted.append(1)
        return b"done"

    assert TRACING.run(batch(counts, tmp_path), 3, 2, b"") == b"done"
    assert counted == [1]


def test_where_only_the_api_is_there_the_context_is_passed_on(tmp_path: Path) -> None:
    inner, mine, variable = texts(TRACING.run(batch(makes_a_span, tmp_path), 3, 2, b""))
    assert inner == mine == variable == SAID


# --- who submits --------------------------------------------------------------------------------


def test_a_job_is_in_the_trace_of_what_submits_it(
    exported: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert "traceparent" not in check_options({})
    monkeypatch.setenv(VARIABLE, "garbage")
    assert "traceparent" not in check_options({})
    monkeypatch.setenv(VARIABLE, SAID)
    assert check_options({})["traceparent"] == SAID
    with trace.get_tracer("mine").start_as_current_span("outer") as span:
        mine = check_options({})["traceparent"]
        assert mine[36:52] == f"{span.get_span_context().span_id:016x}"
        assert check_options({"traceparent": ""})["traceparent"] == ""
    assert check_options({"traceparent": None})["traceparent"] == SAID


def test_what_is_no_trace_context_is_refused() -> None:
    with pytest.raises(OptionsError, match="looks like 00-TRACE-SPAN-01"):
        check_options({"traceparent": "00-1-2-3"})
