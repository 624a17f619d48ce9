"""Who watches what, and what each has not been sent yet: cases, and any order of events."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dc import limits_shown
from dc.errors import TooManyWatchers, UnknownJob, UnknownTopic
from dc.server.live import Live, Watcher
from dc.server.topics import Topic, read_topics
from dc.view_jobs import OutputView
from dc.view_server import EventView


def topics(text: str) -> list[Topic]:
    return read_topics(text)


def told(data: bytes) -> list[tuple[str, Any]]:
    """Return the names and data of server-sent events, as a browser would."""
    found = []
    for block in data.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        found.append((fields["event"], msgspec.json.decode(fields["data"])))
    return found


def event(number: int) -> EventView:
    return EventView(event=number, at=1.0, level="info", kind="x", who="server", text="…")


# --- topics -------------------------------------------------------------------------------------


def test_topics_are_read() -> None:
    found = topics("overview,job:7,task:7/0,output:7/12,worker:a%2Cb%20c,overview")
    assert [(one.kind, one.job, one.task, one.worker) for one in found] == [
        ("overview", 0, 0, ""),
        ("job", 7, 0, ""),
        ("task", 7, 0, ""),
        ("output", 7, 12, ""),
        ("worker", 0, 0, "a,b c"),
    ]
    assert found[4].name == "worker:a%2Cb%20c"


@pytest.mark.parametrize(
    "text",
    ["", ",", "nothing", "job:", "job:x", "job:1/2", "task:1", "worker:", "worker:a\nevent: x",
     "worker:a\u2028b", "job:12345678901", ",".join(f"job:{n}" for n in range(17))],
)  # fmt: skip
def test_what_is_no_topic(text: str) -> None:
    with pytest.raises(UnknownTopic):
        topics(text)


# --- states -------------------------------------------------------------------------------------


def test_the_newest_state_wins_and_the_same_is_not_sent_again() -> None:
    live = Live()
    [topic] = topics("job:1")
    quick, slow = live.open([topic]), live.open([topic])
    assert live.lacking(quick) == [topic]
    assert live.show(topic, {"done": 1}) == {quick, slow}
    assert live.lacking(quick) == []
    assert told(live.take(quick)) == [("job:1", {"done": 1})]
    assert live.show(topic, {"done": 1}) == set()
    assert live.take(quick) == b""
    live.show(topic, {"done": 2})
    live.show(topic, {"done": 3})
    assert told(live.take(slow)) == [("job:1", {"done": 3})]
    assert live.take(slow) == b""


def test_all_watchers_have_the_same_bytes() -> None:
    live = Live()
    [topic] = topics("jobs")
    watchers = [live.open([topic]) for _ in range(3)]
    live.show(topic, [1])
    assert len({id(live.take(watcher)) for watcher in watchers}) <= 3
    assert len({id(live._shown["jobs"].frame)}) == 1


class Timed(msgspec.Struct):
    now: float
    count: int


def test_the_time_alone_is_no_news() -> None:
    live = Live()
    [topic] = topics("overview")
    watcher = live.open([topic])
    live.show(topic, Timed(1.0, 5))
    assert told(live.take(watcher)) == [("overview", {"now": 1.0, "count": 5})]
    assert live.show(topic, Timed(2.0, 5)) == set()
    assert live.show(topic, Timed(3.0, 6)) == {watcher}
    assert told(live.take(watcher)) == [("overview", {"now": 3.0, "count": 6})]


def test_what_is_not_there_is_told_once_and_may_come_back() -> None:
    live = Live()
    [topic] = topics("job:9")
    watcher = live.open([topic])
    for _ in range(2):
        live.fail(topic, UnknownJob("there is no job 9"))
    said = {"topic": "job:9", "code": "unknown_job", "text": "there is no job 9"}
    assert told(live.take(watcher)) == [("problem", said)]
    assert live.take(watcher) == b""
    live.show(topic, {"job": 9})
    assert told(live.take(watcher)) == [("job:9", {"job": 9})]


def test_a_topic_that_nobody_watches_is_forgotten() -> None:
    live = Live()
    watcher = live.open(topics("jobs,events"))
    assert [one.name for one in live.topics] == ["jobs"]
    live.close(watcher)
    live.close(watcher)
    assert live.topics == []
    assert live.show(Topic("jobs", "jobs"), [1]) == set()


def test_there_is_an_end_to_watchers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_shown, "WATCHERS", 2)
    live = Live()
    first = live.open(topics("jobs"))
    live.open(topics("jobs"))
    with pytest.raises(TooManyWatchers):
        live.open(topics("jobs"))
    live.close(first)
    live.open(topics("jobs"))


def test_there_is_an_end_to_topics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_shown, "WATCHED_ALL", 2)
    live = Live()
    first = live.open(topics("job:1,job:2"))
    live.open(topics("job:2,job:1"))
    with pytest.raises(TooManyWatchers):
        live.open(topics("job:1,job:3"))
    live.validate()
    live.close(first)


# --- outputs ------------------------------------------------------------------------------------


def piece(text: str, first: int, attempt: int = 1, *, live: bool = True) -> OutputView:
    return OutputView(1, 2, attempt, first, text[first:], len(text), len(text), live)


def test_who_comes_later_has_the_output_from_its_start() -> None:
    live = Live()
    [topic] = topics("output:1/2")
    early = live.open([topic])
    live.show_output(topic, piece("one ", 0))
    assert told(live.take(early))[0][1]["text"] == "one "
    assert live.written(topic) == (1, 4)
    live.show_output(topic, piece("one two ", 4))
    late = live.open([topic])
    assert told(live.take(early))[0][1]["text"] == "two "
    assert live.take(late) == b""
    assert live.lagging(late) == [(topic, 0, 0)]
    assert live.lagging(early) == []
    live.take_output(late, topic, piece("one two ", 0))
    live.show_output(topic, piece("one two three", 8, live=False))
    for watcher in (early, late):
        [(_, said)] = told(live.take(watcher))
        assert (said["text"], said["live"]) == ("three", False)


# --- events -------------------------------------------------------------------------------------


def test_events_from_now_on_or_from_one_on() -> None:
    live = Live()
    live.note([event(1), event(2)])
    fresh, resumed = live.open(topics("events")), live.open(topics("events"), after=1)
    assert not fresh.behind
    assert resumed.behind, "the store may have more"
    assert live.take(resumed) == b""
    assert b"id: 2\nevent: events\n" in live.take_events(resumed, [event(2)], None)
    live.note([event(3)])
    for watcher in (fresh, resumed):
        assert [said["event"] for _, said in told_events(live.take(watcher))] == [3]


def told_events(data: bytes) -> list[tuple[str, Any]]:
    return [(name, said) for name, said in told(data) if name == "events"]


class Watching(RuleBasedStateMachine):
    """Watchers come and go and read when they like: none misses an event, or sees old states."""

    def __init__(self) -> None:
        super().__init__()
        self.live = Live()
        self.events = 0
        self.states: dict[str, int] = {}
        self.had: dict[int, tuple[Watcher, int, dict[str, int]]] = {}
        self.next = 0

    @rule(names=st.sets(st.sampled_from(["jobs", "job:1", "events"]), min_size=1),
          after=st.none() | st.integers(0, 400))  # fmt: skip
    def come(self, names: set[str], after: int | None) -> None:
        after = None if after is None else min(after, self.events)
        watcher = self.live.open(topics(",".join(names)), after)
        begin = self.events if after is None else after
        self.had[self.next] = (watcher, begin, {})
        self.next += 1

    @precondition(lambda self: self.had)
    @rule(data=st.data())
    def go(self, data: st.DataObject) -> None:
        self.live.close(self.had.pop(data.draw(st.sampled_from(sorted(self.had))))[0])

    @rule(name=st.sampled_from(["jobs", "job:1"]), value=st.integers(0, 3))
    def change(self, name: str, value: int) -> None:
        self.states[name] = value
        self.live.show(topics(name)[0], value)

    @rule(count=st.integers(1, 300))
    def happen(self, count: int) -> None:
        self.live.note([event(self.events + n + 1) for n in range(count)])
        self.events += count

    @precondition(lambda self: self.had)
    @rule(data=st.data())
    def read(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from(sorted(self.had)))
        watcher, last, seen = self.had[chosen]
        for topic in self.live.lacking(watcher):
            self.states.setdefault(topic.name, 0)
            self.live.show(topic, self.states[topic.name])
        while True:
            out = self.live.take(watcher)
            if not out and watcher.behind:
                upto = watcher.event + limits_shown.WATCH_EVENTS
                rows = range(watcher.event + 1, min(self.events, upto) + 1)
                reached = upto if upto < self.events else None
                out = self.live.take_events(watcher, [event(number) for number in rows], reached)
            for name, said in told(out):
                if name == "events":
                    assert said["event"] == last + 1, "each once, in order"
                    last += 1
                else:
                    seen[name] = said
            if not out and not watcher.behind:
                break
        self.had[chosen] = (watcher, last, seen)
        names = {topic.name for topic in watcher.topics}
        assert "events" not in names or last == self.events
        assert seen == {name: self.states[name] for name in names - {"events"}}

    @invariant()
    def holds(self) -> None:
        self.live.validate()


TestWatching = Watching.TestCase
