"""Halting a task in the middle of whatever it does, in this very process."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import dc
from dc.messages_parts import Failure, Message
from dc.pipe import Halt, Saved
from dc.stops import Stops
from dc.worker.halting import Halting
from dc.worker.notes import Desk
from dc.worker.task_run import Batch, run_task

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

HALT = Halt(1, 7, 2, "timeout", "it is enough")


@dc.task_type
def saving(payload: int, context: dc.Context) -> int:
    context.save(b"checkpoint")
    return payload


@dc.task_type
def plain(payload: int, context: dc.Context) -> int:
    del context
    return payload


@pytest.fixture
def halting() -> Iterator[Halting]:
    before = signal.getsignal(signal.SIGTERM)
    halting = Halting()
    halting.watch()
    yield halting
    signal.signal(signal.SIGTERM, before)


def run(kind: dc.TaskType, desk: Desk) -> object:
    return run_task(
        Batch(1, kind, Path("/nonexistent"), desk=desk), 7, 2, msgspec.msgpack.encode(5)
    )


def test_halt_in_the_middle_of_a_message_comes_behind_it(halting: Halting) -> None:
    sent: list[Message] = []

    def send(message: Message) -> None:
        halting.halt(HALT)
        sent.append(message)  # as the rest of a frame, without which the pipe is broken

    outcome = run(saving, Desk(send, lambda: None, after=halting.go_on))
    assert sent == [Saved(1, 7, 2, b"checkpoint")]
    assert isinstance(outcome, Failure)
    assert outcome.error == "TimeLimit: it is enough"


def test_halt_is_raised_once(halting: Halting) -> None:
    desk = Desk(lambda _: halting.halt(HALT), lambda: None, after=halting.go_on)
    assert isinstance(run(saving, desk), Failure)
    halting.go_on()
    assert run(plain, desk) == msgspec.msgpack.encode(5)


@dc.task_type
def deaf(payload: int, context: dc.Context) -> int:
    """Hear of being stopped by another way alone."""
    if payload == 5:
        context.on_stop(TOLD.set)
    return payload


TOLD = threading.Event()


def test_what_is_called_when_an_attempt_is_to_stop(halting: Halting) -> None:
    """It ends whatever this process has started: no process of other tests is to be left."""
    TOLD.clear()
    halting.tell_others()
    batch = Batch(1, deaf, Path("/nonexistent"), stops=halting.attempts)
    assert run_task(batch, 7, 2, msgspec.msgpack.encode(5)) == msgspec.msgpack.encode(5)
    halting.tell_others()
    assert not TOLD.is_set()
    halting.halt(HALT)  # between two tasks: nothing is raised
    halting.tell_others()
    assert TOLD.is_set()


def test_it_is_called_at_once_for_an_attempt_that_is_to_stop_already() -> None:
    stops, calls = Stops(), []
    stops.add((1, 7, 2))
    stops.on_stop((1, 7, 2), lambda: calls.append("here"))
    stops.on_stop((1, 7, 3), lambda: calls.append("there"))
    stops.tell()
    assert calls == ["here"]


def test_what_it_raises_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    stops = Stops()
    stops.on_stop((1, 7, 2), lambda: 1 / 0)
    stops.add((1, 7, 2))
    stops.tell()
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_context_of_a_test_takes_it(tmp_path: Path) -> None:
    dc.Context(1, 0, 1, tmp_path).on_stop(lambda: 1 / 0)
