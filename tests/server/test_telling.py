"""Output, progress and checkpoints in the server's reactor."""

from __future__ import annotations

from typing import Any

import pytest

from dc import limits_executor as limits
from dc.messages_parts import Blob, Failure
from dc.messages_worker import Assign, Checkpoint, Failed, Goodbye, Output, Progress
from dc.records import TaskCheckpoint, TaskOutput
from dc.server.events import CheckpointsFound, Received
from tests.server.harness import Harness

BLOB = Blob(b"d" * 32, 70_000)


class Told(Harness):
    """A server with one job of one task, which runs on worker `w` as its first attempt."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.w = self.worker(slots=2)
        self.job = self.submit(self.client(), [b"p"], **{"retry_seconds": 0.0, **options})
        self.settle()
        ((_, _, self.attempt, _),) = self.tasks(self.w)

    @property
    def key(self) -> tuple[int, int, int]:
        return self.job, 0, self.attempt

    def outputs(self) -> list[TaskOutput]:
        self.settle()
        return self.records(TaskOutput, self.job)

    def saved(self) -> list[TaskCheckpoint]:
        self.settle()
        return self.records(TaskCheckpoint, self.job)

    def saved_on_disk(self) -> bool:
        return any(isinstance(one, TaskCheckpoint) for one in self.written)

    def fail(self) -> None:
        self.say(self.w, Failed(1, *self.key, 0.1, Failure("error", "no")))

    def next_attempt(self, peer: int | None = None) -> Assign:
        """Return how the task is handed out once more."""
        self.pass_time(2.0)
        self.settle()
        (found,) = self.take(self.w if peer is None else peer, Assign)
        assert found.attempts[0] > self.attempt
        return found


def test_output_is_in_memory_while_the_task_runs_and_then_on_disk() -> None:
    told = Told()
    outputs = told.reactor.workers.outputs
    told.say(told.w, Output(*told.key, 0, b"one ", 4))
    live = outputs.get(told.job, 0)
    assert live is not None
    assert live.captured.text() == "one "
    assert told.outputs() == []
    told.say(told.w, Output(*told.key, 4, b"two", 7, True))
    assert outputs.get(told.job, 0) is live
    assert told.outputs() == [TaskOutput(*told.key, b"one two", b"", 7)]
    assert outputs.get(told.job, 0) is None


def test_only_the_holder_is_listened_to() -> None:
    told = Told()
    other = told.worker("other")
    job, number, attempt = told.key
    for peer, key in ((other, told.key), (told.w, (job, number, attempt + 1))):
        told.say(peer, Output(*key, 0, b"x", 1, True), Progress(*key, 0.5, ""))
        told.say(peer, Checkpoint(*key, b"x"))
    for key in ((99, 0, 1), (job, 77, attempt)):
        told.say(told.w, Output(*key, 0, b"x", 1), Progress(*key, 0.5, ""), Checkpoint(*key, b"x"))
    assert told.outputs() == []
    assert told.saved() == []
    assert told.reactor.workers.telling.progress(job, 0) is None
    assert told.w not in told.closed


def test_output_of_a_lost_attempt_is_kept() -> None:
    told = Told()
    told.say(told.w, Output(*told.key, 0, b"last words", 10))
    told.say(told.w, Goodbye())
    told.pass_time(1.0)
    assert told.outputs() == [TaskOutput(*told.key, b"last words", b"", 10)]


def test_output_in_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "OUTPUT_SERVER_BYTES", 10)
    told = Told()
    for at in range(5):
        told.say(told.w, Output(*told.key, 4 * at, b"1234", 4 * at + 4))
    told.say(told.w, Output(*told.key, 20, b"", 20, True))
    assert told.outputs() == [TaskOutput(*told.key, b"12341234", b"", 20)]


def test_progress_is_shown_while_the_task_runs() -> None:
    told = Told()
    telling = told.reactor.workers.telling
    told.say(told.w, Progress(*told.key, 0.25, "a quarter"))
    shown = telling.progress(told.job, 0)
    assert shown is not None
    assert (shown.fraction, shown.text) == (0.25, "a quarter")
    told.answer(told.w, 1, [(*told.key, b"p")])
    assert telling.progress(told.job, 0) is None
    told.pass_time(1.0)
    assert not telling._progress


def test_the_next_attempt_gets_the_checkpoint_after_a_failure() -> None:
    told = Told(retries=1)
    told.say(told.w, Checkpoint(*told.key, b"first"))
    told.say(told.w, Checkpoint(*told.key, b"second"))
    told.fail()
    assert told.next_attempt().checkpoints == {0: b"second"}


def test_a_checkpoint_may_come_behind_the_failure() -> None:
    told = Told(retries=1)
    told.fail()
    told.say(told.w, Checkpoint(*told.key, b"late"))
    assert told.next_attempt().checkpoints == {0: b"late"}
    told.say(told.w, Checkpoint(*told.key, b"too late"))
    assert [one.data for one in told.saved()] == [b"late"]


def test_a_checkpoint_is_handed_out_before_it_is_on_disk() -> None:
    told = Told(retries=1)
    other = told.worker("other")
    told.say(told.w, Checkpoint(*told.key, b"fresh"))
    told.say(told.w, Goodbye())
    loads, told.loads = told.loads, []
    for load in loads:  # of payloads
        told.feed(told._answer(load))
    assert not told.saved_on_disk()
    (found,) = told.take(other, Assign)
    assert found.checkpoints == {0: b"fresh"}


def test_a_checkpoint_outlives_the_server() -> None:
    told = Told(retries=1)
    told.say(told.w, Checkpoint(*told.key, BLOB))
    told.fail()
    told.settle()
    told.restart()
    told.feed(CheckpointsFound([(told.job, 0), (99, 5)]))
    told.w = told.worker("new")
    assert told.next_attempt().checkpoints == {0: BLOB}


def test_a_checkpoint_that_is_not_here_is_passed_over() -> None:
    told = Told()
    told.feed(Received(told.w, [Checkpoint(*told.key, BLOB)], frozenset([BLOB])))
    assert told.saved() == []


def test_a_checkpoint_is_forgotten_with_the_outcome() -> None:
    told = Told()
    told.say(told.w, Checkpoint(*told.key, b"x"))
    assert told.reactor.board.checkpointed == {told.job: {0}}
    told.answer(told.w, 1, [(*told.key, b"p")])
    assert told.reactor.board.checkpointed == {}


def test_checkpoints_that_wait_for_the_disk_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CHECKPOINT_UNSTORED_BYTES", 10)
    told = Told()
    for data in (b"12345678", b"87654321", b"x" * 20, b"end"):
        told.say(told.w, Checkpoint(*told.key, data))
    assert [one.data for one in told.saved()] == [b"12345678", b"87654321", b"end"]


def test_others_are_handed_out_while_a_checkpoint_is_read() -> None:
    told = Told(retries=1)
    told.say(told.w, Checkpoint(*told.key, b"saved"))
    told.fail()
    told.settle()
    told.submit(told.client(), [b"q"])
    told.pass_time(2.0)
    told.commit()
    told.settle()
    found = told.take(told.w, Assign)
    assert sorted(one.payloads for one in found) == [[b"p"], [b"q"]]
    assert [one.checkpoints for one in found if one.payloads == [b"p"]] == [{0: b"saved"}]


def test_the_blob_of_a_replaced_checkpoint_goes() -> None:
    told = Told()
    other = Blob(b"e" * 32, 70_000)
    told.say(told.w, Checkpoint(*told.key, BLOB), Checkpoint(*told.key, BLOB))
    told.commit()
    assert told.loads == []
    told.say(told.w, Checkpoint(*told.key, other))
    told.commit()
    assert told.dropped == [BLOB.digest]
    told.answer(told.w, 1, [(*told.key, b"p")])
    told.commit()
    told.pass_time(1.0)
    assert told.dropped == [BLOB.digest, other.digest]
