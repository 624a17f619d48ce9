"""The trace in which a program submits a job."""

from __future__ import annotations

import os

from dc import otel, trace_context


def traceparent() -> str:
    """Return the trace context of what runs here, or nothing.

    It is that of OpenTelemetry's current span, where the program uses that, and else of the
    environment variable TRACEPARENT, which tools and tasks set for what they start.
    """
    said = os.environ.get(trace_context.VARIABLE, "")
    return otel.current() or (said if trace_context.parse(said) is not None else "")
