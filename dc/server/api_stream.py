"""`/api/stream`: what changes, as server-sent events."""

from __future__ import annotations

from typing import Final

from dc import limits
from dc.errors import UnknownTopic
from dc.http import Request, Response
from dc.server.live_streams import LiveStreams
from dc.server.topics import read_topics

KIND: Final = "text/event-stream"


class StreamApi:
    """Answers requests for streams.

    Args:
        streams: all there are.
    """

    def __init__(self, streams: LiveStreams) -> None:
        self._streams = streams

    async def stream(self, request: Request, topics: str, after: int | None = None) -> Response:
        """Answer with a stream.

        Args:
            request: in which `Last-Event-ID` counts more than `after`.
            topics: see topics.py.
            after: the number of the last event that the reader has had.

        Raises:
            UnknownTopic: what is to be watched is not there.
            TooManyWatchers: there are as many streams as there may be.
        """
        wanted = read_topics(topics)
        last = request.headers.get("last-event-id", "").strip()
        if last:
            if not (last.isascii() and last.isdigit() and len(last) < 19):
                raise UnknownTopic(f"Last-Event-ID {last[:40]!r} is no number of an event")
            after = int(last)
        headers = [("Cache-Control", "no-store"), ("X-Accel-Buffering", "no")]
        if request.method == "HEAD":
            return Response(200, b"", KIND, headers)
        body = self._streams.open(wanted, after)
        return Response(200, body, KIND, headers, patience=limits.WATCH_SEND_SECONDS)
