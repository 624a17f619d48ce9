"""What tests are given: tasks run in-process, and an executor that is no process."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

import dc
from dc import limits, limits_executor, testing
from dc.errors import PluginError, TaskFailed, UnknownTaskType
from dc.executor import ExecutorPort
from dc.messages_parts import Failure
from dc.messages_worker import TypeId
from dc.pipe import Busy, FromExecutor, InFile, Ran, Ready, Run
from dc.plugins import load_plugins

PLUGIN = """
import os
import dc

@dc.task_type
def total_size(_: None, context: dc.Context) -> int:
    return sum(len(one.map()) for one in context.inputs.values())

@dc.task_type
def add_one(number: int) -> int:
    if number < 0:
        os._exit(4)
    return 1 / 0 if number == 0 else number + 1

@dc.task_type
def large(size: int) -> bytes:
    return bytes(size)

@dc.task_type
def leave(value: str) -> str:
    before = os.environ.get("DC_LEFT", "")
    os.environ["DC_LEFT"] = value
    return before
"""


@dc.task_type
def keys(table: dict[str, int]) -> list[str]:
    return sorted(table)


@keys.split
def tables(*words: str) -> Iterator[dict[str, int]]:
    for word in words:
        yield {word: 1}


@keys.merge
def together(results: Iterable[list[str]]) -> str:
    return "".join(word for words in results for word in words)


@dc.task_type
def place(payload: None, context: dc.Context) -> bool:
    return context.scratch.is_dir()


@dc.task_type
def count_in(word: bytes, context: dc.Context) -> int:
    assert context.inputs["text"].size == context.inputs["text"].path.stat().st_size
    return context.inputs["text"].read().count(word)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(PLUGIN)
    return tmp_path


def test_run_goes_through_bytes() -> None:
    assert testing.run(keys, {"b": 1, "a": 2}) == ["a", "b"]
    assert testing.run(place, None) is True
    with pytest.raises(dc.PayloadError):
        testing.run(keys, {1: 1})


def test_inputs_are_bytes_or_files(tmp_path: Path, folder: Path) -> None:
    file = tmp_path / "text"
    file.write_bytes(b"two or two")
    assert testing.run(count_in, b"two", inputs={"text": file}) == 2
    assert testing.run(count_in, b"two", inputs={"text": b"one"}) == 0
    with pytest.raises(KeyError, match="text"):
        testing.run(count_in, b"two")
    inputs: dict[str, bytes | Path] = {"text": file, "../more": bytes(100)}
    assert testing.run_in_executor(folder, "total_size", [None, None], inputs=inputs) == [110, 110]
    assert file.read_bytes() == b"two or two"
    with pytest.raises(FileNotFoundError, match="none"):
        testing.run(count_in, b"two", inputs={"text": tmp_path / "none"})


def test_run_all() -> None:
    assert testing.run_all(keys, "x", "y") == "xy"


def test_run_in_executor(folder: Path) -> None:
    assert testing.run_in_executor(folder, "add_one", [1, 2]) == [2, 3]
    size = limits.INLINE_BYTES + 1
    assert testing.run_in_executor(folder, "large", [size]) == [bytes(size)]


def test_run_in_executor_lets_no_task_see_what_another_has_left(folder: Path) -> None:
    assert testing.run_in_executor(folder, "leave", ["a", "b", "c"]) == ["", "", ""]


def test_run_in_executor_tells_what_fails(folder: Path) -> None:
    with pytest.raises(TaskFailed, match="ZeroDivisionError") as caught:
        testing.run_in_executor(folder, "add_one", [1, 0])
    assert "mine.py" in caught.value.traceback
    with pytest.raises(TaskFailed, match="the executor died: exit status 4"):
        testing.run_in_executor(folder, "add_one", [-1])
    with pytest.raises(UnknownTaskType, match="there is add_one 1"):
        testing.run_in_executor(folder, "absent", [1])


# --- the executor that is none ------------------------------------------------------------------


def batch(size: int, *, job: int = 1, kind: str = "double", scratch: str = "/nonexistent") -> Run:
    numbers = list(range(size))
    return Run(job, kind, "1", scratch, numbers, [2] * size, [b"%d" % one for one in numbers])


def double(data: bytes) -> bytes:
    if data == b"13":
        raise PluginError("unlucky")
    return data * 2


async def ready(fake: testing.FakeExecutor) -> testing.FakeExecutor:
    port: ExecutorPort = fake
    assert isinstance(await port.receive(), Ready)
    return fake


async def test_it_says_what_it_has() -> None:
    fake = testing.FakeExecutor({"double": double}, labels={"a": "b"}, broken={"x": "why"})
    assert await fake.receive() == Ready([TypeId("double", "1")], {"a": "b"}, {"x": "why"})


async def test_batches_at_once(autojump_clock: trio.testing.MockClock) -> None:
    fake = await ready(testing.FakeExecutor({"double": double}))
    await fake.send(batch(3))
    await fake.send(batch(14, job=2))
    first, second = await fake.receive(), await fake.receive()
    assert first == Ran(1, [0, 1, 2], [2, 2, 2], [0.0] * 3, [b"00", b"11", b"22"])
    assert isinstance(second, Ran)
    assert isinstance(second.outcomes[13], Failure)
    assert second.outcomes[13].error == "PluginError: unlucky"
    assert [run.job for run in fake.runs] == [1, 2]


async def test_plugins_and_large_results(folder: Path) -> None:
    plugins = load_plugins([folder], entry_points=False)
    fake = await ready(testing.FakeExecutor(plugins))
    payload = plugins.get("large").encode_payload(limits.INLINE_BYTES + 1)
    await fake.send(Run(1, "large", "1", str(folder / "scratch"), [0], [1], [payload]))
    message = await fake.receive()
    assert isinstance(message, Ran)
    assert isinstance(message.outcomes[0], InFile)
    await fake.send(batch(1, kind="absent"))
    message = await fake.receive()
    assert isinstance(message, Ran)
    assert isinstance(message.outcomes[0], Failure)


async def test_simulated_time(autojump_clock: trio.testing.MockClock) -> None:
    fake = await ready(testing.FakeExecutor({"double": double}, seconds=0.04))
    start = trio.current_time()
    await fake.send(batch(2))
    for number in range(2):
        with trio.move_on_after(0.01):  # a cancelled receive loses nothing
            await fake.receive()
        message = await fake.receive()
        assert isinstance(message, Ran)
        assert message.numbers == [number]
        assert message.times == pytest.approx([0.04])
        assert trio.current_time() - start == pytest.approx(0.04 * (number + 1))


async def test_busy_gives_the_rest_back(autojump_clock: trio.testing.MockClock) -> None:
    fake = await ready(testing.FakeExecutor({"double": double}, seconds=1.0))
    start = trio.current_time()
    await fake.send(batch(3))
    await fake.send(batch(1, job=7))
    found: list[tuple[float, FromExecutor | None]] = []
    for _ in range(4):
        message = await fake.receive()
        found.append((round(trio.current_time() - start, 3), message))
    assert found == [
        (limits_executor.BUSY_SECONDS, Busy(1, 0, 2, limits_executor.BUSY_SECONDS, [1, 2], [2, 2])),
        (limits_executor.BUSY_SECONDS, Busy(7, -1, -1, limits_executor.BUSY_SECONDS, [0], [2])),
        (0.2, Busy(1, 0, 2, limits.RUNNING_REPORT_SECONDS, [], [])),
        (1.0, Ran(1, [0], [2], [1.0], [b"00"])),
    ]


async def test_hanging_and_killed(autojump_clock: trio.testing.MockClock) -> None:
    def seconds(job: int, number: int) -> float:
        return math.inf if number == 1 else 0.0

    fake = await ready(testing.FakeExecutor({"double": double}, seconds=seconds))
    await fake.send(batch(3))
    first, second, third = [await fake.receive() for _ in range(3)]
    assert isinstance(first, Ran)
    assert isinstance(second, Busy)
    assert second.unstarted == [2]
    assert isinstance(third, Busy)
    with trio.move_on_after(1e6) as scope:
        await fake.receive()
    assert scope.cancelled_caught
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep, 1)
        fake.kill()
        assert await fake.receive() is None
    assert fake.killed
    assert fake.exit_text == "killed by signal 9 (SIGKILL)"
    assert fake.running == (1, 1)


async def test_death_keeps_what_was_on_its_way() -> None:
    fake = await ready(testing.FakeExecutor({"double": double}))
    await fake.send(batch(1))
    await fake.send(batch(1, job=2))
    assert isinstance(await fake.receive(), Ran)
    fake.die("exit status 3")
    await fake.send(batch(1, job=3))
    assert await fake.receive() is None
    assert fake.exit_text == "exit status 3"
    assert not fake.killed
    await fake.aclose()
    assert fake.exit_text == "exit status 3"


async def test_death_wakes_who_waits() -> None:
    fake = await ready(testing.FakeExecutor({"double": double}))

    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def wait() -> None:
            assert await fake.receive() is None

        await trio.testing.wait_all_tasks_blocked()
        fake.die()
