"""Both clients on their way to the server: pipelined, cut, resumed, under keys."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import trio
import trio.testing

import dc
from dc import limits, limits_client, messages, messages_client
from tests.client.fake_server import FakeServer, FakeType, PlainFake, square, unpack
from tests.client.test_client import connected

Clock = trio.testing.MockClock


@dc.task_type(name="square")
def square_type(number: int) -> int:
    """Only its types matter here."""
    return number


def payloads_of(server: FakeServer, job: int = 1) -> list[Any]:
    return [unpack(one) for one in server.jobs[job].payloads]


async def test_a_small_job_of_a_known_type_goes_out_in_one_frame() -> None:
    async with connected() as (server, client):
        job = await client.submit(square_type, [3])
        assert server.frames[:2] == [1, 3]  # Hello; Submit, Payloads and EndOfJob
        assert [value async for value in job.results()] == [9]
        server.frames.clear()
        await client.submit("square", [3])  # the newest one: the server is to say which that is
        await client.submit("square", [3])  # it has said so
        await client.submit("square", [3], version="1")  # this as well
        assert [count for count in server.frames if count != 1] == [2, 3, 3]


def test_the_plain_client_calls_once_for_a_small_job_of_a_known_type(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[str] = []
    fake = PlainFake()
    with fake.client() as client:
        call = client.call

        def counted(function: Any, *args: Any) -> Any:
            if function.__name__ != "next_batches":  # the fake server sends the end by itself
                calls.append(function.__name__)
            return call(function, *args)

        monkeypatch.setattr(client, "call", counted)
        assert list(client.submit("square", [3]).results()) == [9]
        assert calls == ["begin", "send"]
        for kind in ("square", square_type):
            calls.clear()
            fake.server.frames.clear()
            assert list(client.submit(kind, [3]).results()) == [9]
            assert calls == ["send"]
            assert fake.server.frames[0] == 3  # Submit, Payloads and EndOfJob
        calls.clear()
        client.submit("square", [3], key="k")  # of this one, the server may have a part
        assert calls == ["begin", "send"]


async def test_a_type_that_is_another_one_here() -> None:
    async with connected() as (server, client):
        server.run_limit = 0
        server.types["square"] = FakeType(square, payload="bytes")
        with pytest.raises(dc.PayloadError, match="payloads of bytes at the server, of msgpack"):
            await client.submit(square_type, [3])
        assert server.jobs[1].cancelled
        server.run_limit = 10
        server.types["square"] = FakeType(square, result="bytes")
        job = await client.submit(square_type, [3])
        assert [value async for value in job.results()] == [b"\t"]  # 9, as the server says


@pytest.mark.parametrize("known", [True, False])
async def test_a_submission_outlives_cuts(autojump_clock: Clock, known: bool) -> None:
    asked = []

    async def slowly() -> AsyncIterator[int]:
        for number in range(60):
            asked.append(number)
            yield number
            await trio.sleep(0.3)

    async def cut() -> None:
        for _ in range(6):
            await trio.sleep(2.5)
            await server.cut()

    async with connected() as (server, client), trio.open_nursery() as nursery:
        nursery.start_soon(cut)
        job = await client.submit(square_type if known else "square", slowly())
        assert (job.number, len(server.jobs), server.connections) == (1, 1, 7)
        assert payloads_of(server) == asked == list(range(60))
        submits = server.of(messages_client.Submit)
        assert [one.resume for one in submits] == [False] + [True] * 6
        assert len({one.key for one in submits}) == 1


async def test_a_submission_outlives_a_restart_and_gives_up_after_a_minute(
    autojump_clock: Clock,
) -> None:
    async def restart(pause: float) -> None:
        await trio.sleep(1)
        server.down = True
        await server.cut()
        await trio.sleep(pause)
        server.down = False

    async def numbers() -> AsyncIterator[int]:
        for number in range(30):
            yield number
            await trio.sleep(0.1)

    async with connected() as (server, client), trio.open_nursery() as nursery:
        nursery.start_soon(restart, 50)
        await client.submit("square", numbers())
        assert payloads_of(server) == list(range(30))
        nursery.start_soon(restart, 100)
        before = trio.current_time()
        with pytest.raises(dc.ConnectionLost, match="cannot reach the server"):
            await client.submit("square", numbers())
        assert 50 < trio.current_time() - before <= limits_client.FOLLOW_SECONDS + 5
        assert not server.jobs[2].ended
        assert not server.jobs[2].cancelled


async def test_the_time_to_reach_a_server_begins_anew_once_it_answers(
    autojump_clock: Clock,
) -> None:
    async def flap() -> None:
        for _ in range(5):
            await trio.sleep(30)
            await server.cut()
        server.acknowledge = True

    async with connected() as (server, client), trio.open_nursery() as nursery:
        server.acknowledge = False
        nursery.start_soon(flap)
        await client.submit("echo", [bytes(50_000)] * 400)
        assert len(server.jobs[1].payloads) == 400


async def test_a_large_payload_waits_for_the_server_to_come_back(autojump_clock: Clock) -> None:
    async def back() -> None:
        await trio.sleep(20)
        server.down = False

    async def big() -> AsyncIterator[bytes]:
        yield b"small"
        await trio.sleep(1)
        server.down = True
        await server.cut()
        yield bytes(100_000)

    async with connected() as (server, client), trio.open_nursery() as nursery:
        nursery.start_soon(back)
        job = await client.submit("echo", big())
        assert [len(value) async for value in job.results(large="value")] == [5, 100_000]


# --- keys -----------------------------------------------------------------------------------------


def no_more() -> Iterator[int]:
    raise AssertionError("payloads are not read")
    yield


@pytest.mark.parametrize("kind", ["square", square_type])
async def test_a_key_makes_submitting_idempotent(kind: Any) -> None:
    async with connected() as (server, client):
        first = await client.submit(kind, range(5), key="mine")
        second = await client.submit(kind, no_more(), key="mine")
        assert (first.number, second.number, len(server.jobs)) == (1, 1, 1)
        assert [value async for value in second.results()] == [0, 1, 4, 9, 16]
        assert all(one.resume and one.key == "mine" for one in server.of(messages_client.Submit))


def broken(count: int) -> Iterator[int]:
    yield from range(count)
    raise LookupError("mine")


@pytest.mark.parametrize("form", ["list", "async", "run"])
async def test_a_key_goes_on_where_a_process_has_failed(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slowly() -> AsyncIterator[int]:
        for number in range(7):
            yield number

    @dc.task_type(name="square")
    def splitting(number: int) -> int:
        return number

    splitting.split(lambda stop: iter(range(stop)))
    splitting.merge(lambda results: list(results))
    monkeypatch.setattr(limits, "BATCH_TASKS", 2)
    async with connected() as (server, client):
        with pytest.raises(LookupError, match="mine"):
            await client.submit("square", broken(5), key="mine")
        await client.job(1)  # so that all has come
        assert not server.jobs[1].cancelled
        assert payloads_of(server) == [0, 1, 2, 3]
        assert server.of(messages_client.Unsubscribe)
        if form == "run":
            assert await client.run(splitting, 7, key="mine") == [0, 1, 4, 9, 16, 25, 36]
        else:
            await client.submit("square", slowly() if form == "async" else range(7), key="mine")
        assert payloads_of(server) == list(range(7))
        assert len(server.jobs) == 1


@pytest.mark.parametrize("as_async", [True, False])
async def test_a_key_with_other_payloads_is_noticed(
    as_async: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def one() -> AsyncIterator[int]:
        yield 0

    monkeypatch.setattr(limits, "BATCH_TASKS", 2)
    async with connected() as (_, client):
        with pytest.raises(LookupError, match="mine"):
            await client.submit("square", broken(5), key="mine")
        with pytest.raises(dc.KeyConflict, match="has 4 tasks already, and here are 1 payloads"):
            await client.submit("square", one() if as_async else [0], key="mine")
        with pytest.raises(dc.PayloadError, match=r"payload 5: "):
            await client.submit("square", itertools.chain(range(5), [object()]), key="mine")


async def test_a_bad_key() -> None:
    async with connected() as (_, client):
        with pytest.raises(dc.OptionsError, match="key: "):
            await client.submit("square", [], key="k" * 300)


async def test_a_submission_without_a_key_is_cancelled_over_a_new_connection(
    autojump_clock: Clock,
) -> None:
    async def numbers() -> AsyncIterator[int]:
        yield 1
        await trio.sleep(1)
        yield 2
        await server.cut()
        await trio.sleep(1)
        raise LookupError("mine")

    async with connected() as (server, client):
        with pytest.raises(LookupError, match="mine"):
            await client.submit("square", numbers())
        assert server.connections == 2
        assert [job.cancelled for job in server.jobs.values()] == [True]


# --- trouble --------------------------------------------------------------------------------------


async def test_trouble_is_shown(autojump_clock: Clock) -> None:
    async with connected() as (server, client):
        server.run_limit = 1
        job = await client.submit("square", range(3))
        notes = []
        async for status in job.watch():
            notes.append(status.note)
            if len(notes) == 3:
                break
            await server.tell(messages.Trouble("the disk is full" if len(notes) == 1 else ""))
        assert notes == ["", "the disk is full", ""]
        await server.tell(messages.Trouble("the disk is full"))
        await trio.sleep(1)
        assert client.trouble == "the disk is full"
        assert (await job.status()).note == "the disk is full"
        await server.cut()
        await trio.sleep(1)
        assert client.trouble == ""


# --- the plain client -----------------------------------------------------------------------------


def test_plain_submissions_have_keys_too(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = PlainFake()
    monkeypatch.setattr(limits, "BATCH_TASKS", 2)
    with fake.client() as client:
        with pytest.raises(LookupError, match="mine"):
            client.submit(square_type, broken(5), key="mine")
        job = client.submit(square_type, range(7), key="mine")
        assert list(job.results()) == [n * n for n in range(7)]
        assert client.submit("square", no_more(), key="mine").number == job.number == 1
        assert client.trouble == ""
        with pytest.raises(LookupError, match="mine"):
            client.submit(square_type, broken(3), key="another")
        with pytest.raises(dc.KeyConflict, match="give the same ones"):
            client.submit(square_type, [1], key="another")


def test_plain_submission_outlives_a_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    def numbers() -> Iterator[int]:
        yield from range(3)
        trio.from_thread.run(fake.server.cut, trio_token=client.token)
        yield from range(3, 7)

    fake = PlainFake()
    monkeypatch.setattr(limits, "BATCH_TASKS", 2)
    with fake.client() as client:
        client.submit("square", numbers())
        assert payloads_of(fake.server) == list(range(7))
        assert fake.server.connections == 2
