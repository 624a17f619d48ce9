"""Output, progress and checkpoints in the worker's reactor."""

from __future__ import annotations

from typing import Any

from dc import limits, limits_executor, limits_worker
from dc.messages import PROTOCOL, Heartbeat, Welcome
from dc.messages_parts import Blob, Failure
from dc.messages_worker import Assign, Checkpoint, Failed, Output, Progress, Stop
from dc.pipe import NOBODY, InFile, Saved, Wrote
from dc.worker import events as ev
from tests.worker.bench import Bench

KEY = 1, 7, 1
FILE = InFile("/s/executor-0-1/checkpoint", 70_000, b"d" * 32)
BLOB = Blob(b"d" * 32, 70_000)


class Telling(Bench):
    """A bench whose executor runs task 7, and writes and tells."""

    def __init__(self) -> None:
        super().__init__()
        self.assign(7)
        self.mail: list[Any] = []

    def do(self, event: ev.Event) -> None:
        super().do(event)
        if hasattr(self, "mail"):
            self.mail += [
                one for one in self.sent if isinstance(one, Output | Progress | Checkpoint)
            ]

    def take(self) -> list[Any]:
        mail, self.mail = self.mail, []
        return mail

    def write(self, data: bytes, owner: tuple[int, int, int] | None = None) -> None:
        self.do(ev.ExecutorWrote(0, Wrote(data, owner)))

    def say(self, message: Any) -> None:
        self.do(ev.ExecutorSaid(0, message))

    def long(self, seconds: float = 2.0) -> None:
        self.busy(7)
        for _ in range(int(seconds * 10)):
            self.tick(0.1)

    def reconnect(self, server: str = "") -> None:
        self.do(ev.Disconnected())
        self.do(ev.Connected())
        self.hear(Welcome(PROTOCOL, "test", [], server))


def test_output_goes_when_it_is_marked_before_the_outcome() -> None:
    bench = Telling()
    bench.write(b"one ")
    bench.write(b"two", KEY)
    assert bench.take() == [Output(*KEY, 0, b"one two", 7, True)]


def test_output_of_a_long_task_goes_each_second_and_the_rest_at_its_end() -> None:
    bench = Telling()
    bench.write(b"first")
    bench.long(2.5)
    assert bench.take() == [Output(*KEY, 0, b"first", 5)]
    bench.write(b" second")
    bench.tick(0.1)
    assert bench.take() == [Output(*KEY, 5, b" second", 12)]
    bench.write(b" third")
    bench.tick(0.5)
    assert bench.take() == []
    bench.write(b"", KEY)
    assert bench.take() == [Output(*KEY, 12, b" third", 18, True)]


def test_of_much_output_the_latest_goes_and_all_that_is_kept_at_the_end() -> None:
    bench = Telling()
    bench.write(b"h" * limits_executor.OUTPUT_HEAD_BYTES)
    bench.write(b"t" * limits.MIB)
    bench.long(6.0)
    sent = bench.take()
    assert all(len(one.data) <= limits_executor.OUTPUT_CHUNK_BYTES for one in sent)
    assert sent[-1].start + len(sent[-1].data) == sent[-1].total
    bench.write(b"", KEY)
    (rest,) = bench.take()
    assert rest.ended
    assert rest.data == b"t" * limits_executor.OUTPUT_TAIL_BYTES


def test_what_is_nobodys_goes_to_the_log_and_not_too_often() -> None:
    bench = Telling()
    bench.write(b"from a daemon", NOBODY)
    assert [one.text for one in bench.of(ev.Say)] == [
        "executor 0 wrote outside of its tasks: from a daemon"
    ]
    bench.write(b"again", NOBODY)
    assert bench.of(ev.Say) == []
    assert bench.take() == []


def test_output_of_an_attempt_that_is_not_held_is_dropped() -> None:
    bench = Telling()
    bench.hear(Stop(1, [7], [1]))
    bench.write(b"late", KEY)
    assert bench.take() == []


def test_the_last_words_of_a_dead_executor_are_its_tasks() -> None:
    bench = Telling()
    bench.write(b"Segmentation fault")
    bench.do(ev.ExecutorDied(0, "killed by signal 11 (SIGSEGV)"))
    assert bench.take() == [Output(*KEY, 0, b"Segmentation fault", 18, True)]
    assert [one.failure.kind for one in bench.flush()] == ["crashed"]


def test_what_waits_for_the_server_goes_when_it_is_back() -> None:
    bench = Telling()
    bench.do(ev.Disconnected())
    bench.write(b"meanwhile", KEY)
    bench.ran(7)
    bench.flush()
    assert bench.take() == []
    bench.do(ev.Connected())
    bench.hear(Welcome(PROTOCOL, "test", []))
    assert bench.take() == [Output(*KEY, 0, b"meanwhile", 9, True)]


def test_live_output_goes_again_to_a_server_that_is_back() -> None:
    bench = Telling()
    bench.write(b"first")
    bench.long()
    bench.take()
    bench.reconnect()
    bench.tick(1.0)
    assert bench.take() == [Output(*KEY, 0, b"first", 5)]


def test_output_beyond_the_rate_is_left_out() -> None:
    bench = Telling()
    numbers = range(100, 400)
    bench.assign(*numbers)
    for number in numbers:
        bench.write(b"x" * 65536, (1, number, 1))
    sent = sum(len(one.data) for one in bench.take())
    assert 3 * limits_executor.OUTPUT_RATE_BYTES < sent <= 4 * limits_executor.OUTPUT_RATE_BYTES


def test_progress_goes_at_once_and_again_after_a_reconnect() -> None:
    bench = Telling()
    half, more = Progress(*KEY, 0.5, "half"), Progress(*KEY, 0.75, "")
    bench.say(half)
    bench.say(more)
    assert bench.take() == [half, more]
    bench.reconnect()
    assert bench.take() == [more]
    bench.hear(Stop(1, [7], [1]))
    bench.say(Progress(*KEY, 1.0, "late"))
    bench.tick(0.1)
    bench.reconnect()
    assert bench.take() == []


def test_a_small_checkpoint_goes_at_once_and_again_after_a_reconnect() -> None:
    bench = Telling()
    bench.say(Saved(*KEY, b"one"))
    bench.say(Saved(*KEY, b"two"))
    assert bench.take() == [Checkpoint(*KEY, b"one"), Checkpoint(*KEY, b"two")]
    bench.reconnect()
    assert bench.take() == [Checkpoint(*KEY, b"two")]


def test_a_large_checkpoint_is_put_first() -> None:
    bench = Telling()
    bench.say(Saved(*KEY, FILE))
    assert bench.of(ev.PutCheckpoint) == [ev.PutCheckpoint(*KEY, FILE)]
    assert bench.take() == []
    bench.do(ev.CheckpointPut(*KEY))
    assert bench.take() == [Checkpoint(*KEY, BLOB)]
    assert bench.of(ev.RemoveFile) == [ev.RemoveFile(FILE.path)]


def test_of_checkpoints_that_come_while_one_is_put_the_last_waits() -> None:
    bench = Telling()
    second, third = InFile("/2", 70_000, b"2" * 32), InFile("/3", 70_000, b"3" * 32)
    bench.say(Saved(*KEY, FILE))
    bench.say(Saved(*KEY, second))
    bench.say(Saved(*KEY, third))
    assert bench.of(ev.RemoveFile) == [ev.RemoveFile("/2")]
    bench.do(ev.CheckpointPut(*KEY))
    assert bench.of(ev.PutCheckpoint) == [ev.PutCheckpoint(*KEY, third)]
    bench.say(Saved(*KEY, b"small"))
    bench.do(ev.CheckpointPut(*KEY))
    assert [one.data for one in bench.take()][-1] == b"small"


def test_a_checkpoint_that_cannot_be_put_is_tried_again() -> None:
    bench = Telling()
    bench.say(Saved(*KEY, FILE))
    bench.do(ev.CheckpointPut(*KEY, "the line broke"))
    assert bench.of(ev.RemoveFile) == []
    bench.tick(limits_worker.RECONNECT_SECONDS_MOST)
    assert bench.of(ev.PutCheckpoint) == [ev.PutCheckpoint(*KEY, FILE)]
    for _ in range(limits_worker.TRANSFER_TRIES):
        bench.do(ev.CheckpointPut(*KEY, "no space", True))
        bench.tick(limits_worker.RECONNECT_SECONDS_MOST)
    assert not bench.of(ev.PutCheckpoint)
    assert bench.take() == []


def test_the_files_of_checkpoints_outlive_their_executor() -> None:
    bench = Telling()
    bench.say(Saved(*KEY, FILE))
    bench.do(ev.ExecutorDied(0, "killed"))
    (clear,) = bench.of(ev.ClearFolder)
    assert clear.keep == [FILE.path]


def test_another_servers_checkpoints_are_let_go() -> None:
    bench = Telling()
    bench.say(Saved(*KEY, FILE))
    bench.reconnect("another")
    bench.tick(0.1)
    assert not bench.of(ev.PutCheckpoint)


# --- what an attempt begins with ------------------------------------------------------------------


def assign(bench: Bench, saved: dict[int, bytes | Blob], payload: bytes | Blob = b"p") -> None:
    numbers = [1, 2]
    bench.hear(Assign(1, "work", "1", 0.0, numbers, [2, 2], [payload, payload], {}, {}, {}, saved))


def test_an_attempt_begins_with_its_checkpoint() -> None:
    bench = Bench()
    assign(bench, {2: b"saved"})
    (run,) = [one.run for one in bench.of(ev.Execute)]
    assert run.checkpoints == {}
    bench.ran(1, attempt=2)
    (run,) = [one.run for one in bench.of(ev.Execute)]
    assert (run.numbers, run.checkpoints) == ([2], {2: b"saved"})


def test_a_large_checkpoint_is_fetched_before_its_task_runs() -> None:
    bench = Bench()
    assign(bench, {2: BLOB})
    assert bench.of(ev.Fetch) == [ev.Fetch(BLOB)]
    bench.ran(1, attempt=2)
    assert not bench.of(ev.Execute)
    file = InFile("/c/checkpoint", BLOB.size, BLOB.digest)
    bench.do(ev.Fetched(file))
    (run,) = [one.run for one in bench.of(ev.Execute)]
    assert (run.numbers, run.payloads, run.checkpoints) == ([2], [b"p"], {2: file})
    bench.hear(Stop(1, [2], [2]))
    assert ev.LetGo(BLOB.digest) in bench.out


def test_a_large_payload_is_fetched_beside_the_checkpoint() -> None:
    bench = Bench()
    payload = Blob(b"p" * 32, 99_000)
    assign(bench, {1: BLOB, 2: b"small"}, payload)
    assert bench.of(ev.Fetch) == [ev.Fetch(payload), ev.Fetch(BLOB)]
    bench.do(ev.Fetched(InFile("/c/checkpoint", BLOB.size, BLOB.digest)))
    assert not bench.of(ev.Execute)
    bench.do(ev.Fetched(InFile("/c/payload", payload.size, payload.digest)))
    assert bench.runs == [(0, [1])]


def test_a_checkpoint_that_is_gone_does_not_fail_its_task() -> None:
    bench = Bench()
    assign(bench, {1: BLOB, 2: BLOB})
    for _ in range(limits_worker.TRANSFER_TRIES - 1):
        bench.do(ev.FetchFailed(BLOB.digest, "404", refused=True))
        bench.hear(Heartbeat())
        bench.tick(limits_worker.RECONNECT_SECONDS_MOST)
    assert len(bench.reactor._board.fetching) == 2
    bench.do(ev.FetchFailed(BLOB.digest, "404", refused=True))
    assert not [one for one in bench.flush() if isinstance(one, Failed)]
    assert len(bench.reactor._board.fetching) == 0
    assert bench.reactor._executors.given == 1


def test_failures_leave_the_checkpoint_for_the_next_attempt() -> None:
    bench = Telling()
    bench.say(Saved(*KEY, b"so far"))
    bench.ran(7, outcomes=[Failure("error", "no")])
    assert bench.take() == [Checkpoint(*KEY, b"so far")]
