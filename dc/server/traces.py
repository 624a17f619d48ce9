"""Streams the trace of a job: read page by page, whatever its size."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing

import trio

from dc import limits_shown
from dc.records import AttemptEnd
from dc.server.app import ServerApp
from dc.server.figure_views import FigureViews
from dc.server.timelines import span_of_end, span_of_running, spans_of
from dc.server.trace_events import TraceEvents, encoded
from dc.view_jobs import JobView, Span

HEAD = b'{"displayTimeUnit": "ms", "traceEvents": [\n'
TAIL = b"\n]}\n"

PIECE = 200
"""Attempts that become JSON in one turn of the loop: some milliseconds."""


class Traces:
    """Makes traces of jobs.

    Args:
        app: the server.
        figures: where it looks up what runs.
    """

    def __init__(self, app: ServerApp, figures: FigureViews) -> None:
        self._app = app
        self._figures = figures

    async def pieces(self, job: JobView, limit: int) -> AsyncGenerator[bytes, None]:
        """Yield a job's trace in the Trace Event Format, as pieces of JSON.

        Args:
            job: the job.
            limit: attempts, at most.
        """
        events = TraceEvents(job, limit, self._app.wall())
        yield HEAD + encoded(events.begin(), first=True)
        async with aclosing(self._spans(job.job)) as pages:
            async for spans in pages:
                for at in range(0, len(spans), PIECE):
                    yield encoded(events.attempts(spans[at : at + PIECE]), first=False)
                    await trio.lowlevel.checkpoint()  # others have their turn
                if events.full:
                    break
        running = map(span_of_running, self._figures.running(job.job))
        yield encoded(events.attempts(sorted(running, key=_began)), first=False) + TAIL

    async def _spans(self, job: int) -> AsyncGenerator[list[Span], None]:
        """Yield attempts in the order of their ends: a page of outcomes, and what ended meanwhile.

        Attempts whose outcomes do not stand are few, and are read at the beginning.
        """
        store, after = self._app.store, 0
        others = sorted(
            _known(await store.attempt_ends(job, 0, limits_shown.TRACE_ENDS)), key=_ended
        )
        while records := await store.bare_outcomes(job, after, limits_shown.TRACE_READ_BYTES):
            after, until = records[-1].sequence, records[-1].at
            found = [span for record in records for span in spans_of(record)]
            count = sum(_ended(span) <= until for span in others)
            yield sorted(found + others[:count], key=_ended)
            del others[:count]
        yield others


def _known(ends: Iterable[AttemptEnd]) -> list[Span]:
    return [span for end in ends if (span := span_of_end(end)) is not None]


def _began(span: Span) -> float:
    return span.began


def _ended(span: Span) -> float:
    return span.began if span.ended is None else span.ended
