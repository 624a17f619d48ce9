"""Event streams over HTTP: what comes when, who is cut off, and that nothing is done for nobody."""

from __future__ import annotations

import pickle
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import trio
import trio.testing

from dc import limits_shown
from dc.errors import StoreError, UnknownJob
from dc.http import Request, Response, Upgrade, serve_requests
from dc.server.api_stream import StreamApi
from dc.server.live_streams import EventSource, EventStream, LiveStreams
from dc.server.problems import ANSWERED, problem
from dc.server.routes import Router
from dc.server.topics import Topic
from dc.view_jobs import OutputView
from dc.view_server import EventView
from tests.server.served import request
from tests.server.served import serving as serving_site
from tests.server.test_live import event


class App:
    """What the streams need of the app."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self.stopping = trio.Event()
        self.started = 0

    def start_beside(self, work: Callable[[], Awaitable[object]]) -> None:
        self.started += 1
        self._nursery.start_soon(work)

    async def wait_stopping(self) -> None:
        await self.stopping.wait()


class World:
    """What is looked at."""

    def __init__(self) -> None:
        self.state = 0
        self.looks = 0
        self.seconds = 0.0
        self.error: Exception | None = None
        self.text = ""
        self.attempt = 1
        self.events: list[EventView] = []
        self.told: Callable[[EventView], None] = lambda _: None

    async def look(self, topic: Topic) -> object:
        self.looks += 1
        await trio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return {"state": self.state}

    async def piece(self, job: int, task: int, first: int) -> OutputView:
        start = min(first, len(self.text))
        size = len(self.text)
        return OutputView(job, task, self.attempt, start, self.text[start:], size, size, True)

    def listen(self, told: Callable[[EventView], None]) -> int:
        self.told = told
        return self.events[-1].event if self.events else 0

    async def events_after(self, event: int) -> tuple[Sequence[EventView], int | None]:
        upto = event + limits_shown.WATCH_EVENTS
        rows = [one for one in self.events if event < one.event <= upto]
        return rows, upto if upto < self.events[-1].event else None


class Reader:
    """A client that reads a stream."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.heard = b""

    async def ask(self, target: str, *headers: str) -> None:
        lines = [f"GET {target} HTTP/1.1", "Host: x", *headers, "", ""]
        await self.stream.send_all("\r\n".join(lines).encode())

    async def until(self, text: str, seconds: float = 60.0) -> bytes:
        """Read until a text has come; return what came by then."""
        with trio.fail_after(seconds):
            while text.encode() not in self.heard:
                piece = await self.stream.receive_some()
                assert piece, self.heard
                self.heard += bytes(piece)
        whole, self.heard = self.heard, b""
        return whole

    async def to_end(self) -> bytes:
        while piece := await self.stream.receive_some():
            self.heard += bytes(piece)
        return self.heard


async def may_watch(_: object, topics: Sequence[Topic]) -> Sequence[Topic]:
    """Let everybody watch."""
    return topics


async def may_ask(*_: object) -> None:
    """Let everybody ask."""


class Served:
    """Streams, and what is behind them."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.app, self.world = App(nursery), World()
        source: EventSource = self.world
        self.streams = LiveStreams(self.app, {"jobs": self.world.look}, self.world, source)
        self._router = Router(StreamApi(self.streams, may_watch).routes(), may_ask)

    async def answer(self, request: Request) -> Response | Upgrade:
        try:
            return await self._router.answer(request)
        except ANSWERED as error:
            return problem(error)

    def connect(self) -> Reader:
        here, there = trio.testing.memory_stream_pair()
        self.nursery.start_soon(serve_requests, there, self.answer)
        return Reader(here)


@asynccontextmanager
async def serving() -> AsyncIterator[Served]:
    async with trio.open_nursery() as nursery:
        yield Served(nursery)
        nursery.cancel_scope.cancel()


async def test_a_stream_shows_what_is_and_then_what_changes(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with serving() as served:
        reader = served.connect()
        await reader.ask("/api/stream?topics=jobs")
        head = await reader.until('{"state":0}')
        assert b"Content-Type: text/event-stream" in head
        assert b"retry: 2000\n\n" in head
        assert trio.current_time() < limits_shown.WATCH_SECONDS
        served.world.state = 1
        assert b"event: jobs\ndata: " in await reader.until('{"state":1}')
        beat = b"event: beat\ndata: {}\n\n"
        assert await reader.until("beat") == b"%x\r\n%b\r\n" % (len(beat), beat), "nothing else"


async def test_one_look_serves_all_and_none_is_made_for_nobody(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with serving() as served:
        readers = [served.connect() for _ in range(5)]
        for reader in readers:
            await reader.ask("/api/stream?topics=jobs")
            await reader.until("state")
        assert served.world.looks == 1, "what was just looked at is shown to who comes"
        await trio.sleep(10 * limits_shown.WATCH_SECONDS + 0.5)
        assert served.world.looks == 11
        for reader in readers:
            await reader.stream.aclose()
        served.world.state = 7  # the next send finds out that they are gone
        await trio.sleep(3 * limits_shown.WATCH_SECONDS)
        served.world.state = 8
        await trio.sleep(3 * limits_shown.WATCH_SECONDS)
        looks = served.world.looks
        await trio.sleep(100)
        assert served.world.looks == looks
        again = served.connect()
        await again.ask("/api/stream?topics=jobs")
        await again.until('"state":8')
        assert served.app.started == 2


async def test_slow_looks_are_rare(autojump_clock: trio.testing.MockClock) -> None:
    async with serving() as served:
        reader = served.connect()
        await reader.ask("/api/stream?topics=jobs")
        await reader.until("state")
        served.world.seconds = 0.5
        await trio.sleep(60)
        assert served.world.looks == 1 + 11, "half a second of looking, five of none"
        served.world.seconds = 5.0
        await trio.sleep(150)
        assert served.world.looks <= 12 + 11, "ten seconds at most"


async def test_who_does_not_read_is_cut_off(autojump_clock: trio.testing.MockClock) -> None:
    async with serving() as served:
        lines = trio.testing.lockstep_stream_pair()
        served.nursery.start_soon(serve_requests, lines[1], served.answer)
        await Reader(lines[0]).ask("/api/stream?topics=jobs")
        await trio.sleep(limits_shown.WATCH_SEND_SECONDS - 1)
        assert served.streams._live.watchers
        await trio.sleep(2)
        assert not served.streams._live.watchers


async def test_who_does_not_read_holds_no_more_than_others(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A thousand states and as many events pass somebody who does not read: none waits for him."""
    async with serving() as served:
        lines = trio.testing.lockstep_stream_pair()
        served.nursery.start_soon(serve_requests, lines[1], served.answer)
        await Reader(lines[0]).ask("/api/stream?topics=jobs,events")
        await trio.testing.wait_all_tasks_blocked()
        live = served.streams._live
        [watcher] = live.watchers
        [topic] = live.topics
        for number in range(1, 1001):
            live.show(topic, {"state": number, "text": "x" * 10_000})
            live.note([event(number)])
            live.validate()
        held = pickle.dumps((watcher, live._shown, live._events))
        assert len(held) < 20_000 + limits_shown.WATCH_EVENTS * 1000, "one state, the last events"
        await trio.sleep(limits_shown.WATCH_SEND_SECONDS + 1)
        assert not live.watchers
        assert not live.topics
        looks = served.world.looks
        await trio.sleep(100)
        assert served.world.looks == looks, "nothing is done for nobody"


async def test_the_end_of_the_server_ends_streams(autojump_clock: trio.testing.MockClock) -> None:
    async with serving() as served:
        reader = served.connect()
        await reader.ask("/api/stream?topics=jobs")
        await reader.until("state")
        served.app.stopping.set()
        assert (await reader.to_end()).endswith(b"0\r\n\r\n")
        assert not served.streams._live.watchers


async def test_what_cannot_be_looked_at_is_said(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as served:
        served.world.error = UnknownJob("no such job")
        reader = served.connect()
        await reader.ask("/api/stream?topics=jobs,history")
        said = await reader.until("history")
        assert b'event: problem\ndata: {"topic":"jobs","code":"unknown_job"' in said
        served.world.error = StoreError("the disk is gone")
        await reader.until("the disk is gone")
        served.world.error = ValueError("secret")
        assert b"secret" not in await reader.until('"internal"')
        assert "secret" in caplog.text
        served.world.error = None
        await reader.until('"state":0')


async def test_outputs_come_in_pieces(autojump_clock: trio.testing.MockClock) -> None:
    async with serving() as served:
        served.world.text = "one "
        reader = served.connect()
        await reader.ask("/api/stream?topics=output:1/2")
        assert b'"start":0' in await reader.until('"text":"one "')
        served.world.text += "two "
        assert b'"start":4' in await reader.until('"text":"two "')
        late = served.connect()
        await late.ask("/api/stream?topics=output:1/2")
        await late.until('"text":"one two "')
        served.world.text += "three"
        for each in (reader, late):
            await each.until('"text":"three"')
        served.world.attempt, served.world.text = 2, "anew, and longer than before"
        for each in (reader, late):
            assert b'"start":0' in await each.until('"text":"anew, ')


async def test_events_are_gone_on_with(autojump_clock: trio.testing.MockClock) -> None:
    async with serving() as served:
        served.world.events = [event(number) for number in range(1, 601)]
        resumed, new = served.connect(), served.connect()
        await resumed.ask("/api/stream?topics=events&after=1", "Last-Event-ID: 5")
        await new.ask("/api/stream?topics=events")
        said = await resumed.until("id: 600\n")
        assert said.count(b"event: events") == 595
        await new.until("retry")
        served.world.events.append(event(601))
        served.world.told(served.world.events[-1])
        for each in (resumed, new):
            assert (await each.until("id: 601\n")).count(b"event: events") == 1


async def test_who_knows_of_later_events_than_there_are_gets_those_from_now_on(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The data folder is another one than it was when its browser connected last."""
    async with serving() as served:
        served.world.events = [event(1), event(2)]
        reader = served.connect()
        await reader.ask("/api/stream?topics=events", "Last-Event-ID: 5000")
        await reader.until("retry")
        await trio.sleep(1)
        served.world.events.append(event(3))
        served.world.told(served.world.events[-1])
        await reader.until("id: 3\n")


@pytest.mark.parametrize(
    ("target", "header", "status"),
    [
        ("?topics=nothing", "", 400),
        ("", "", 400),
        ("?topics=jobs&topic=x", "", 400),
        ("?topics=events&after=-1", "", 400),
        ("?topics=events", "Last-Event-ID: x", 400),
        ("?topics=jobs", "", 429),
    ],
)
async def test_what_is_refused(
    target: str, header: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits_shown, "WATCHERS", 0)
    async with serving() as served:
        reader = served.connect()
        await reader.ask(f"/api/stream{target}", *filter(None, [header]))
        said = await reader.until('"code"')
        assert said.startswith(b"HTTP/1.1 %d " % status)
        assert b"application/problem+json" in said


async def test_what_the_server_does_is_seen(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """The real thing: each kind of topic, and events from the store and as they come."""
    async with serving_site(tmp_path) as served:
        names = "overview,history,jobs,job:1,task:1/0,output:1/0,workers,worker:w,events"
        answer = await served.site.answer(request("GET", f"/api/stream?topics={names}&after=0"))
        assert isinstance(answer, Response)
        stream = answer.body
        assert isinstance(stream, EventStream)
        said = await shown(stream, 3)
        assert {said[name] for name in ("job:1", "task:1/0", "worker:w")} == {"problem"}
        assert set(said) >= {"overview", "history", "jobs", "workers", "events", "output:1/0"}
        await served.post("/api/jobs", {"type": "copy", "tasks": ["x"]})
        served.work()
        said = await shown(stream, 3)
        assert set(said) >= {"job:1", "task:1/0", "output:1/0", "worker:w", "events", "jobs"}
        assert "problem" not in said.values()
        await stream.aclose()


async def shown(stream: EventStream, seconds: float) -> dict[str, str]:
    """Return the topics that a stream tells of for a while, each with the name of its event."""
    found: dict[str, str] = {}
    with trio.move_on_after(seconds):
        async for data in stream:
            for block in data.decode().split("\n\n"):
                fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
                if "event" in fields:
                    said = msgspec.json.decode(fields["data"])
                    problem_of = fields["event"] == "problem"
                    found[said["topic"] if problem_of else fields["event"]] = fields["event"]
    return found
