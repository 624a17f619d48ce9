"""In an executor: the trace context of the attempt that runs, for the task and what it starts.

A task that asks for it has it in `context.traceparent`, at no cost for any other. Where the program
uses OpenTelemetry, each attempt runs in a span; and where it does, or whoever submitted the job
gave a trace context, the variable TRACEPARENT is set meanwhile, for programs that the task starts.
To set and take back a variable costs 5 us, and has the executor looked through afterwards (10 us,
see `traces.py`): so that is not done for all.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Final

from dc import otel, trace_context
from dc.messages import Failure
from dc.pipe import InFile
from dc.worker.task_run import Batch, Outcome, run_task

SPAN: Final = "dc.task"


def is_wanted(batch: Batch) -> bool:
    """Whether the attempts of a batch are to run with their trace context around them."""
    return bool(batch.traceparent) and (batch.traced or otel.imported() is not None)


def run_traced(batch: Batch, number: int, attempt: int, payload: bytes | InFile) -> Outcome:
    """Run one task with its trace context around it, and return its outcome."""
    if otel.imported() is None:
        span = trace_context.of_attempt(batch.traceparent, number, attempt)
        return _run_within(span, batch, number, attempt, payload)
    attributes = {
        "dc.job": batch.job,
        "dc.task": number,
        "dc.attempt": attempt,
        "dc.type": batch.task_type.name,
        "dc.version": batch.task_type.version,
    }
    outcome: Outcome | None = None
    # What traces is not to do harm, whatever it raises.
    with suppress(Exception), otel.span(SPAN, batch.traceparent, attributes) as (made, span):
        outcome = _run_within(span or batch.traceparent, batch, number, attempt, payload)
        if isinstance(outcome, Failure):
            made.set_attribute("dc.failure", outcome.kind)
            otel.fail(made, outcome.error)
    return run_task(batch, number, attempt, payload) if outcome is None else outcome


def _run_within(
    span: str, batch: Batch, number: int, attempt: int, payload: bytes | InFile
) -> Outcome:
    before = os.environ.get(trace_context.VARIABLE)
    os.environ[trace_context.VARIABLE] = batch.span = span
    try:
        return run_task(batch, number, attempt, payload)
    finally:
        batch.span = ""
        if before is None:
            os.environ.pop(trace_context.VARIABLE, None)
        else:
            os.environ[trace_context.VARIABLE] = before
