"""What tasks write, save and tell, from a real executor to its agent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from dc import limits, limits_executor
from dc.captured import Captured
from dc.executor import Executor
from dc.messages_parts import Failure
from dc.messages_worker import Progress
from dc.pipe import NOBODY, Busy, FromExecutor, InFile, Ran, Ready, Run, Saved, Wrote

BOUND_SECONDS = 60

PLUGIN = """
import os, subprocess, sys, time
import dc

print("while importing")

@dc.task_type
def say(text: str) -> int:
    if text:
        print(text)
    return len(text)

@dc.task_type
def plain(number: int) -> int:
    return number

@dc.task_type
def past_python(text: str) -> None:
    os.write(1, text.encode())
    time.sleep(0.001)

@dc.task_type
def through_a_program(text: str) -> None:
    subprocess.run(["echo", text], check=True)

@dc.task_type
def unfinished_line(text: str) -> None:
    print(text, end="")
    sys.stderr.write("!")

@dc.task_type
def much(size: int) -> None:
    line = b"x" * 65535 + b"\\n"
    for _ in range(size // len(line)):
        os.write(2, line)
    print("the end")

@dc.task_type
def closes(text: str) -> str:
    print(text, flush=True)
    os.close(1)
    os.close(2)
    return text

@dc.task_type
def tells(count: int, context: dc.Context) -> tuple[float, float]:
    began, worked = time.perf_counter(), time.thread_time()
    for one in range(count):
        context.progress(one / count, "so far")
    worked = time.thread_time() - worked
    context.progress(1.0)
    time.sleep(1.3)
    return worked, time.perf_counter() - began

@dc.task_type
def saves(data: bytes, context: dc.Context) -> bytes:
    before = context.checkpoint
    context.save(b"first")
    context.save(b"second")
    context.save(data)
    if before is None:
        raise ValueError("not yet")
    return before
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "mine.py").write_text(PLUGIN)
    return folder


class Agent:
    """Listens to an executor as an agent does: to its messages and to its output."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.told: list[FromExecutor] = []
        self.written: dict[tuple[int, int, int], Captured] = {}
        self._open = Captured()

    def hear(self, wrote: Wrote) -> None:
        self._open.add(self._open.total, wrote.data)
        if wrote.owner is not None:
            if self._open.total:
                self.written[wrote.owner] = self._open
            self._open = Captured()

    async def listen(self) -> None:
        while (wrote := await self.executor.receive_output()) is not None:
            self.hear(wrote)

    async def run(self, kind: str, payloads: Sequence[Any], **more: Any) -> list[Any]:
        """Run tasks, numbered from 10; return their outcomes.

        On a loaded machine any task may seem to take long: those that are given back behind it are
        sent again.
        """
        data: list[bytes | InFile] = [
            one if isinstance(one, bytes) else msgspec.msgpack.encode(one) for one in payloads
        ]
        numbers = list(range(10, 10 + len(data)))
        scratch = more.pop("scratch", "/nonexistent")
        run = Run(1, kind, "1", scratch, numbers, [3] * len(data), data, **more)
        await self.executor.send(run)
        outcomes: list[Any] = []
        while len(outcomes) < len(numbers):
            message = await self.executor.receive()
            assert message is not None, self.executor.exit_text
            if isinstance(message, Wrote):
                self.hear(message)
                continue
            self.told.append(message)
            if isinstance(message, Ran):
                outcomes += message.outcomes
            elif isinstance(message, Busy) and message.unstarted:
                await self.executor.send(only(run, message.unstarted))
        return outcomes

    def text(self, number: int = 10) -> str:
        found = self.written.get((1, number, 3))
        return found.text() if found is not None else ""


def only(run: Run, numbers: Sequence[int]) -> Run:
    """Return the batch with these tasks alone."""
    payloads = [run.payloads[run.numbers.index(one)] for one in numbers]
    attempts = run.attempts[: len(numbers)]
    return msgspec.structs.replace(run, numbers=list(numbers), attempts=attempts, payloads=payloads)


@asynccontextmanager
async def agent(folder: Path) -> AsyncIterator[Agent]:
    with trio.fail_after(BOUND_SECONDS):
        executor = await Executor.start([folder], entry_points=False)
        agent = Agent(executor)
        try:
            while not isinstance(message := await executor.receive(), Ready):
                assert isinstance(message, Wrote)
                agent.hear(message)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(agent.listen)
                yield agent
                nursery.cancel_scope.cancel()
        finally:
            await executor.aclose()


async def test_each_line_belongs_to_the_task_that_wrote_it(folder: Path) -> None:
    async with agent(folder) as one:
        await one.run("say", ["a", "", "b\nc", "", "", "ü"])
        texts = [one.text(number) for number in range(10, 16)]
        assert texts == ["a\n", "", "b\nc\n", "", "", "ü\n"]
        assert one.written[NOBODY].text() == "while importing\n"


async def test_output_comes_before_the_outcome_that_it_belongs_to(folder: Path) -> None:
    async with agent(folder) as one:
        for at in range(20):
            await one.run("say", [f"round {at}"])
            assert one.text() == f"round {at}\n"


async def test_who_writes_nothing_is_not_asked(folder: Path) -> None:
    async with agent(folder) as one:
        await one.run("plain", range(200))
        assert not any(isinstance(said, Ran) and said.wrote for said in one.told)
        assert set(one.written) <= {NOBODY}


@pytest.mark.parametrize("kind", ["past_python", "through_a_program"])
async def test_what_goes_past_python_is_noticed(folder: Path, kind: str) -> None:
    async with agent(folder) as one:
        await one.run(kind, ["one"])
        assert one.text().strip() == "one"
        await one.run("plain", [1, 2, 3])
        assert one.text(11) == one.text(12) == ""


async def test_an_unfinished_line_is_the_tasks_that_began_it(folder: Path) -> None:
    async with agent(folder) as one:
        await one.run("unfinished_line", ["a", "b"])
        assert sorted(one.text(10)) == ["!", "a"]
        assert sorted(one.text(11)) == ["!", "b"]


async def test_a_task_that_writes_much_is_neither_held_up_nor_kept_whole(folder: Path) -> None:
    async with agent(folder) as one:
        await one.run("much", [200 * limits.MIB])
        captured = one.written[1, 10, 3]
        assert (
            len(captured) == limits_executor.OUTPUT_HEAD_BYTES + limits_executor.OUTPUT_TAIL_BYTES
        )
        assert captured.total == 200 * limits.MIB + len("the end\n")
        assert captured.text().endswith("x\nthe end\n")
        assert "bytes are left out here" in captured.text()


async def test_a_task_that_closes_its_descriptors_keeps_what_it_wrote(folder: Path) -> None:
    async with agent(folder) as one:
        assert await one.run("closes", ["before"]) == [b"\xa6before"]
        assert one.text() == "before\n"


async def test_progress_comes_twice_a_second_and_the_last_comes_too(folder: Path) -> None:
    async with agent(folder) as one:
        (outcome,) = await one.run("tells", [20_000])
        worked, seconds = msgspec.msgpack.decode(outcome)
        told = [said for said in one.told if isinstance(said, Progress)]
        assert told[0] == Progress(1, 10, 3, 0.0, "so far")
        assert told[-1] == Progress(1, 10, 3, 1.0, "")
        assert 2 <= len(told) <= 1 + seconds / limits_executor.NOTE_SECONDS
        assert worked < 20_000 * 5e-6  # a tenth of that, on a quiet one


async def test_a_failing_task_leaves_its_last_checkpoint(folder: Path) -> None:
    async with agent(folder) as one:
        (failure,) = await one.run("saves", [b"third"])
        assert isinstance(failure, Failure)
        assert "not yet" in failure.error
        saved = [said for said in one.told if isinstance(said, Saved)]
        assert saved == [Saved(1, 10, 3, b"first"), Saved(1, 10, 3, b"third")]


async def test_the_next_attempt_has_the_checkpoint(folder: Path, tmp_path: Path) -> None:
    async with agent(folder) as one:
        assert await one.run("saves", [b"x"], checkpoints={10: b"earlier"}) == [b"earlier"]
        (tmp_path / "large").write_bytes(b"large")
        at = InFile(str(tmp_path / "large"), 5)
        assert await one.run("saves", [b"x", b"x"], checkpoints={10: at, 11: b""}) == [
            b"large",
            b"",
        ]
        assert not any(said.data == b"x" for said in one.told if isinstance(said, Saved))


async def test_a_large_checkpoint_comes_in_a_file(folder: Path, tmp_path: Path) -> None:
    large = b"y" * (limits.INLINE_BYTES + 1)
    async with agent(folder) as one:
        await one.run("saves", [large], scratch=str(tmp_path))
        saved = [said.data for said in one.told if isinstance(said, Saved)][-1]
        assert isinstance(saved, InFile)
        assert await trio.Path(saved.path).read_bytes() == large
