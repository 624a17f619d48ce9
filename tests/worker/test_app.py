"""The worker's app over memory streams, with fake executors, against a scripted server.

Time is Trio's MockClock: nothing waits, and every pause is exact.
"""

from __future__ import annotations

import hashlib
import logging
import math
from itertools import pairwise
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from dc import limits, limits_worker
from dc.errors import StartError
from dc.messages import Heartbeat, Hello, Refused
from dc.messages_parts import Blob
from dc.messages_worker import Assign, Done, Failed, Goodbye, Held, Returned, Running, Stop
from dc.testing import FakeExecutor
from tests.worker.fake_server import BIG, WELCOME, done_numbers, files_below, scene


async def test_tasks_run_and_are_reported(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with scene(tmp_path, slots=2) as one:
        server = one.server
        await server.assign(*range(200))
        await server.wait_for(lambda: len(done_numbers(server)) == 200)
        assert done_numbers(server) == list(range(200))
        results = {
            number: result
            for done in server.of(Done)
            for number, result in zip(done.numbers, done.results, strict=True)
        }
        assert results == {number: b"%d" % number for number in range(200)}
        assert [done.sequence for done in server.of(Done)] == list(
            range(1, len(server.of(Done)) + 1)
        )
        assert len(server.of(Done)) < 150
        await trio.sleep(0.1)
        assert one.app.statistics().unrecorded == 0


async def test_what_comes_out_of_one_turn_is_one_frame(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(tmp_path, slots=8) as one:
        await one.server.wait_for(lambda: one.server.of(Heartbeat))
        await one.server.assign(*range(8))
        before = one.server.frames
        await one.server.wait_for(lambda: len(done_numbers(one.server)) == 8)
        assert one.server.frames == before + 1
        assert len(one.server.of(Done)) == 1


async def test_what_the_socket_does_not_take_at_once_follows_at_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(tmp_path) as one:
        server = one.server
        await server.wait_for(lambda: server.of(Heartbeat))
        server.room = 50
        await server.cut()
        with trio.fail_after(limits.HEARTBEAT_SECONDS - 1):
            await server.wait_for(lambda: len(server.of(Heartbeat)) == 2)
            await server.assign(*range(20))
            await server.wait_for(lambda: len(done_numbers(server)) == 20)


async def test_reconnects_with_growing_pauses(
    tmp_path: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with scene(tmp_path) as one:
        server = one.server
        await trio.sleep(60)
        server.down = True
        server.opened.clear()
        await server.cut()
        await trio.sleep(60)
        times = [trio.current_time(), *server.opened]
        gaps = [round(b - a, 3) for a, b in pairwise(server.opened)]
        assert gaps == [0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 15.0, 15.0], times
        server.down = False
        hellos = len(server.of(Hello))
        await server.wait_for(lambda: len(server.of(Hello)) > hellos)
    assert "connected to server:8220 as box with 1 slots" in caplog.text
    assert "cannot reach server:8220: refused; trying again in 0.4 s" in caplog.text


async def test_reports_survive_the_connection(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with scene(tmp_path) as one:
        server = one.server
        server.records = False
        await server.assign(1)
        await server.wait_for(lambda: server.of(Done))
        one.executors[0]._seconds = 5.0
        await server.assign(2)
        await trio.sleep(1)
        assert [running.numbers for running in server.of(Running)] == [[2]]
        server.down = True
        await server.cut()
        await trio.sleep(20)
        server.heard.clear()
        server.down, server.records = False, True
        await server.wait_for(lambda: len(server.of(Done)) == 2)
        kinds = [type(message) for message in server.heard]
        assert kinds == [Hello, Held, Heartbeat, Done, Done]
        assert (server.of(Held)[0].numbers, server.of(Held)[0].attempts) == ([1, 2], [1, 1])
        assert [done.sequence for done in server.of(Done)] == [1, 2]
        await trio.sleep(0.1)
        assert one.app.statistics().unrecorded == 0
        assert len(one.executors[0].runs) == 2


async def test_heartbeats_and_silence(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with scene(tmp_path) as one:
        server = one.server
        for _ in range(4):
            await trio.sleep(limits.HEARTBEAT_SECONDS)
            await server.say(Heartbeat())
        assert 3 <= len(server.of(Heartbeat)) <= 4
        assert len(server.opened) == 1
        await trio.sleep(limits.SILENCE_SECONDS - 1)
        assert len(server.opened) == 1
        await trio.sleep(5)
        assert len(server.opened) == 2


async def test_half_open_connection_is_given_up(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with scene(tmp_path) as one:
        server = one.server
        await server.assign(1)
        await server.wait_for(lambda: server.of(Done))
        server.deaf = True
        await server.assign(2)
        await trio.sleep(limits.SILENCE_SECONDS + 3)
        assert len(server.opened) > 1
        server.deaf = False
        hellos = len(server.of(Hello))
        await server.wait_for(lambda: len(server.of(Hello)) > hellos)
        await server.assign(3)
        await server.wait_for(lambda: done_numbers(server) == [1, 3])


async def test_large_payloads_and_results(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with scene(tmp_path, slots=2) as one:
        server = one.server
        server.lose = 3
        await server.assign(1, 2, 3, 4, 5, size=BIG)
        await server.wait_for(lambda: len(done_numbers(server)) == 5)
        for done in server.of(Done):
            for number, result in zip(done.numbers, done.results, strict=True):
                data = b"%d" % number * BIG
                assert result == Blob(hashlib.sha256(data).digest(), BIG)
                assert server.blobs[f"/blobs/{hashlib.sha256(data).hexdigest()}"] == data
        await trio.sleep(0.1)
        assert files_below(tmp_path) == []


async def test_a_server_that_fails_is_asked_until_it_is_well(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(tmp_path) as one:
        one.server.full = 4 * limits_worker.TRANSFER_TRIES
        await one.server.assign(1, size=BIG)
        await one.server.wait_for(lambda: done_numbers(one.server) == [1])
        assert one.server.full == 0
        one.server.full = 4 * limits_worker.TRANSFER_TRIES
        await one.server.assign(2, size=BIG)
        await one.server.wait_for(lambda: done_numbers(one.server) == [1, 2])
        assert not one.server.of(Failed)


async def test_payload_that_is_not_there_fails_its_task(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with scene(tmp_path) as one:
        await one.server.assign(1, size=BIG)
        await one.server.assign(2, size=BIG)
        one.server.payloads.clear()
        await one.server.wait_for(lambda: len(one.server.of(Failed)) == 2)
        failure = one.server.of(Failed)[0].failure
        assert failure.kind == "error"
        assert failure.error.startswith("could not fetch payload: 404")


async def test_time_limit_crash_and_stop(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with scene(tmp_path) as one:
        server = one.server
        one.executors[0]._seconds = math.inf
        one.seconds = lambda _, number: math.inf if number == 3 else 0.001
        await server.assign(1, timeout=2.0)
        await server.wait_for(lambda: server.of(Failed))
        assert server.of(Failed)[0].failure.kind == "timeout"
        assert one.executors[0].killed
        await server.assign(2, 3, timeout=0.0)
        await server.wait_for(lambda: server.of(Done))
        await trio.sleep(1)
        one.executors[1].die("killed by signal 11 (SIGSEGV)")
        await server.wait_for(lambda: len(server.of(Failed)) == 2)
        assert server.of(Failed)[1].failure.kind == "crashed"
        await server.say(Assign(1, "echo", "1", 0.0, [3], [2], [b""]))
        await trio.sleep(1)
        await server.say(Stop(1, [3], [2]))
        await trio.sleep(0.1)
        assert one.executors[2].killed
        await server.assign(4)
        await server.wait_for(lambda: done_numbers(server) == [2, 4])


async def test_executor_that_cannot_start(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with scene(tmp_path, start=False) as one:
        tries: list[float] = []

        async def start() -> FakeExecutor:
            tries.append(trio.current_time())
            if len(tries) < 4:
                raise StartError("no more processes")
            return await one.start_executor()

        one.app._start_executor = start
        one.server.nursery.start_soon(one.run)
        await one.server.wait_for(lambda: one.server.of(Hello))
        gaps = [b - a for a, b in pairwise(tries)]
        wanted = [0.1, 0.2, 0.4]
        late = [gap - want for gap, want in zip(gaps, wanted, strict=True)]
        assert all(-1e-6 < one < 1.1 * limits_worker.WORKER_TICK_SECONDS for one in late), gaps


async def test_leaves_cleanly(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with scene(tmp_path) as one:
        server = one.server
        await server.assign(1)
        await server.wait_for(lambda: server.of(Done))
        one.executors[0]._seconds = math.inf
        await server.assign(2, 3)
        await trio.sleep(0.5)
        one.app.leave()
        await one.ended.wait()
        returned = [number for one in server.of(Returned) for number in one.numbers]
        assert sorted(returned) == [2, 3]
        assert isinstance(server.heard[-1], Goodbye)
        assert all(executor.killed for executor in one.executors)
        await server.wait_for(lambda: server.closed)


async def test_leaves_though_nobody_records(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with scene(tmp_path) as one:
        one.server.records = False
        await one.server.assign(1)
        await one.server.wait_for(lambda: one.server.of(Done))
        one.app.leave()
        began = trio.current_time()
        await one.ended.wait()
        assert trio.current_time() - began < limits_worker.LEAVE_SECONDS + 2
        assert one.server.of(Goodbye)


async def test_leaves_at_once_when_cancelled(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with scene(tmp_path) as one:
        one.executors[0]._seconds = math.inf
        await one.server.assign(1)
        await trio.sleep(1)
    assert all(executor.killed for executor in one.executors)


async def test_default_names_are_tried_in_turn(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with scene(tmp_path, is_default=True, start=False) as one:
        server = one.server
        server.greeting = Refused(-1, "duplicate_name", "taken")
        server.nursery.start_soon(one.run)
        await server.wait_for(lambda: len(server.of(Hello)) == 11)
        server.greeting = WELCOME
        await server.wait_for(lambda: len(server.of(Hello)) == 12)
        names = [hello.about.name for hello in server.of(Hello) if hello.about is not None]
        assert names == ["box", *(f"box-{number}" for number in range(2, 13))]
        assert trio.current_time() - server.opened[0] < 1.0
        await server.assign(1)
        await server.wait_for(lambda: server.of(Done))


@pytest.mark.parametrize("code", ["duplicate_name", "version"])
async def test_refused_worker_ends(tmp_path: Path, autojump_clock: MockClock, code: str) -> None:
    async with scene(tmp_path, start=False) as one:
        one.server.greeting = Refused(-1, code, "not you")
        with pytest.raises(StartError, match="not you"):
            await one.app.run()


async def test_server_that_talks_nonsense(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with scene(tmp_path) as one:
        assert one.server.link is not None
        for nonsense in (b"\xff", b"\x91\x91\xa4nope", one.server.codec.encode([Goodbye()])):
            hellos = len(one.server.of(Hello))
            await one.server.link.send(nonsense)
            await one.server.wait_for(lambda: len(one.server.of(Hello)) > hellos)  # noqa: B023
        await one.server.assign(1)
        await one.server.wait_for(lambda: one.server.of(Done))
