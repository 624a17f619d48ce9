"""Jobs in hand with real processes: what is stopped is stopped, and what is remembered stays so."""

from __future__ import annotations

import time

import pytest
import trio

import dc
from dc.errors import JobCancelled, TaskFailed
from tests.system.processes import Machine, until


async def test_a_cancelled_task_is_stopped_and_its_slot_is_free(machine: Machine) -> None:
    server = await machine.server()
    await machine.worker(server, "one", slots=1)
    async with machine.client(server) as client:
        path = str(machine.folder / "never")
        job = await client.submit("wait_for", [path, path])
        await until(lambda: bool(list(machine.folder.glob("running-*"))), "the task to run")
        began = time.monotonic()
        assert await job.cancel_task(0, 1) == 2
        other = await client.submit("square", [4])
        with trio.fail_after(60):
            assert [value async for value in other.results()] == [16]
        assert time.monotonic() - began < 30  # of a task that has no end
        status = await job.wait()
        assert (status.state, status.failed) == ("failed", 2)
        with pytest.raises(TaskFailed, match="cancelled"):
            async for _ in job.results():
                pass


async def test_failed_tasks_run_again_over_a_kill_of_the_server(machine: Machine) -> None:
    server = await machine.server()
    await machine.worker(server, "one", slots=2)
    async with machine.client(server) as client:
        job = await client.submit("square", [3, 13, 4, 13])
        assert (await job.wait()).failed == 2
        assert await job.retry() == 2
        server.program.kill()
    server = await machine.server(server.port)
    await server.has_workers("one")
    async with machine.client(server) as client:
        job = await client.job(1)
        status = await job.wait()
        assert (status.done, status.failed) == (2, 2)
        rows = (await client.get("/api/jobs/1/tasks"))["tasks"]
        assert [row["attempt"] for row in rows] == [1, 3, 1, 3]


async def test_a_chain_pause_and_weights_outlive_the_server(machine: Machine) -> None:
    server = await machine.server()
    async with machine.client(server) as client:
        first = await client.submit("square", range(5))
        second = await client.submit("square", range(5), after=first, each=True)
        third = await client.submit("square", [7], after=[first, second])
        doomed = await client.submit("square", [13])
        last = await client.submit("square", [1], after=doomed)
        await first.pause()
        await client.request("PATCH", "/api/submitters/ann", {"weight": 3})
        assert (await second.status()).state == "waiting"
    server.program.kill()
    server = await machine.server(server.port)
    await machine.worker(server, "one", slots=2)
    async with machine.client(server) as client:
        jobs = [await client.job(one.number) for one in (first, second, third, last)]
        with pytest.raises(JobCancelled, match=f"job {doomed.number}, which it came after, has"):
            async for _ in jobs[3].results():
                pass
        assert [(await job.status()).state for job in jobs[:3]] == ["paused", "waiting", "waiting"]
        assert (await client.get("/api/submitters"))["submitters"][0]["weight"] == 3.0
        await jobs[0].resume()
        with trio.fail_after(60):
            assert [value async for value in jobs[1].results()] == [0, 1, 4, 9, 16]
            assert [value async for value in jobs[2].results()] == [49]


async def test_a_flood_of_one_submitter_does_not_delay_the_few_tasks_of_another(
    machine: Machine,
) -> None:
    server = await machine.server()
    for name in ("one", "two"):
        await machine.worker(server, name, slots=1)
    async with (
        dc.AsyncClient(server.address, [machine.plugins], submitter="flood") as flood,
        dc.AsyncClient(server.address, [machine.plugins], submitter="few") as few,
    ):
        many = await flood.submit("slow", range(600))
        await server.is_done(many.number, 5)
        job = await few.submit("slow", range(1000, 1010))
        status = await job.wait()
        assert status.done == 10
        done = (await many.status()).done
        await many.cancel()
    # Two workers do 40 tasks a second. Alone the ten take a quarter of a second; with half of the
    # workers, twice as long; behind the flood, fifteen seconds.
    assert done < 400, "they waited for the flood"


async def test_results_of_the_former_are_read_by_the_latter(machine: Machine) -> None:
    server = await machine.server()
    await machine.worker(server, "one", slots=2)
    async with machine.client(server) as client:
        first = await client.submit("square", [1, 2, 3])
        each = await client.submit("counterpart", [first.number] * 3, after=first, each=True)
        last = await client.submit("sum_of", [first.number], after=[first, each])
        none = await client.submit("sum_of", [777], retries=0)
        with trio.fail_after(60):
            assert [value async for value in each.results()] == [2, 8, 18]
            assert [value async for value in last.results()] == [14]
            with pytest.raises(TaskFailed, match="there is no job 777"):
                async for _ in none.results():
                    pass


async def test_a_plain_program_has_its_jobs_in_hand(machine: Machine) -> None:
    server = await machine.server()

    def program() -> None:
        with dc.Client(server.address, [machine.plugins], submitter="me") as client:
            first = client.submit("square", [1, 2, 13], priority=1)
            job = client.submit("square", [1, 2], after=first, deadline=time.time() + 1000)
            first.pause(now=True)
            first.change(priority=7, weight=2.0, name="mine")
            view = client.get(f"/api/jobs/{first.number}")
            shown = [view[name] for name in ("state", "priority", "weight", "name", "submitter")]
            assert shown == ["paused", 7, 2.0, "mine", "me"]
            assert (first.cancel_task(2), first.retry(), first.retry(2)) == (1, 0, 1)
            assert client.get("/api/jobs?submitter=me")["jobs"][0]["after"] == [first.number]
            assert client.get("/api/jobs?submitter=you")["jobs"] == []
            first.resume()
            assert client.request("POST", "/api/submitters/me/cancel")["jobs"] == [1, job.number]
            assert first.status().state == "cancelled"

    await trio.to_thread.run_sync(program)
