"""The server, two workers and a client in one process, over memory streams under a MockClock."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest
import trio
import trio.testing

import dc
from dc import limits
from dc.errors import JobCancelled, TaskFailed
from tests.system.memory_world import Wire, Worker, World, run_here, running_world

Clock = trio.testing.MockClock


@pytest.fixture(autouse=True)
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trio.to_thread, "run_sync", run_here)


async def collect(job: dc.AsyncJob) -> list[int]:
    return [value async for value in job.results()]


async def submit_hanging(world: World, client: dc.AsyncClient, count: int) -> dc.AsyncJob:
    """Submit tasks of a second each, and wait until both workers are at them."""
    world.seconds_of["hang"] = 1.0
    job = await client.submit("hang", range(count))
    await world.until(lambda: all(worker.running for worker in world.workers))
    return job


async def test_a_job_goes_through(tmp_path: Path, autojump_clock: Clock) -> None:
    async with running_world(tmp_path) as world, world.client() as client:
        job = await client.submit("square", [n for n in range(5000) if n != 13])
        expected = [n * n for n in range(5000) if n != 13]
        assert await collect(job) == expected
        tasks = [finished async for finished in job.as_completed()]
        assert sorted(task.number for task in tasks) == list(range(4999))
        assert {task.worker for task in tasks} <= {"w0", "w1"}
        status = await job.wait()
        assert (status.state, status.done, status.total) == ("done", 4999, 4999)
        await world.check_recorded(job.number, 4999)
        given = world.workers[0].attempts + world.workers[1].attempts
        assert set(given.values()) == {1}


async def test_both_workers_take_long_tasks(tmp_path: Path, autojump_clock: Clock) -> None:
    async with running_world(tmp_path) as world, world.client() as client:
        job = await submit_hanging(world, client, 20)
        assert await collect(job) == list(range(20))
        workers = [task.worker async for task in job.as_completed()]
        assert 8 <= workers.count("w0") <= 12
        await world.check_recorded(job.number, 20)


async def test_a_cut_connection_is_made_again(tmp_path: Path, autojump_clock: Clock) -> None:
    async with running_world(tmp_path) as world, world.client() as client:
        job = await submit_hanging(world, client, 20)
        first = world.workers[0]
        for _ in range(4):
            await trio.sleep(1.3)
            first.wires[-1].cut()
            await world.until(lambda: not first.app.statistics().connected)
            await world.until(lambda: first.app.statistics().connected)
        assert await collect(job) == list(range(20))
        await world.check_recorded(job.number, 20)
        assert {task.worker async for task in job.as_completed()} == {"w0", "w1"}


async def test_a_shaky_line_fails_no_task(tmp_path: Path, autojump_clock: Clock) -> None:
    async with running_world(tmp_path, workers=1) as world, world.client() as client:
        world.seconds_of["hang"] = 60.0
        (worker,) = world.workers
        job = await client.submit("hang", [1])
        await world.until(lambda: worker.running)
        for _ in range(2 * limits.CRASH_LIMIT):
            worker.wires[-1].cut()
            await world.until(lambda: not worker.app.statistics().connected)
            await world.until(lambda: worker.app.statistics().connected)
            await trio.sleep(1)
        assert await collect(job) == [1]
        assert worker.attempts == {(job.number, 0): 1}, "the worker goes on with what it has"


async def test_a_lost_client_reads_on(tmp_path: Path, autojump_clock: Clock) -> None:
    async with running_world(tmp_path) as world:
        wires: list[Wire] = []
        async with world.client(wires) as client:
            job = await submit_hanging(world, client, 20)
            seen = []
            async for value in job.results(ordered=False):
                seen.append(value)
                if len(seen) in (3, 9):
                    wires[-1].cut()
                if len(seen) == 14:
                    wires[-1].freeze()
            assert sorted(seen) == list(range(20))
        assert len(wires) == 4


async def test_a_worker_that_vanishes_is_missed(tmp_path: Path, autojump_clock: Clock) -> None:
    async with running_world(tmp_path) as world, world.client() as client:
        job = await submit_hanging(world, client, 10)
        started = trio.current_time()
        world.workers[0].vanish()
        assert await collect(job) == list(range(10))
        took = trio.current_time() - started
        grace = limits.GRACE_SECONDS  # from when the worker was last heard
        assert grace - limits.HEARTBEAT_SECONDS < took < grace + limits.HEARTBEAT_SECONDS
        assert [task.worker async for task in job.as_completed()][-1] == "w1"
        assert [row.about.name for row in world.app.reactor.workers.by_peer.values()] == ["w1"]
        await world.check_recorded(job.number, 10)


async def test_old_tasks_and_new_ones_go_out_together(
    tmp_path: Path, autojump_clock: Clock
) -> None:
    """Payloads of tasks that are assigned again come from the store, those of new ones do not."""

    async def one_by_one() -> AsyncGenerator[int]:
        for number in range(8):
            yield number
            await trio.sleep(1)

    async with running_world(tmp_path, workers=0) as world, world.client() as client:
        world.seconds_of["hang"] = math.inf
        victim = await world.start_worker("victim", slots=5)
        async with aclosing(one_by_one()) as numbers:
            job = await client.submit("hang", numbers)
        await world.until(lambda: sum(victim.attempts.values()) == 5)
        for wire in victim.wires:
            wire.cut()
        victim.vanish()
        await world.until(lambda: not world.app.reactor.workers.by_peer)
        world.seconds_of["hang"] = 0.1
        await world.start_worker("heir", slots=8)
        assert await collect(job) == list(range(8))


async def test_silence_is_noticed_by_both_sides(tmp_path: Path, autojump_clock: Clock) -> None:
    async with running_world(tmp_path) as world, world.client() as client:
        job = await submit_hanging(world, client, 60)
        first = world.workers[0]
        started = trio.current_time()
        first.wires[-1].freeze()
        await world.until(lambda: not first.app.statistics().connected)
        took = trio.current_time() - started
        assert (
            limits.SILENCE_SECONDS - limits.HEARTBEAT_SECONDS < took <= limits.SILENCE_SECONDS + 1
        )
        await world.until(lambda: first.app.statistics().connected)
        assert await collect(job) == list(range(60))
        await world.check_recorded(job.number, 60)
        assert len(world.app.reactor.workers.by_peer) == 2


async def test_an_idle_connection_stays(tmp_path: Path, autojump_clock: Clock) -> None:
    async with running_world(tmp_path) as world, world.client() as client:
        await trio.sleep(10 * limits.SILENCE_SECONDS)
        assert [len(worker.wires) for worker in world.workers] == [1, 1]
        assert await collect(await client.submit("square", [3])) == [9]


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
async def test_a_new_server_goes_on(kill: bool, tmp_path: Path, autojump_clock: Clock) -> None:
    async with running_world(tmp_path) as world, world.client() as client:
        job = await submit_hanging(world, client, 30)
        seen: list[int] = []

        async def read() -> None:
            seen.extend(await collect(job))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            for pause in (0.0, 3.0):
                await trio.sleep(4.4)
                before = await world.store.totals()
                await (world.kill_server() if kill else world.stop_server())
                await trio.sleep(pause)
                await world.start_server()
                after = await world.store.totals()
                assert after.done >= before.done > 0
                await world.until(
                    lambda: all(worker.app.statistics().connected for worker in world.workers)
                )
        assert seen == list(range(30))
        await world.check_recorded(job.number, 30)


async def test_a_submission_that_a_restart_interrupts(
    tmp_path: Path, autojump_clock: Clock
) -> None:
    async with running_world(tmp_path) as world, world.client() as client:
        asked = 0
        jobs: list[dc.AsyncJob] = []

        async def payloads() -> AsyncGenerator[int]:
            nonlocal asked
            for number in range(2000):
                asked = number
                await trio.sleep(0.01)
                yield number

        async def submit() -> None:
            async with aclosing(payloads()) as some:
                jobs.append(await client.submit("square", some, retries=0))

        world.nursery.start_soon(submit)
        for at in (500, 1000, 1010):
            await world.until(lambda at=at: asked > at)  # type: ignore[misc]
            await world.kill_server()
            await world.start_server()
        await world.until(lambda: bool(jobs))
        assert asked == 1999, "payloads are asked for once"
        values = [value async for value in jobs[0].results(failures="yield")]
        assert [value for value in values if not isinstance(value, TaskFailed)] == [
            number * number for number in range(2000) if number != 13
        ]
        await world.check_recorded(1, 2000)


async def test_results_are_picked_up_later_from_elsewhere(
    tmp_path: Path, autojump_clock: Clock
) -> None:
    async with running_world(tmp_path) as world:
        world.seconds_of["hang"] = 1.0
        async with world.client() as client:
            number = (await client.submit("hang", range(6), name="mine")).number
        await world.kill_server()
        await world.start_server()
        async with world.client() as client:
            (row,) = (await client.get("/api/jobs"))["jobs"]
            assert (row["job"], row["name"]) == (number, "mine")
            assert await collect(await client.job(number)) == list(range(6))


async def test_a_task_that_raises(tmp_path: Path, autojump_clock: Clock) -> None:
    async with running_world(tmp_path) as world, world.client() as client:
        job = await client.submit("square", [12, 13, 14])
        with pytest.raises(TaskFailed, match="thirteen is not squared") as caught:
            await collect(job)
        assert (caught.value.kind, caught.value.number, caught.value.attempt) == ("error", 1, 1)
        assert "Traceback" in caught.value.traceback
        assert "system_memory.py" in caught.value.traceback
        assert (await job.wait()).state == "failed"
        values = [value async for value in job.results(failures="yield")]
        assert (values[0], values[2]) == (144, 196)
        assert isinstance(values[1], TaskFailed)
        await world.check_recorded(job.number, 3)


async def test_a_task_that_raises_is_tried_again(tmp_path: Path, autojump_clock: Clock) -> None:
    async with running_world(tmp_path) as world, world.client() as client:
        started = trio.current_time()
        job = await client.submit("square", [13], retries=3)
        assert (await job.wait()).state == "failed"
        pauses = limits.RETRY_SECONDS * (1 + 2 + 4)
        assert pauses / 2 <= trio.current_time() - started < pauses + 2
        (task,) = [task async for task in job.as_completed()]
        assert task.attempt == 4
        given = world.workers[0].attempts + world.workers[1].attempts
        assert given == {(job.number, 0): 4}


async def test_a_task_that_takes_too_long(tmp_path: Path, autojump_clock: Clock) -> None:
    async with running_world(tmp_path) as world, world.client() as client:
        world.seconds_of["hang"] = math.inf
        started = trio.current_time()
        job = await client.submit("hang", [1, 2], timeout=3)
        with pytest.raises(TaskFailed, match="time limit of 3 s") as caught:
            await collect(job)
        assert caught.value.kind == "timeout"
        assert (await job.wait()).failed == 2
        assert 3 <= trio.current_time() - started < 4
        world.seconds_of["hang"] = 0.0
        assert await collect(await client.submit("hang", [7])) == [7]


async def test_a_task_that_crashes_its_executor(tmp_path: Path, autojump_clock: Clock) -> None:
    async with running_world(tmp_path) as world, world.client() as client:
        world.nursery.start_soon(world.let_executors_crash)
        bad = await client.submit("crash", [1])
        good = await client.submit("square", range(100, 200))
        with pytest.raises(TaskFailed, match="SIGKILL") as caught:
            await collect(bad)
        assert (caught.value.kind, caught.value.attempt) == ("crashed", limits.CRASH_LIMIT)
        assert await collect(good) == [n * n for n in range(100, 200)]
        given = world.workers[0].attempts + world.workers[1].attempts
        assert given[bad.number, 0] == limits.CRASH_LIMIT


async def test_a_task_that_loses_its_workers(tmp_path: Path, autojump_clock: Clock) -> None:
    async with running_world(tmp_path, workers=0) as world, world.client() as client:
        world.seconds_of["hang"] = math.inf
        job = await client.submit("hang", [1])
        for number in range(limits.CRASH_LIMIT):
            worker = await world.start_worker(f"victim{number}")
            await world.until(lambda worker=worker: worker.running)  # type: ignore[misc]
            for wire in worker.wires:
                wire.cut()
            worker.vanish()
        with pytest.raises(TaskFailed, match="5 times") as caught:
            await collect(job)
        assert caught.value.kind == "crashed"


async def test_a_cancelled_job_stops(tmp_path: Path, autojump_clock: Clock) -> None:
    async with running_world(tmp_path) as world, world.client() as client:
        world.seconds_of["hang"] = math.inf
        job = await client.submit("hang", range(1000))
        await world.until(lambda: all(worker.running for worker in world.workers))
        busy = [worker.executors[-1] for worker in world.workers]
        started = trio.current_time()
        status = await job.cancel()
        assert (status.state, status.cancelled) == ("cancelled", 1000)
        await world.until(lambda: all(executor.killed for executor in busy))
        assert trio.current_time() - started < 1
        with pytest.raises(JobCancelled):
            await collect(job)
        world.seconds_of["hang"] = 0.0
        assert await collect(await client.submit("hang", [5])) == [5]
        assert all(_is_empty(worker) for worker in world.workers)


def _is_empty(worker: Worker) -> bool:
    statistics = worker.app.statistics()
    return statistics.queued == statistics.given == 0


async def test_a_cancelled_job_stays_cancelled_over_a_restart(
    tmp_path: Path, autojump_clock: Clock
) -> None:
    async with running_world(tmp_path) as world, world.client() as client:
        world.seconds_of["hang"] = math.inf
        job = await client.submit("hang", range(10))
        await world.until(lambda: all(worker.running for worker in world.workers))
        await job.cancel()
        await world.kill_server()
        await world.start_server()
        await world.until(lambda: all(map(_is_empty, world.workers)))
        assert (await job.wait()).state == "cancelled"


async def test_a_worker_that_leaves_hands_back(tmp_path: Path, autojump_clock: Clock) -> None:
    async with running_world(tmp_path) as world, world.client() as client:
        job = await submit_hanging(world, client, 10)
        world.workers[0].app.leave()
        assert await collect(job) == list(range(10))
        names = [row.about.name for row in world.app.reactor.workers.by_peer.values()]
        assert names == ["w1"]
        task = await world.store.task(job.number, 0)
        assert task is not None
        assert task.crashes == 0, "a worker that says goodbye is not to blame"
        await world.check_recorded(job.number, 10)


async def test_stopping_the_server_blames_nobody(tmp_path: Path, autojump_clock: Clock) -> None:
    async with running_world(tmp_path, workers=1) as world:
        world.seconds_of["hang"] = math.inf
        async with world.client() as client:
            job = await client.submit("hang", range(1))
        for _ in range(limits.CRASH_LIMIT + 1):
            await trio.sleep(5)
            await world.stop_server()
            await world.start_server()
        row = await world.store.task(job.number, 0)
        assert row is not None
        assert (row.finished, row.crashes) == (False, 0)
