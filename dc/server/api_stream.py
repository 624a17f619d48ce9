"""`/api/stream`: what changes, as server-sent events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from msgspec import Struct

from dc import limits_shown
from dc.errors import TooManyWatchers, UnknownTopic
from dc.http import Response
from dc.messages_parts import Sequenced
from dc.roles import Principal
from dc.server.live_streams import LiveStreams
from dc.server.routes import Call, Route
from dc.server.topics import Topic, read_topics

EVENTS: Final = "text/event-stream"

MayWatch: TypeAlias = Callable[[Principal, Sequence[Topic]], Awaitable[Sequence[Topic]]]


class StreamQuery(Struct, forbid_unknown_fields=True):
    """What is to be watched, see topics.py; `after` is the last event that the reader has had."""

    topics: str = ""
    after: Sequenced | None = None


class StreamApi:
    """Answers requests for streams.

    Args:
        streams: all there are.
        may_watch: gives topics as somebody may watch them, or raises a DcError.
    """

    def __init__(self, streams: LiveStreams, may_watch: MayWatch) -> None:
        self._streams = streams
        self._may_watch = may_watch

    def routes(self) -> list[Route]:
        """Return what there is of streams."""
        problems = UnknownTopic, TooManyWatchers
        return [
            Route(
                "GET", "/api/stream", self._stream, EVENTS, "What changes, as it changes", "server",
                query=StreamQuery, problems=problems,
            )
        ]  # fmt: skip

    async def _stream(self, call: Call[StreamQuery, None]) -> Response:
        request = call.request
        topics = await self._may_watch(request.principal, read_topics(call.query.topics))
        after = call.query.after
        if last := request.headers.get("last-event-id", "").strip():
            after = _event(last)
        headers = [("Cache-Control", "no-store"), ("X-Accel-Buffering", "no")]
        if request.method == "HEAD":
            return Response(200, b"", EVENTS, headers)
        body = self._streams.open(topics, after)
        return Response(200, body, EVENTS, headers, patience=limits_shown.WATCH_SEND_SECONDS)


def _event(text: str) -> int:
    """Return the number of the last event that a browser has had."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise UnknownTopic(f"Last-Event-ID {text[:40]!r} is no number of an event")
    return int(text)
