"""What is watched over HTTP: who watches which topics, and what each has not been sent yet.

Theory of operation
-------------------
A *watcher* is an open event stream; it has asked for some *topics*. Each topic is looked at once a
second for all of its watchers together, and encoded once, and only if it is not as it was. Nothing
is queued for anybody: a topic has the frame of its newest state and a version, a watcher the
version that it had last. So who reads slowly misses states in between, and gets the newest one.

What must not be missed is handed out by cursors. Of events the last `limits_shown.WATCH_EVENTS`
frames are kept, for all watchers; a watcher that stands before them is *behind*, and is read for
from the store. Of the output of a task the newest piece is kept; a watcher that does not stand
where it begins *lags*, and is read for by itself. Both are asked for by whoever serves the watcher,
when there is room to send: so one that never reads costs nothing.

A topic that nobody watches is forgotten.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from dc import limits_shown
from dc.errors import DcError, TooManyWatchers
from dc.server.topics import Topic
from dc.view_jobs import OutputView
from dc.view_server import EventView

Mark = tuple[int, int, bool]
"""Where somebody stands in an output: the attempt, the next byte, and whether it may grow."""

START: Mark = (0, 0, True)


class Shown(Struct, eq=False):
    """A topic that is watched. Of an output, `frame` is the piece from byte `start` to `mark`."""

    topic: Topic
    watchers: set[Watcher]
    version: int = 0
    frame: bytes = b""
    view: Any = None
    start: int = 0
    mark: Mark | None = None


class Watcher(Struct, eq=False):
    """An open stream.

    Attributes:
        topics: what it watches.
        seen: by topic, the version that it had last.
        marks: by topic, where it stands in an output.
        event: the number of the event that it had last.
        behind: whether there may be events for it that are in the store alone.
    """

    topics: list[Topic]
    seen: dict[str, int]
    marks: dict[str, Mark]
    event: int
    behind: bool


class Live:
    """All watchers and all that they watch."""

    def __init__(self) -> None:
        self._shown: dict[str, Shown] = {}
        self._watchers: set[Watcher] = set()
        self._events: deque[tuple[int, bytes]] = deque()
        self._newest = self._dropped = 0
        self._encode = msgspec.json.Encoder().encode

    # --- who watches ----------------------------------------------------------------------------

    def open(self, topics: Sequence[Topic], after: int | None = None) -> Watcher:
        """Take a watcher in.

        Args:
            topics: what it watches, each once.
            after: the event that it has had last; None if it wants those that come from now on.

        Raises:
            TooManyWatchers: there are as many as there may be.
        """
        if len(self._watchers) >= limits_shown.WATCHERS:
            text = f"{limits_shown.WATCHERS} streams are open: close some, or try again later"
            raise TooManyWatchers(text)
        if len({*self._shown, *(topic.key for topic in topics)}) > limits_shown.WATCHED_ALL:
            text = f"{limits_shown.WATCHED_ALL} different topics are watched: close some streams"
            raise TooManyWatchers(f"{text}, or try again later")
        behind = after is not None and any(topic.kind == "events" for topic in topics)
        event = self._newest if after is None else after
        watcher = Watcher(list(topics), {}, {}, event, behind)
        self._watchers.add(watcher)
        for topic in topics:
            shown = self._shown.setdefault(topic.key, Shown(topic, set()))
            shown.watchers.add(watcher)
        return watcher

    def close(self, watcher: Watcher) -> None:
        """Forget a watcher, and the topics that nobody else watches."""
        self._watchers.discard(watcher)
        for topic in watcher.topics:
            shown = self._shown.get(topic.key)
            if shown is not None:
                shown.watchers.discard(watcher)
                if not shown.watchers:
                    del self._shown[topic.key]

    @property
    def watchers(self) -> set[Watcher]:
        """All of them."""
        return self._watchers

    @property
    def topics(self) -> list[Topic]:
        """What is to be looked at: all that is watched but events, which come by themselves."""
        return [one.topic for one in self._shown.values() if one.topic.kind != "events"]

    def lacking(self, watcher: Watcher) -> list[Topic]:
        """Return those of a watcher's topics that nobody has looked at yet."""
        return [
            topic
            for topic in watcher.topics
            if topic.kind != "events" and not self._shown[topic.key].version
        ]

    # --- what is new ----------------------------------------------------------------------------

    def show(self, topic: Topic, view: object) -> set[Watcher]:
        """Take the present state of a topic; return who has news by it."""
        shown = self._shown.get(topic.key)
        same = _timeless(view)
        if shown is None or (shown.version and shown.view == same):
            return set()
        return self._renew(shown, same, frame(topic.name, self._encode(view)))

    def fail(self, topic: Topic, error: DcError) -> set[Watcher]:
        """Take it that a topic cannot be shown, and why; return whom that is news to."""
        said = {"topic": topic.name, "code": error.code, "text": str(error)}
        shown = self._shown.get(topic.key)
        if shown is None or shown.view == said:
            return set()
        shown.mark = None
        return self._renew(shown, said, frame("problem", self._encode(said)))

    def _renew(self, shown: Shown, view: Any, data: bytes) -> set[Watcher]:
        shown.version += 1
        shown.view, shown.frame = view, data
        return shown.watchers

    def written(self, topic: Topic) -> tuple[int, int]:
        """Return the attempt whose output was shown last, and the byte up to which it was."""
        shown = self._shown.get(topic.key)
        return (shown.mark or START)[:2] if shown is not None else START[:2]

    def show_output(self, topic: Topic, piece: OutputView) -> set[Watcher]:
        """Take the next piece of an output, from where `written` says; return who has news."""
        shown = self._shown.get(topic.key)
        mark = piece.attempt, piece.next, piece.live
        if shown is None or shown.mark == mark:
            return set()
        shown.start, shown.mark = piece.start, mark
        return self._renew(shown, None, frame(topic.name, self._encode(piece)))

    def note(self, events: Sequence[EventView]) -> set[Watcher]:
        """Take new events, the oldest first; return who has news by them."""
        for event in events:
            if event.event > self._newest:
                self._newest = event.event
                self._events.append((event.event, self._event_frame(event)))
        while len(self._events) > limits_shown.WATCH_EVENTS:
            self._dropped = self._events.popleft()[0]
        shown = self._shown.get("events")
        return shown.watchers if shown is not None else set()

    def _event_frame(self, event: EventView) -> bytes:
        return b"id: %d\n" % event.event + frame("events", self._encode(event))

    # --- what goes out --------------------------------------------------------------------------

    def take(self, watcher: Watcher) -> bytes:
        """Return what a watcher has not had yet and is at hand; empty if that is nothing."""
        found: list[bytes] = []
        for topic in watcher.topics:
            shown = self._shown[topic.key]
            if topic.kind == "events":
                found += self._events_for(watcher)
            elif shown.mark is not None:
                if self._at_piece(watcher, shown):
                    watcher.marks[topic.key] = shown.mark
                    found.append(shown.frame)
            elif watcher.seen.get(topic.key, 0) < shown.version:
                watcher.seen[topic.key] = shown.version
                found.append(shown.frame)
        return b"".join(found)

    def _at_piece(self, watcher: Watcher, shown: Shown) -> bool:
        mark = watcher.marks.get(shown.topic.key)
        if mark == shown.mark or shown.mark is None:
            return False
        return shown.start == 0 or (mark or START)[:2] == (shown.mark[0], shown.start)

    def _events_for(self, watcher: Watcher) -> list[bytes]:
        """Return the events that a watcher has not had; none if it is behind."""
        if watcher.event < self._dropped:
            watcher.behind = True
        if watcher.behind or watcher.event >= self._newest:
            return []
        after, watcher.event = watcher.event, self._newest
        return [data for number, data in self._events if number > after]

    def lagging(self, watcher: Watcher) -> list[tuple[Topic, int, int]]:
        """Return the outputs that are to be read for a watcher alone, and its attempt and byte."""
        found = []
        for topic in watcher.topics:
            shown, mark = self._shown[topic.key], watcher.marks.get(topic.key)
            if shown.mark is not None and mark != shown.mark:
                found.append((topic, *(mark or START)[:2]))
        return found

    def take_output(self, watcher: Watcher, topic: Topic, piece: OutputView) -> bytes:
        """Return a piece that was read for a watcher alone, as it goes out."""
        watcher.marks[topic.key] = (piece.attempt, piece.next, piece.live)
        return frame(topic.name, self._encode(piece))

    def take_events(
        self, watcher: Watcher, events: Sequence[EventView], reached: int | None
    ) -> bytes:
        """Return events that were read for a watcher that was behind, as they go out.

        Args:
            watcher: who was behind.
            events: the next ones after its last one, the oldest first.
            reached: the number up to which there are no others; None if there are no more.
        """
        watcher.behind = reached is not None
        fresh = [event for event in events if event.event > watcher.event]
        last = fresh[-1].event if fresh else watcher.event
        watcher.event = max(last, self._dropped if reached is None else reached)
        return b"".join(self._event_frame(event) for event in fresh)

    def validate(self) -> None:
        """Check what must always hold; AssertionError says what does not."""
        assert len(self._events) <= limits_shown.WATCH_EVENTS, "too many events are kept"
        for name, shown in self._shown.items():
            assert shown.watchers, f"nobody watches {name}"
            assert shown.watchers <= self._watchers, f"{name} is watched by who has gone"
        for watcher in self._watchers:
            for topic in watcher.topics:
                assert watcher in self._shown[topic.key].watchers, f"{topic.name} is forgotten"


def frame(name: str, data: bytes) -> bytes:
    """Return one server-sent event.

    Args:
        name: of the event; it has no line breaks.
        data: of one line, as JSON is.
    """
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


def _timeless(view: Any) -> Any:
    """Return a view without the time at which it was made, by which alone it may differ."""
    if isinstance(view, Struct) and "now" in view.__struct_fields__:
        return msgspec.structs.replace(view, now=0.0)
    return view
