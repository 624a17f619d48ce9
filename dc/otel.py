"""OpenTelemetry, in programs that use it.

dc does not need it and never imports it: only a program that has imported it has spans, and can see
those that are made here. So it costs nothing where nobody uses it, not even the start of an
executor (to import it takes some 10 ms).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from dc import trace_context

MODULE: Final = "opentelemetry.trace"
TRACER: Final = "dc"


def imported() -> Any:
    """Return the module `opentelemetry.trace`, or None where the program has not imported it."""
    return sys.modules.get(MODULE)


def current() -> str:
    """Return the trace context of the span that is current here; nothing if there is none."""
    api = imported()
    return "" if api is None else _text_of(api.get_current_span().get_span_context())


@contextmanager
def span(name: str, parent: str, attributes: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
    """Make a span, current within; yield it and its trace context.

    Where the program has imported the API alone, nothing is recorded, and the parent's is yielded.

    Args:
        name: of the span.
        parent: the trace context of its parent.
        attributes: what is known of it.
    """
    api = imported()
    around = _context_of(api, parent)
    tracer = api.get_tracer(TRACER)
    kind = api.SpanKind.CONSUMER
    with tracer.start_as_current_span(name, around, kind, dict(attributes)) as made:
        yield made, _text_of(made.get_span_context())


def fail(made: Any, text: str) -> None:
    """Say of a span that what it is about has failed."""
    api = imported()
    made.set_status(api.Status(api.StatusCode.ERROR, text))


def _context_of(api: Any, parent: str) -> Any:
    found = trace_context.parse(parent)
    if found is None:
        return None
    trace, span_, flags = (int(one, 16) for one in found)
    context = api.SpanContext(trace, span_, is_remote=True, trace_flags=api.TraceFlags(flags))
    return api.set_span_in_context(api.NonRecordingSpan(context))


def _text_of(context: Any) -> str:
    if not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"
