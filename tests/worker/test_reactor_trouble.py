"""The worker's reactor by examples: time limits, deaths, files, and the end."""

from __future__ import annotations

from dc import limits, limits_worker
from dc.messages import PROTOCOL, Heartbeat, Welcome
from dc.messages_parts import Blob, Failure
from dc.messages_worker import Assign, Done, Failed, Goodbye, Recorded, Returned, Stop
from dc.pipe import MISSING, FileResult, InFile
from dc.worker import events as ev
from dc.worker.tasks import Job
from tests.worker.bench import READY, Bench, short_job

# --- time limits and deaths -----------------------------------------------------------------------


def test_time_limit_kills_and_blames_one() -> None:
    bench = Bench(slots=1)
    bench.assign(0, timeout=2.0)
    bench.ran(0)
    bench.flush()
    bench.assign(1, 2, 3, timeout=2.0)
    bench.busy(1, 2, 3)
    bench.tick(1.9)
    assert not bench.of(ev.Kill)
    bench.tick(0.1)
    assert bench.halted == [(0, 1, 1)]
    bench.tick(limits_worker.TIME_LIMIT_GRACE_SECONDS - 0.1)
    assert bench.out == []
    bench.tick(0.1)
    assert bench.of(ev.Kill) == [ev.Kill(0)]
    bench.do(ev.ExecutorDied(0, "killed"))
    assert bench.of(ev.StartExecutor)
    (failed,) = bench.flush()
    assert (failed.number, failed.failure.kind) == (1, "timeout")
    assert failed.failure.error == "ran longer than its time limit of 2 s and was killed"
    bench.do(ev.ExecutorReady(0, READY))
    assert bench.runs[0] == (0, [2, 3])


def test_result_that_was_in_the_pipe_beats_the_time_limit() -> None:
    bench = Bench()
    bench.assign(1, timeout=1.0)
    bench.tick(1.0)
    bench.tick(limits_worker.TIME_LIMIT_GRACE_SECONDS)
    assert bench.of(ev.Kill)
    bench.ran(1)
    bench.do(ev.ExecutorDied(0, "killed"))
    (done,) = bench.flush()
    assert isinstance(done, Done)


def test_time_limit_of_code_that_keeps_the_executor_from_speaking() -> None:
    bench = Bench()
    bench.assign(0, timeout=2.0)
    bench.ran(0)
    bench.assign(1, 2, timeout=2.0)
    bench.tick(2.0 + limits_worker.UNHEARD_SECONDS)
    assert bench.of(ev.Kill)
    bench.do(ev.ExecutorDied(0, "killed"))
    bench.tick(1.0)
    bench.do(ev.ExecutorReady(0, READY))
    assert bench.runs == [(0, [1])]
    bench.tick(2.0)
    bench.tick(limits_worker.TIME_LIMIT_GRACE_SECONDS)
    bench.do(ev.ExecutorDied(0, "killed"))
    reports = bench.flush()
    assert [one.failure.kind for one in reports if isinstance(one, Failed)] == ["timeout"]


def test_single_task_is_blamed_for_a_death() -> None:
    bench = Bench()
    bench.assign(1)
    bench.do(ev.ExecutorDied(0, "killed by signal 11 (SIGSEGV)"))
    (failed,) = bench.flush()
    assert failed.failure.kind == "crashed"
    assert "SIGSEGV" in failed.failure.error


def test_several_tasks_are_tried_alone_before_one_is_blamed() -> None:
    bench = short_job()
    bench.assign(1, 2, 3)
    assert bench.runs == [(0, [1, 2, 3])]
    bench.do(ev.ExecutorDied(0, "exit status 1"))
    assert bench.flush() == []
    bench.do(ev.ExecutorReady(0, READY))
    assert bench.runs == [(0, [1])]
    bench.ran(1)
    assert bench.runs == [(0, [2])]
    bench.do(ev.ExecutorDied(0, "exit status 1"))
    done, failed = bench.flush()
    assert (done.numbers, failed.number, failed.failure.kind) == ([1], 2, "crashed")


def test_executor_that_achieves_nothing_starts_ever_later() -> None:
    bench = Bench()
    pauses = []
    for _ in range(9):
        bench.do(ev.ExecutorDied(0, "exit status 1"))
        began = bench.now
        while not bench.of(ev.StartExecutor):
            bench.tick(0.0625)
        pauses.append(bench.now - began)
    wanted = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    assert all(0 <= got - want < 0.0625 for got, want in zip(pauses, wanted, strict=True)), pauses
    bench.do(ev.ExecutorReady(0, READY))
    bench.assign(1)
    bench.ran(1)
    bench.do(ev.ExecutorDied(0, "exit status 1"))
    assert bench.of(ev.StartExecutor)


def test_executor_that_reports_what_it_was_not_given_is_replaced() -> None:
    bench = Bench()
    bench.assign(1)
    bench.ran(7)
    assert bench.of(ev.Kill)
    bench.do(ev.ExecutorDied(0, "killed"))
    assert bench.flush() == []
    bench.tick(1.0)
    bench.do(ev.ExecutorReady(0, READY))
    bench.ran(7)
    bench.do(ev.ExecutorDied(0, "killed"))
    (failed,) = bench.flush()
    assert "not given" in failed.failure.error


# --- files ----------------------------------------------------------------------------------------


def blob(number: int) -> Blob:
    return Blob(b"%032d" % number, 50_000)


def file_of(one: Blob) -> InFile:
    return InFile(f"/c/{one.name}", one.size, one.digest)


def blobs(bench: Bench, *numbers: int) -> None:
    payloads: list[bytes | Blob] = [blob(number) for number in numbers]
    bench.hear(Assign(1, "work", "1", 0, list(numbers), [1] * len(numbers), payloads))


def test_large_payloads_are_fetched_a_few_at_a_time() -> None:
    bench = Bench(slots=9)
    blobs(bench, *range(9))
    first = [ev.Fetch(blob(number)) for number in range(limits_worker.TRANSFERS_AT_ONCE)]
    assert bench.out == first
    bench.do(ev.Fetched(file_of(blob(1))))
    assert bench.of(ev.Fetch) == [ev.Fetch(blob(limits_worker.TRANSFERS_AT_ONCE))]
    assert bench.of(ev.Execute)[0].run.payloads == [file_of(blob(1))]
    bench.ran(1)
    assert bench.of(ev.LetGo) == [ev.LetGo(blob(1).digest)]


def test_a_blob_is_fetched_once_however_many_tasks_wait_for_it() -> None:
    bench = Bench(slots=2)
    one = blob(0)
    bench.hear(Assign(1, "work", "1", 0, [1, 2], [1, 1], [one, one]))
    bench.hear(Assign(2, "work", "1", 0, [1], [1], [one]))
    assert bench.reactor.statistics().fetching == 3
    bench.do(ev.Fetched(file_of(one)))
    assert bench.runs == [(0, [1]), (1, [2])]
    bench.ran(1)
    assert bench.of(ev.Execute)[0].run.job == 2
    bench.ran(2, slot=1)
    assert not bench.of(ev.LetGo)
    bench.ran(1, job=2)
    assert bench.of(ev.LetGo) == [ev.LetGo(one.digest)]


def test_what_comes_ahead_is_bounded() -> None:
    bench = Bench(slots=1)
    large = [Blob(b"%032d" % number, limits_worker.AHEAD_BYTES * 2 // 5) for number in range(6)]
    bench.hear(Assign(1, "work", "1", 0, list(range(6)), [1] * 6, [*large]))
    assert [one.blob for one in bench.of(ev.Fetch)] == large[:2]
    bench.do(ev.Fetched(file_of(large[0])))
    assert bench.of(ev.Execute), "the first one runs"
    assert [one.blob for one in bench.of(ev.Fetch)] == large[2:3]
    bench.do(ev.Fetched(file_of(large[1])))
    bench.do(ev.Fetched(file_of(large[2])))
    assert not bench.of(ev.Fetch)
    bench.ran(0, seconds=1.0)
    assert [one.blob for one in bench.of(ev.Fetch)] == large[3:4]


def test_of_whatever_size_one_comes_ahead_for_each_slot() -> None:
    bench = Bench(slots=2)
    large = [Blob(b"%032d" % number, limits_worker.AHEAD_BYTES * 3) for number in range(4)]
    bench.hear(Assign(1, "work", "1", 0, list(range(4)), [1] * 4, [*large]))
    assert [one.blob for one in bench.of(ev.Fetch)] == large[:2]


def test_fetch_that_is_refused_fails_the_task_in_the_end() -> None:
    bench = Bench()
    blobs(bench, 1)
    for _ in range(limits_worker.TRANSFER_TRIES - 1):
        bench.do(ev.FetchFailed(blob(1).digest, "404 no such blob", True))
        assert not bench.of(ev.Fetch)
        bench.tick(limits_worker.RECONNECT_SECONDS_MOST)
        assert bench.of(ev.Fetch)
        bench.hear(Heartbeat())
    bench.do(ev.FetchFailed(blob(1).digest, "404 no such blob", True))
    (failed,) = bench.flush()
    assert failed.failure == Failure("error", "could not fetch payload: 404 no such blob")


def test_fetches_that_fail_without_a_connection_do_not_count() -> None:
    bench = Bench()
    blobs(bench, 1)
    for _ in range(20):
        bench.do(ev.Disconnected())
        bench.do(ev.FetchFailed(blob(1).digest, "404 no such blob", True))
        bench.do(ev.Connected())
        bench.hear(Welcome(PROTOCOL, "test", []))
        assert bench.of(ev.Fetch)


def test_fetches_that_the_server_cannot_answer_now_are_tried_until_it_can() -> None:
    bench = Bench()
    blobs(bench, 1)
    for _ in range(10 * limits_worker.TRANSFER_TRIES):
        bench.do(ev.FetchFailed(blob(1).digest, "507 the disk is full", False))
        assert not bench.of(ev.Fetch)
        bench.tick(limits_worker.RECONNECT_SECONDS)
        assert bench.of(ev.Fetch) == [ev.Fetch(blob(1))]
        bench.hear(Heartbeat())
    assert bench.flush() == []
    bench.do(ev.Fetched(file_of(blob(1))))
    assert bench.of(ev.Execute)


def test_what_is_fetched_for_a_stopped_task_is_let_go() -> None:
    bench = Bench()
    blobs(bench, 1)
    bench.hear(Stop(1, [1], [1]))
    bench.do(ev.Fetched(file_of(blob(1))))
    assert bench.out == [ev.LetGo(blob(1).digest)]


def test_large_result_is_put_before_it_is_reported() -> None:
    bench = Bench()
    bench.assign(1)
    file = InFile("/s/executor-0-1/result", 70_000, b"h" * 32)
    bench.ran(1, outcomes=[file], seconds=0.5)
    assert bench.out == [
        ev.KeepFile(FileResult(1, 1, 1, 0.5, file)),
        ev.PutBlob(1, 1, 1, file),
    ]
    for _ in range(20):
        bench.do(ev.BlobPutFailed(1, 1, 1, "broken", False))
        bench.tick(limits_worker.RECONNECT_SECONDS_MOST)
        bench.hear(Heartbeat())
        assert not bench.of(ev.Drop)
    bench.do(ev.ExecutorDied(0, "exit status 1"))
    assert bench.of(ev.ClearFolder) == [ev.ClearFolder("/s/executor-0-1", [file.path])]
    bench.do(ev.BlobPut(1, 1, 1))
    assert bench.out[1:] == [ev.ForgetFile(1, 1, 1), ev.RemoveFile(file.path)], "only then"
    assert bench.flush() == [Done(1, 1, [1], [1], [0.5], [Blob(b"h" * 32, 70_000)])]


def test_result_that_is_refused_fails_its_task() -> None:
    bench = Bench()
    bench.assign(1)
    bench.ran(1, outcomes=[InFile("/s/r", 70_000, b"h" * 32)])
    for _ in range(limits_worker.TRANSFER_TRIES):
        bench.do(ev.BlobPutFailed(1, 1, 1, "400 another hash", True))
        bench.tick(limits.SILENCE_SECONDS - 1)
        bench.hear(Heartbeat())
    (failed,) = bench.flush()
    assert failed.failure.error == "could not put result: 400 another hash"


# --- the end --------------------------------------------------------------------------------------


def test_leaving_returns_what_is_not_done_and_waits_for_the_record() -> None:
    bench = Bench()
    bench.assign(1, 2, 3)
    bench.ran(1)
    bench.do(ev.Leave())
    assert bench.of(ev.Kill)
    bench.assign(4)
    bench.do(ev.ExecutorDied(0, "killed"))
    assert not bench.of(ev.StartExecutor)
    done, returned = bench.flush()
    assert isinstance(done, Done)
    assert isinstance(returned, Returned)
    assert sorted(returned.numbers) == [2, 3], "what came later goes back with the Goodbye"
    assert not bench.of(ev.Finish)
    bench.hear(Recorded(2))
    assert bench.out == [ev.Forget(2), ev.Send(Goodbye()), ev.Finish()]


def test_leaving_with_results_in_the_journal_says_no_goodbye() -> None:
    bench = Bench()
    bench.do(ev.Restored("a"))
    bench.assign(1)
    bench.ran(1)
    bench.flush()
    bench.do(ev.Leave())
    bench.do(ev.ExecutorDied(0, "killed"))
    bench.assign(2)
    bench.tick(limits_worker.LEAVE_SECONDS)
    assert bench.of(ev.Finish)
    assert [one.numbers for one in bench.sent if isinstance(one, Returned)] == [[2]]
    assert Goodbye() not in bench.sent


def test_leaving_does_not_wait_for_ever() -> None:
    bench = Bench()
    bench.assign(1, 2)
    bench.ran(1, outcomes=[InFile("/s/r", 70_000, b"h" * 32)])
    bench.do(ev.Leave())
    bench.tick(limits_worker.LEAVE_SECONDS)
    kinds = [type(message) for message in bench.sent]
    assert kinds == [Heartbeat, Returned, Goodbye]
    assert bench.of(ev.Finish)


def test_leaving_without_a_connection_and_without_results_is_quick() -> None:
    bench = Bench()
    bench.assign(1)
    bench.do(ev.Disconnected())
    bench.do(ev.Leave())
    bench.do(ev.ExecutorDied(0, "killed"))
    bench.flush()
    assert bench.of(ev.Finish)


def test_statistics() -> None:
    bench = Bench()
    bench.assign(1, 2, 3)
    blobs(bench, 4)
    bench.ran(1)
    bench.flush()
    now = bench.reactor.statistics()
    assert (now.fetching, now.queued, now.given, now.unrecorded) == (1, 0, 2, 1)
    assert (now.done, now.failed, now.executors, now.connected) == (1, 0, 1, True)


def test_an_attempt_that_is_reported_twice_is_forgotten_once() -> None:
    job = Job(1, "square", "1", 0.0)
    job.held = {3: 1, 4: 2}
    job.forget([3, 3], [1, 1])
    assert job.held == {4: 2}


def test_a_file_that_was_not_found_is_let_go_with_its_task() -> None:
    """What the cache still has of it would be taken for in use for ever."""
    bench = Bench()
    blob = Blob(b"b" * 32, 99)
    bench.hear(Assign(1, "work", "1", 0.0, [0], [1], [blob]))
    bench.do(ev.Fetched(InFile("/c/b", 99, blob.digest)))
    bench.ran(0, outcomes=[Failure(MISSING, "/c/b is gone")])
    assert bench.of(ev.Fetch) == [ev.Fetch(blob)]
    bench.hear(Stop(1, [0], [1]))
    assert bench.of(ev.LetGo) == [ev.LetGo(blob.digest)]
