"""In an executor: the trace context of the attempt that runs, for the task and what it starts.

A task that asks for it has it in `context.traceparent`, at no cost for any other. Where the program
uses OpenTelemetry, each attempt runs in a span; and where it does, or whoever submitted the job
gave a trace context, the variable TRACEPARENT is set meanwhile, for programs that the task starts.
That costs 11 us a task, twice that with a span that nobody records (measured), and is left out for
all others.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Final

from dc import otel, trace_context
from dc.messages_parts import Failure
from dc.pipe import InFile
from dc.worker.task_run import Batch, Outcome, run_task
from dc.worker.traces import Traces

SPAN: Final = "dc.task"


class Tracing:
    """Runs tasks with their trace context around them.

    Args:
        traces: notices what tasks leave behind; what is done here it is not to notice.
    """

    def __init__(self, traces: Traces) -> None:
        self._traces = traces

    def is_wanted(self, batch: Batch) -> bool:
        """Whether the attempts of a batch are to run with their trace context around them."""
        return bool(batch.traceparent) and (batch.traced or otel.imported() is not None)

    def run(self, batch: Batch, number: int, attempt: int, payload: bytes | InFile) -> Outcome:
        """Run one task with its trace context around it, and return its outcome."""
        if otel.imported() is None:
            span = trace_context.of_attempt(batch.traceparent, number, attempt)
            return self._run_within(span, batch, number, attempt, payload)
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
            outcome = self._run_within(span or batch.traceparent, batch, number, attempt, payload)
            if isinstance(outcome, Failure):
                made.set_attribute("dc.failure", outcome.kind)
                otel.fail(made, outcome.error)
        return run_task(batch, number, attempt, payload) if outcome is None else outcome

    def _run_within(
        self, span: str, batch: Batch, number: int, attempt: int, payload: bytes | InFile
    ) -> Outcome:
        before = os.environ.get(trace_context.VARIABLE)
        self._set(span)
        batch.span = span
        try:
            return run_task(batch, number, attempt, payload)
        finally:
            batch.span = ""
            self._set(before)

    def _set(self, value: str | None) -> None:
        """Set the variable, or take it away, unnoticed."""
        noticed = self._traces.noticed
        if value is None:
            os.environ.pop(trace_context.VARIABLE, None)
        else:
            os.environ[trace_context.VARIABLE] = value
        self._traces.noticed = noticed
