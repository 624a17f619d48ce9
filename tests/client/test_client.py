"""Both clients against a fake server over memory streams."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

import dc
from dc import limits, limits_client, messages, messages_client
from dc.client.submitter import submitter_here
from dc.messages_parts import Blob
from tests.client.fake_server import FakeServer, FakeType, PlainFake, pack


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[FakeServer, dc.AsyncClient]]:
    async with trio.open_nursery() as nursery:
        server = FakeServer(nursery)
        async with dc.AsyncClient(open_stream=server.open_stream) as client:
            client.types.load()  # not in a thread, which a MockClock would not wait for
            yield server, client
        nursery.cancel_scope.cancel()


@dc.task_type
def double(number: int) -> int:
    """Only its types matter here."""
    return 2 * number


class Point(msgspec.Struct):
    x: int


async def test_submit_and_ordered_results(autojump_clock: trio.testing.MockClock) -> None:
    async with connected() as (server, client):
        job = await client.submit("square", range(10), name="ten", priority=3, requires={"a": "b"})
        assert (job.number, job.type) == (1, "square")
        assert server.jobs[1].ended
        assert server.jobs[1].options == {
            "name": "ten",
            "priority": 3,
            "requires": {"a": "b"},
            "submitter": submitter_here(),
        }
        assert [value async for value in job.results()] == [n * n for n in range(10)]
        assert [value async for value in job.results(ordered=False)] == [n * n for n in range(10)]


async def test_a_job_that_no_worker_can_run_warns(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with connected() as (server, client):
        server.warning = "needs 2 gpus; no worker has any (nearest: box)"
        with pytest.warns(dc.NoWorkerWarning, match="job 1 waits: needs 2 gpus; no") as warned:
            await client.submit("square", [1], gpus=2, memory="4GiB", resources={"licence": 1})
    assert warned[0].filename == __file__
    resources = {"gpus": 2.0, "memory": 4.0 * 2**30, "licence": 1.0}
    assert server.jobs[1].options == {"resources": resources, "submitter": submitter_here()}


async def test_what_tasks_need_is_checked_before_anything_is_sent(
    autojump_clock: trio.testing.MockClock,
) -> None:
    wrongs: list[dict[str, Any]] = [
        {"requires": {"python": ">=x"}},
        {"memory": "much"},
        {"resources": {"no name": 1}},
        {"alternatives": [{"gpu": 1}]},
    ]
    async with connected() as (server, client):
        for wrong in wrongs:
            with pytest.raises(dc.OptionsError):
                await client.submit("square", [1], **wrong)
    assert not server.jobs


async def test_an_empty_job(autojump_clock: trio.testing.MockClock) -> None:
    async with connected() as (_, client):
        job = await client.submit("square", [])
        assert [value async for value in job.results()] == []
        assert (await job.wait()).state == "done"


async def test_async_payloads_are_read_lazily(autojump_clock: trio.testing.MockClock) -> None:
    async def slowly() -> AsyncIterator[int]:
        for number in range(4):
            yield number
            await trio.sleep(1)
            seen.append(len(server.jobs[1].payloads))

    seen: list[int] = []
    async with connected() as (server, client):
        job = await client.submit("square", slowly())
        assert [value async for value in job.results()] == [0, 1, 4, 9]
    assert seen == [0, 2, 3, 4]  # a payload goes out when the next one shows that it took long


async def test_payloads_go_in_bounded_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BATCH_TASKS", 7)
    monkeypatch.setattr(limits_client, "PAYLOAD_SECONDS", 1e9)
    async with connected() as (server, client):
        await client.submit("square", iter(range(20)))
        assert [len(m.payloads) for m in server.of(messages_client.Payloads)] == [7, 7, 6]
        await client.submit("echo", [bytes(30_000)] * 40)
        batches = server.of(messages_client.Payloads)[3:]
        assert len(batches) > 40 // 7
        assert all(sum(map(len, m.payloads)) <= limits.BATCH_BYTES + 30_000 for m in batches)


async def test_unstored_payloads_are_bounded(autojump_clock: trio.testing.MockClock) -> None:
    async def submit() -> None:
        await client.submit("echo", (bytes(30_000) for _ in range(1000)))

    async with connected() as (server, client), trio.open_nursery() as nursery:
        server.acknowledge = False
        nursery.start_soon(submit)
        with trio.move_on_after(2):
            await trio.sleep_forever()
        sent = sum(len(m.payloads) * 30_000 for m in server.of(messages_client.Payloads))
        assert limits.UNSTORED_BYTES - 2 * limits.BATCH_BYTES < sent <= limits.UNSTORED_BYTES
        nursery.cancel_scope.cancel()


async def test_a_misfit_payload_names_its_number_and_cancels() -> None:
    async with connected() as (server, client):
        server.types["double"] = server.types["square"]
        with pytest.raises(dc.PayloadError, match=r"payload 3: .*int"):
            await client.submit(double, [1, 2, 3, "four"])
        assert server.jobs[1].cancelled
        assert server.of(messages_client.Payloads) == []
        with pytest.raises(dc.PayloadError, match=r"payload 1: .*bytes"):
            await client.submit("echo", [b"x", "y"])
        with pytest.raises(dc.PayloadError, match="payload 0: "):
            await client.submit("square", [object()])


async def test_an_iterable_that_raises_cancels_the_job() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise LookupError("mine")

    async with connected() as (server, client):
        with pytest.raises(LookupError, match="mine"):
            await client.submit("square", broken())
        assert server.jobs[1].cancelled


async def test_bad_options_and_types() -> None:
    async with connected() as (server, client):
        with pytest.raises(dc.OptionsError, match=r"priority: .*int"):
            await client.submit("square", [], priority="high")  # type: ignore[arg-type]
        with pytest.raises(dc.OptionsError, match="retries"):
            await client.submit("square", [], retries=101)
        with pytest.raises(dc.OptionsError, match=r"limits: .*'memori'; there are memory, disk"):
            await client.submit("square", [], limits={"memori": 1})
        with pytest.raises(dc.OptionsError, match=r"environment: .*no digit comes first"):
            await client.submit("square", [], environment={"1": "x"})
        with pytest.raises(dc.OptionsError, match=r"retry_on: .*'lost'; there are error, timeout"):
            await client.submit("square", [], retry_on=["lost"])
        with pytest.raises(dc.OptionsError, match="type: "):
            await client.submit("s" * 300, [])
        with pytest.raises(dc.UnknownTaskType, match="nothing"):
            await client.submit("nothing", [1])
        assert server.jobs == {}


async def test_failures_are_raised_or_yielded() -> None:
    async with connected() as (_, client):
        job = await client.submit("square", [1, 13, 2])
        with pytest.raises(dc.TaskFailed, match="thirteen") as caught:
            _ = [value async for value in job.results()]
        assert (caught.value.number, caught.value.worker) == (1, "box")
        assert "Traceback: thirteen" in str(caught.value)
        values = [value async for value in job.results(failures="yield")]
        assert values[0::2] == [1, 4]
        assert isinstance(values[1], dc.TaskFailed)
        with pytest.raises(ValueError, match="failures"):
            job.results(failures="no")  # type: ignore[arg-type]


async def test_as_completed_gives_records() -> None:
    async with connected() as (_, client):
        job = await client.submit("square", [2, 13])
        first, second = [record async for record in job.as_completed()]
    at = datetime.fromtimestamp(1e9, UTC)
    assert first == dc.Finished(0, 4, None, 1, "box", at, 0.5)
    assert second.failed
    assert second.error.kind == "error"


async def test_results_are_typed_where_the_plugin_is_known() -> None:
    @dc.task_type
    def point(number: int) -> Point:
        return Point(number)

    async with connected() as (server, client):
        server.types["point"] = FakeType(lambda _, payload: pack({"x": 5}))
        job = await client.submit(point, [1])
        assert [value async for value in job.results()] == [Point(5)]
        job = await client.submit("point", [1])
        assert [value async for value in job.results()] == [{"x": 5}]
        server.types["point"] = FakeType(lambda _, payload: pack({"x": "no"}))
        job = await client.submit(point, [1])
        with pytest.raises(dc.DcError, match="same version"):
            _ = [value async for value in job.results()]


async def test_large_payloads_and_results_go_over_http() -> None:
    big, small = bytes(range(256)) * 2000, b"small"
    async with connected() as (server, client):
        job = await client.submit("echo", [small, big, small])
        (sent,) = server.of(messages_client.Payloads)
        assert sent.payloads[0] == small
        assert isinstance(sent.payloads[1], Blob)
        assert server.blobs[sent.payloads[1].name] == big
        assert [value async for value in job.results(large="value")] == [small, big, small]
        records = [record async for record in job.as_completed(large="value")]
        assert [record.result for record in records] == [small, big, small]
        with pytest.raises(ValueError, match='large is "handle" or "value"'):
            job.results(large="bytes")  # type: ignore[arg-type]


async def test_flow_control_bounds_what_is_unread(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected() as (server, client):
        server.batch = 20
        job = await client.submit("echo", (bytes(20_000) for _ in range(1000)))
        results = job.results()
        await results.__anext__()
        with trio.move_on_after(1):
            await trio.sleep_forever()
        assert server.of(messages_client.Consumed) == []  # the first piece is still in hand
        count = 1
        async for value in results:
            count += len(value) == 20_000
        assert count == 1000
        assert server.of(messages_client.Consumed)


async def test_a_dropped_iterator_unsubscribes(autojump_clock: trio.testing.MockClock) -> None:
    async with connected() as (server, client):
        server.run_limit = 4
        job = await client.submit("square", range(9))
        async for _ in job.results():
            break
        gc.collect()
        await trio.sleep(1)
        assert len(server.of(messages_client.Unsubscribe)) == 1
        async with job.results() as results:
            await results.__anext__()
        await trio.sleep(1)
        assert len(server.of(messages_client.Unsubscribe)) == 2


async def test_wait_watch_status_cancel(autojump_clock: trio.testing.MockClock) -> None:
    async with connected() as (server, client):
        server.run_limit = 2
        job = await client.submit("square", range(5))
        status = await job.status()
        assert (status.state, status.total, status.running, status.done) == ("running", 5, 3, 2)
        assert not status.finished
        seen = []
        async for status in job.watch():
            seen.append(status.state)
            if status.state == "running":
                assert (await job.cancel()).state == "cancelled"
        assert seen == ["running", "cancelled"]
        assert (await job.wait()).cancelled == 3
        with pytest.raises(dc.JobCancelled, match="job 1"):
            _ = [value async for value in job.results()]


async def test_a_job_by_its_number() -> None:
    async with connected() as (_, client):
        await client.submit("square", [3])
        job = await client.job(1)
        assert job.type == "square"
        assert [value async for value in job.results()] == [9]
        with pytest.raises(dc.UnknownJob, match="no job 7"):
            await client.job(7)


async def test_map_and_run() -> None:
    @dc.task_type(name="square")
    def square(number: int) -> int:
        return number

    @square.split
    def split(stop: int) -> Iterator[int]:
        yield from range(stop)

    square.merge(sum)
    async with connected() as (_, client):
        results = await client.map("square", [1, 2], ordered=False)
        assert [value async for value in results] == [1, 4]
        assert await client.run(square, 5) == 30
        with pytest.raises(dc.TaskFailed):
            await client.run(square, 20)


@pytest.mark.parametrize("ordered", [True, False])
async def test_results_go_on_after_the_connection_breaks(
    autojump_clock: trio.testing.MockClock, ordered: bool
) -> None:
    async with connected() as (server, client):
        job = await client.submit("square", range(10))
        server.cut_after = 2
        assert [value async for value in job.results(ordered=ordered)] == [n * n for n in range(10)]
        assert server.connections == 2


async def test_wait_outlives_a_restart_and_gives_up_after_a_minute(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def restart() -> None:
        await trio.sleep(1)
        server.down = True
        await server.cut()
        await trio.sleep(50)
        server.down = False
        job.outcomes += [pack(0)] * 3

    async with connected() as (server, client):
        server.run_limit = 2
        handle = await client.submit("square", range(5))
        job = server.jobs[1]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(restart)
            assert (await handle.wait()).state == "done"
        server.down = True
        await server.cut()
        before = trio.current_time()
        with pytest.raises(dc.ConnectionLost, match="cannot reach the server"):
            await handle.wait()
        assert 50 < trio.current_time() - before <= limits_client.FOLLOW_SECONDS


async def test_a_silent_server_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    async with connected() as (server, client):
        job = await client.submit("square", range(3))
        await trio.sleep(100)
        assert server.connections == 1  # heartbeats went both ways
        assert len(server.of(messages.Heartbeat)) >= 15
        server.deaf = True
        before = trio.current_time()
        with pytest.raises(dc.ConnectionLost, match="nothing heard for 20 seconds"):
            await job.status()
        assert trio.current_time() - before <= limits.SILENCE_SECONDS


async def test_a_server_that_is_not_there() -> None:
    async with trio.open_nursery() as nursery:
        server = FakeServer(nursery)
        server.down = True
        with pytest.raises(dc.ConnectionLost) as caught:
            async with dc.AsyncClient(open_stream=server.open_stream):
                pass
    assert str(caught.value) == (
        "cannot reach the server at http://127.0.0.1:8220: is it running? "
        "start it with: python -m dc.server"
    )


async def test_a_server_of_another_version() -> None:
    async with trio.open_nursery() as nursery:
        server = FakeServer(nursery)
        server.welcome = messages.Refused(-1, "version", "update the client")
        with pytest.raises(dc.VersionError, match="update the client"):
            async with dc.AsyncClient(open_stream=server.open_stream):
                pass
        server.welcome = messages_client.Stored(1, 1, False)
        with pytest.raises(dc.ConnectionLost, match=r"no dc server.*Stored"):
            async with dc.AsyncClient(open_stream=server.open_stream):
                pass
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "url", ["https://x/y", "ftp://x:1", "http://", "http://x:99999", "http://x/y"]
)
async def test_a_bad_address(url: str) -> None:
    with pytest.raises(dc.StartError, match="is not a server's address"):
        async with dc.AsyncClient(url):
            pass


async def test_the_bodys_own_error_passes_untouched_and_closed_is_said() -> None:
    async with trio.open_nursery() as nursery:
        server = FakeServer(nursery)
        with pytest.raises(LookupError, match="mine"):  # noqa: PT012
            async with dc.AsyncClient(open_stream=server.open_stream) as client:
                job = await client.submit("square", [1])
                raise LookupError("mine")
        with pytest.raises(RuntimeError, match="closed"):
            await job.status()
        with trio.move_on_after(0.01) as scope:
            async with dc.AsyncClient(open_stream=server.open_stream) as client:
                await trio.sleep_forever()
        assert scope.cancelled_caught
        nursery.cancel_scope.cancel()


async def test_many_tasks_share_a_client() -> None:
    async def one(number: int) -> None:
        job = await client.submit("square", range(number))
        assert [value async for value in job.results()] == [n * n for n in range(number)]

    async with connected() as (_, client), trio.open_nursery() as nursery:
        for number in range(12):
            nursery.start_soon(one, number)


# --- the plain client -----------------------------------------------------------------------------


def test_plain_submit_and_results() -> None:
    fake = PlainFake()
    with fake.client() as client:
        job = client.submit("square", (number for number in range(10)))
        assert (job.number, job.type) == (1, "square")
        assert list(job.results()) == [n * n for n in range(10)]
        assert list(client.map("square", [3, 4], ordered=False)) == [9, 16]
        assert [record.result for record in job.as_completed()] == [n * n for n in range(10)]
        assert job.wait().state == "done"
        assert [status.state for status in job.watch()] == ["done"]
        assert client.job(1).status().done == 10
        assert job.cancel().state == "done"


def test_plain_failures_and_errors() -> None:
    fake = PlainFake()
    with fake.client() as client:
        job = client.submit("square", [1, 13])
        with pytest.raises(dc.TaskFailed, match="thirteen"):
            list(job.results())
        with pytest.raises(dc.PayloadError, match="payload 2"):
            client.submit("echo", [b"", b"", 5])
        assert fake.server.jobs[2].cancelled
        with pytest.raises(dc.UnknownTaskType):
            client.submit("nothing", [])


def test_plain_blobs() -> None:
    big = bytes(100_000)
    with PlainFake().client() as client:
        job = client.submit("echo", [b"a", big])
        assert list(job.results(large="value")) == [b"a", big]


def test_plain_run_streams_into_the_merge() -> None:
    @dc.task_type(name="square")
    def square(number: int) -> int:
        return number

    square.merge(lambda results: next(iter(results)))
    with PlainFake().client() as client:
        assert client.run(square, 7, 8) == 49


def test_plain_use_after_close_and_before_open() -> None:
    client = PlainFake().client()
    with pytest.raises(RuntimeError, match="not open"):
        client.submit("square", [1])
    with client:
        job = client.submit("square", range(10))
        results = job.results()
        assert next(results) == 0
        thread = client._thread
    assert thread is not None
    assert not thread.is_alive()
    with pytest.raises(RuntimeError, match="not open"):
        job.wait()
    with pytest.raises(RuntimeError, match="only once"):
        client.__enter__()
    results.close()  # type: ignore[attr-defined]


def test_plain_generator_dropped_early_unsubscribes() -> None:
    fake = PlainFake()
    fake.server.run_limit = 4
    with fake.client() as client:
        job = client.submit("square", range(10))
        for _ in job.results():
            break
        job.status()
        job.status()
        assert len(fake.server.of(messages_client.Unsubscribe)) >= 1


def test_plain_server_not_there() -> None:
    with pytest.raises(dc.ConnectionLost, match="is it running"), dc.Client("http://127.0.0.1:1"):
        pass


def test_plain_body_error_ends_the_thread() -> None:
    client = PlainFake().client()
    with pytest.raises(KeyboardInterrupt), client:
        raise KeyboardInterrupt
    assert client._thread is not None
    assert not client._thread.is_alive()
