"""Jobs that stay open: tasks that are added one at a time, each with a future."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, as_completed, wait
from pathlib import Path
from typing import Any

import pytest
import trio

import dc
from dc import limits, messages_client
from dc.client.submitter import submitter_here
from tests.client.fake_server import PlainFake

SECONDS = 60.0


def in_its_thread(client: dc.Client, do: Callable[[], Any]) -> Any:
    async def call() -> Any:
        await trio.lowlevel.checkpoint()
        return do()

    return client.call(call)


def failing(number: int) -> Callable[..., Any]:
    """Return an async function that raises an error of the disk."""

    async def fail(*_: object) -> None:
        await trio.lowlevel.checkpoint()
        raise OSError(number, "the disk")

    return fail


def results(futures: list[Future[Any]]) -> list[Any]:
    return [future.result(SECONDS) for future in futures]


def test_each_task_has_a_future() -> None:
    fake = PlainFake()
    with fake.client() as client, client.open("square", priority=3) as job:
        assert (job.number, job.type, repr(job)) == (1, "square", "<job 1 of square>")
        assert results([job.submit(n) for n in range(10)]) == [n * n for n in range(10)]
        assert job.submit(12).result(SECONDS) == 144
        assert fake.server.jobs[1].options == {"priority": 3, "submitter": submitter_here()}
        assert not fake.server.jobs[1].ended
        job.close()
        assert fake.server.jobs[1].ended
        with pytest.raises(RuntimeError, match="is closed"):
            job.submit(1)


def test_leaving_waits_for_all() -> None:
    with PlainFake().client() as client:
        with client.open("square") as job:
            futures = [job.submit(n) for n in range(14, 500)]
        assert all(future.done() for future in futures)
        assert sorted(future.result() for future in as_completed(futures, SECONDS)) == [
            n * n for n in range(14, 500)
        ]


def test_an_open_job_without_tasks_ends() -> None:
    fake = PlainFake()
    with fake.client() as client, client.open("square"):
        pass
    assert fake.server.jobs[1].ended


def test_a_failure_is_its_futures_own() -> None:
    with PlainFake().client() as client, client.open("square") as job:
        good, bad = job.submit(2), job.submit(13)
        error = bad.exception(SECONDS)
        assert isinstance(error, dc.TaskFailed)
        assert (error.number, error.job) == (1, 1)
        assert good.result(SECONDS) == 4


def test_a_payload_that_does_not_fit_is_told_at_once() -> None:
    with PlainFake().client() as client, client.open("echo") as job:
        with pytest.raises(dc.PayloadError):
            job.submit(5)
        assert job.submit(b"five").result(SECONDS) == b"five"


def test_large_payloads_and_results_keep_their_order() -> None:
    big = bytes(limits.INLINE_BYTES + 1)
    with PlainFake().client() as client, client.open("echo", large="value") as job:
        futures = [job.submit(payload) for payload in (b"a", big, b"b", big + b"c", b"d")]
        assert results(futures) == [b"a", big, b"b", big + b"c", b"d"]


def test_large_results_are_handles_and_payloads_may_be_files(tmp_path: Path) -> None:
    big = bytes(limits.INLINE_BYTES + 1)
    path = tmp_path / "big"
    path.write_bytes(big)
    with PlainFake().client() as client, client.open("echo") as job:
        futures = [job.submit(given) for given in (path, iter([big, b"c"]), client.put(big))]
        found = [future.result(SECONDS) for future in futures]
        assert [bytes(handle) for handle in found] == [big, big + b"c", big]
        with pytest.raises(dc.PayloadError, match="nothing: No such file"):
            job.submit(tmp_path / "nothing")


def test_what_comes_while_nothing_can_leave_goes_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BATCH_TASKS", 4)
    fake = PlainFake()
    with fake.client() as client, client.open("square") as job:
        gate = threading.Event()
        entered = threading.Event()

        async def hold() -> None:
            entered.set()
            gate.wait(SECONDS)  # Trio's thread is to be busy
            await trio.lowlevel.checkpoint()

        holder = threading.Thread(target=client.call, args=(hold,))
        holder.start()
        assert entered.wait(SECONDS)
        futures = [job.submit(n) for n in range(10)]
        gate.set()
        holder.join()
        assert results(futures) == [n * n for n in range(10)]
        sent = [len(one.payloads) for one in fake.server.of(messages_client.Payloads)]
        assert sent == [4, 4, 2]


def test_a_future_that_was_cancelled_in_time_is_no_task() -> None:
    fake = PlainFake()
    with fake.client() as client, client.open("square") as job:

        def both() -> tuple[Future[Any], Future[Any]]:
            first, second = job.submit(1), job.submit(2)  # in Trio's thread: nothing leaves before
            assert first.cancel()
            return first, second

        first, second = in_its_thread(client, both)
        assert second.result(SECONDS) == 4
        assert first.cancelled()
        job.close()
        assert len(fake.server.jobs[1].payloads) == 1


def test_a_lost_connection_is_made_again_and_nothing_is_doubled() -> None:
    fake = PlainFake()
    with fake.client() as client, client.open("square") as job:
        assert job.submit(1).result(SECONDS) == 1
        client.call(fake.server.cut)
        assert results([job.submit(n) for n in range(5)]) == [n * n for n in range(5)]
        job.close()
        assert len(fake.server.jobs[1].payloads) == 6


def test_leaving_by_an_error_cancels() -> None:
    fake = PlainFake()
    fake.server.run_limit = 0
    with fake.client() as client:
        job = client.open("square")
        future = job.submit(3)
        with pytest.raises(ZeroDivisionError), job:
            raise ZeroDivisionError
        assert isinstance(future.exception(SECONDS), dc.JobCancelled)
        assert fake.server.jobs[1].cancelled


def test_a_closed_client_leaves_no_future_waiting() -> None:
    fake = PlainFake()
    fake.server.run_limit = 0
    with fake.client() as client:
        job = client.open("square")
        future = job.submit(3)
    assert isinstance(future.exception(SECONDS), dc.ConnectionLost)
    with pytest.raises(dc.ConnectionLost):
        job.submit(4)
    with pytest.raises(dc.ConnectionLost):
        job.close()


def test_an_unknown_type_cannot_be_opened() -> None:
    with PlainFake().client() as client, pytest.raises(dc.UnknownTaskType):
        client.open("nothing")


def test_a_large_result_that_never_comes_leaves_no_future_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def never(number: int, size: int) -> bytes:
        await trio.sleep_forever()
        raise AssertionError

    with PlainFake().client() as client:
        job = client.open("echo", large="value")
        monkeypatch.setattr(job._reader, "fetch", never)
        future, small = job.submit(bytes(limits.INLINE_BYTES + 1)), job.submit(b"x")
        assert small.result(SECONDS) == b"x"
    assert isinstance(future.exception(SECONDS), dc.ConnectionLost)


def test_a_disk_that_cannot_be_used_is_its_futures_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = bytes(limits.INLINE_BYTES + 1)

    with PlainFake().client() as client:
        with client.open("echo", large="value") as job:
            with monkeypatch.context() as patched:
                patched.setattr(job._reader, "fetch", failing(28))
                assert isinstance(job.submit(big).exception(SECONDS), OSError)
            assert job.submit(big).result(SECONDS) == big
        job = client.open("echo")
        monkeypatch.setattr(job._submitter, "put", failing(5))
        (tmp_path / "big").write_bytes(big)
        future = in_its_thread(client, lambda: job.submit(tmp_path / "big"))  # as a callback does
        assert isinstance(future.exception(SECONDS), OSError)
        with pytest.raises(OSError, match="the disk"):
            job.close()
        assert next(client.map("square", [2])) == 4, "the client lives on"


def test_a_future_cancelled_in_the_queue_is_told_when_the_job_ends() -> None:
    fake = PlainFake()
    fake.server.run_limit = 0
    with fake.client() as client:
        job = client.open("square")

        def both() -> tuple[Future[Any], Future[Any]]:
            futures = job.submit(1), job.submit(2)  # in Trio's thread: nothing leaves before
            futures[0].cancel()
            job._end(dc.ConnectionLost("made up"))
            return futures

        first, second = in_its_thread(client, both)
    assert not wait([first, second], SECONDS).not_done
    assert first.cancelled()
    assert isinstance(second.exception(), dc.ConnectionLost)
