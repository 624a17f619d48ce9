"""Event streams over HTTP: looks at what is watched, once a second, and sends what is new.

Nothing is done here while nobody watches. See live.py for who gets what.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol, TypeAlias

import trio

from dc import limits_shown
from dc.errors import DcError, InternalError, UnknownTopic
from dc.server.live import Live, Watcher
from dc.server.topics import Kind, Topic
from dc.view_jobs import OutputView
from dc.view_server import EventView

log = logging.getLogger("dc.server")

Look: TypeAlias = Callable[[Topic], Awaitable[object]]
"""Gives the present state of a topic, as it goes out in JSON; DcError where there is none."""

BEAT = b"event: beat\ndata: {}\n\n"
"""What a stream says when there is nothing else: no comment, so that a page hears it too."""


class Owner(Protocol):
    """What the streams need of the app."""

    def start_beside(self, work: Callable[[], Awaitable[object]]) -> None:
        """Run something for as long as the server runs."""

    async def wait_stopping(self) -> None:
        """Wait until the server is told to stop."""


class Outputs(Protocol):
    """Where outputs of tasks are looked up."""

    async def piece(self, job: int, task: int, first: int) -> OutputView:
        """Return what a task has written from byte `first` on."""


class EventSource(Protocol):
    """Where events are looked up."""

    def listen(self, told: Callable[[EventView], None]) -> int:
        """Have a function called with each event from now on, once it can be read again.

        Returns:
            The number of the newest event so far.
        """

    async def events_after(self, event: int) -> tuple[Sequence[EventView], int | None]:
        """Return the next events after one, the oldest first.

        Returns:
            Some events, and the number up to which there are no others; None if there are no more.
        """


class LiveStreams:
    """All event streams of the server.

    Args:
        app: what runs beside them.
        looks: for each kind of topic that there is, how to look at it.
        outputs: where outputs are looked up.
        events: where events are.
    """

    def __init__(
        self,
        app: Owner,
        looks: Mapping[Kind, Look],
        outputs: Outputs,
        events: EventSource,
    ) -> None:
        self._app = app
        self._looks = looks
        self._outputs = outputs
        self._events = events
        self._live = Live()
        self._streams: dict[Watcher, EventStream] = {}
        self._scope: trio.CancelScope | None = None

    def open(self, topics: Sequence[Topic], after: int | None = None) -> EventStream:
        """Begin a stream; it is to be closed.

        Args:
            topics: what it is to show.
            after: the last event that its reader has had; None for those from now on.

        Raises:
            TooManyWatchers: there are as many as there may be.
        """
        newest = self._events.listen(self._note)
        # A later one than there is was an event of another data folder, at the same address.
        watcher = self._live.open(topics, None if after is None else min(after, newest))
        stream = self._streams[watcher] = EventStream(self, watcher)
        if self._scope is None:
            self._scope = trio.CancelScope()
            self._app.start_beside(partial(self._run, self._scope))
        return stream

    def _note(self, event: EventView) -> None:
        self._wake(self._live.note([event]))

    def close(self, watcher: Watcher) -> None:
        """End a stream."""
        if self._streams.pop(watcher, None) is not None:
            self._live.close(watcher)
        if not self._streams and self._scope is not None:
            self._scope.cancel()
            self._scope = None

    # --- looking --------------------------------------------------------------------------------

    async def _run(self, scope: trio.CancelScope) -> None:
        """Look at what is watched, until nobody watches; end all streams when the server stops."""
        with scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._tick)
                await self._app.wait_stopping()
                nursery.cancel_scope.cancel()
        for stream in list(self._streams.values()) if not scope.cancel_called else ():
            stream.end()

    async def _tick(self) -> None:
        pause = limits_shown.WATCH_SECONDS
        while True:
            await trio.sleep(pause)
            begin = trio.current_time()
            news: set[Watcher] = set()
            for topic in self._live.topics:
                news |= await self._look(topic)
            self._wake(news)  # only now: what is new of several topics goes out in one piece
            pause = limits_shown.WATCH_SHARE * (trio.current_time() - begin)
            pause = min(max(pause, limits_shown.WATCH_SECONDS), limits_shown.WATCH_SECONDS_MOST)

    async def _look(self, topic: Topic) -> set[Watcher]:
        """Look at a topic; return who has news by that."""
        try:
            if topic.kind == "output":
                first = self._live.written(topic)
                return self._live.show_output(topic, await self._piece(topic, *first))
            if topic.kind in self._looks:
                return self._live.show(topic, await self._looks[topic.kind](topic))
            raise UnknownTopic(f"this server does not show {topic.kind}")
        except DcError as error:
            return self._live.fail(topic, error)
        except Exception:
            log.exception("%s cannot be shown", topic.name)
            return self._live.fail(topic, InternalError("a mistake in dc: see the server's log"))

    async def _piece(self, topic: Topic, attempt: int, first: int) -> OutputView:
        """Return the output from where somebody stands; of a newer attempt, from its start."""
        piece = await self._outputs.piece(topic.job, topic.task, first)
        if first and piece.attempt != attempt:
            piece = await self._outputs.piece(topic.job, topic.task, 0)
        return piece

    def _wake(self, watchers: Iterable[Watcher]) -> None:
        for watcher in watchers:
            if (stream := self._streams.get(watcher)) is not None:
                stream.wake()

    # --- what a stream asks for -----------------------------------------------------------------

    async def next_data(self, watcher: Watcher) -> bytes:
        """Return what is to be sent to a watcher now; empty if that is nothing."""
        for topic in self._live.lacking(watcher):
            self._wake(await self._look(topic))
        return self._live.take(watcher) or await self._catch_up(watcher)

    async def _catch_up(self, watcher: Watcher) -> bytes:
        """Read what this watcher alone has not had."""
        if watcher.behind:
            found, reached = await self._events.events_after(watcher.event)
            return self._live.take_events(watcher, found, reached) or self._live.take(watcher)
        for topic, attempt, first in self._live.lagging(watcher):
            piece = await self._piece(topic, attempt, first)
            return self._live.take_output(watcher, topic, piece)
        return b""


class EventStream:
    """The body of an answer: server-sent events, for as long as somebody takes them."""

    def __init__(self, streams: LiveStreams, watcher: Watcher) -> None:
        self._streams = streams
        self._watcher = watcher
        self._news = trio.Event()
        self._begun = self._ended = False

    def wake(self) -> None:
        """Note that there may be something new."""
        self._news.set()

    def end(self) -> None:
        """End the stream; its reader may come again."""
        self._ended = True
        self._news.set()

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> bytes:
        if not self._begun:
            self._begun = True
            return b"retry: %d\n\n" % (limits_shown.WATCH_RETRY_SECONDS * 1000)
        while not self._ended:
            self._news = trio.Event()
            try:
                data = await self._streams.next_data(self._watcher)
            except DcError as error:
                log.warning("a stream is ended: %s", error)
                break
            if data:
                return data
            with trio.move_on_after(limits_shown.WATCH_BEAT_SECONDS):
                await self._news.wait()
                continue
            return BEAT
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Forget the stream: nobody takes it any more."""
        self._ended = True
        self._streams.close(self._watcher)
