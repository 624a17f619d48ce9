"""The executor as a real process: whatever a task does, the agent learns how it ended."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from dc import limits, limits_executor, limits_http
from dc.errors import ProtocolError
from dc.executor import Executor, exit_text
from dc.messages_parts import Failure
from dc.pipe import MISSING, Busy, FromExecutor, Halt, InFile, Ran, Ready, Retire, Run, Wrote
from dc.pipe_frames import FrameReader, encode_frame, marked_task, task_mark

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and process groups")

BOUND_SECONDS = 50.0

PLUGIN = """
import ctypes, os, signal, subprocess, sys, threading, time
from collections.abc import Iterator
from pathlib import Path
import dc

@dc.task_type
def add_one(number: int) -> int:
    return number + 1

@dc.task_type
def liar(number: int) -> str:
    return number

@dc.task_type
def echo(data: bytes) -> bytes:
    return data

@dc.task_type
def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds

@dc.task_type
def spin(seconds: float) -> float:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return seconds

@dc.task_type
def spin_until(path: str) -> None:
    while not os.path.exists(path):
        spin(0.02)

@dc.task_type
def do(code: str) -> str:
    names = {}
    exec(code, names)
    return str(names.get("result", ""))

@dc.task_type
def scratch(write: bool, context: dc.Context) -> str:
    if write:
        (context.scratch / "file").write_text("x")
        return f"{context.job} {context.number} {context.attempt} {context.scratch}"
    return ""

@dc.task_type
def tell_in_a_fork(path: str, context: dc.Context) -> bytes:
    if (pid := os.fork()) == 0:
        try:
            files = [os.open(path, os.O_CREAT | os.O_WRONLY) for _ in range(9)]
            context.save(b"of nobody")
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    with open(path, "rb") as file:
        return file.read()

@dc.task_type
def copy(payload: Path, context: dc.Context) -> Path:
    made = context.scratch / "made"
    made.write_bytes(payload.read_bytes())
    return made

@dc.task_type
def same(payload: Path) -> Path:
    return payload

@dc.task_type
def in_working_folder(payload: memoryview) -> Path:
    Path("made").write_bytes(payload)
    return Path("made")

@dc.task_type
def pieces(payload: memoryview) -> Iterator[bytes]:
    for start in range(0, len(payload), 50_000):
        yield payload[start : start + 50_000]
    if payload[:5] == b"wrong":
        yield "text"
    if payload[:5] == b"raise":
        raise ValueError("in the middle")

@dc.task_type
def link(payload: bytes, context: dc.Context) -> Path:
    (context.scratch / "link").symlink_to(payload.decode())
    return context.scratch / "link"

@dc.task_type
def inputs(payload: None, context: dc.Context) -> list:
    one = context.inputs["one"]
    with one.open() as file:
        opened = file.read()
    return [sorted(context.inputs), one.size, one.read(), bytes(one.map()[1:3]), opened]

@dc.hookimpl
def dc_worker_labels():
    return {"colour": "red"}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "mine.py").write_text(PLUGIN)
    (folder / "bad.py").write_text("print('while importing'); raise SystemExit(3)")
    return folder


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[Executor]:
    with trio.fail_after(BOUND_SECONDS):
        executor = await Executor.start([folder], entry_points=False)
        try:
            assert isinstance(await executor.receive(), Ready)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(drain, executor)
                yield executor
                nursery.cancel_scope.cancel()
        finally:
            await executor.aclose()
    assert was_reaped(executor.pid)


async def drain(executor: Executor) -> None:
    """Take all output, so that nobody waits for it."""
    while await executor.receive_output() is not None:
        pass


def batch(
    kind: str, payloads: Sequence[Any], *, job: int = 1, scratch: str = "/nonexistent"
) -> Run:
    data = [
        one if isinstance(one, bytes | InFile) else msgspec.msgpack.encode(one) for one in payloads
    ]
    numbers = list(range(10, 10 + len(data)))
    return Run(job, kind, "1", scratch, numbers, [3] * len(data), data)


async def outcomes(executor: Executor, run: Run) -> list[Any]:
    """Send a batch; return its outcomes, results decoded where they are inline."""
    found = await raw(executor, run)
    return [msgspec.msgpack.decode(one) if isinstance(one, bytes) else one for one in found]


async def raw(executor: Executor, run: Run) -> list[Any]:
    """Send a batch; return its outcomes as they come."""
    await executor.send(run)
    found: dict[int, Any] = {}
    while len(found) < len(run.numbers):
        message = await answer(executor, run)
        assert message is not None, executor.exit_text
        assert isinstance(message, Ran), message
        assert message.job == run.job
        assert len(message.times) == len(message.attempts) == len(message.numbers)
        assert not found.keys() & set(message.numbers)
        found |= zip(message.numbers, message.outcomes, strict=True)
    assert list(found) == run.numbers
    return list(found.values())


async def answer(executor: Executor, *runs: Run) -> FromExecutor | None:
    """Return the next message that does not say that a task takes long.

    On a loaded machine any task may seem to: what is given back of `runs` is sent again.
    """
    while isinstance(message := await executor.receive(), Wrote | Busy):
        if isinstance(message, Busy) and message.unstarted:
            (run,) = (one for one in runs if one.job == message.job)
            await executor.send(only(run, message.unstarted))
    return message


def only(run: Run, numbers: Sequence[int]) -> Run:
    """Return the batch with these tasks alone."""
    payloads = [run.payloads[run.numbers.index(one)] for one in numbers]
    attempts = run.attempts[: len(numbers)]
    return msgspec.structs.replace(run, numbers=list(numbers), attempts=attempts, payloads=payloads)


async def failure(executor: Executor, code: str) -> Failure:
    [outcome] = await outcomes(executor, batch("do", [code]))
    assert isinstance(outcome, Failure), outcome
    return outcome


async def assert_well(executor: Executor) -> None:
    assert await outcomes(executor, batch("add_one", [1, 2])) == [2, 3]


def was_reaped(pid: int) -> bool:
    """Whether no zombie of a child of ours has stayed."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def wait_gone(pid: int) -> None:
    while alive(pid):  # noqa: ASYNC110  # nothing tells us; the test is bounded
        await trio.sleep(0.01)


# --- what goes well -----------------------------------------------------------------------------


async def test_ready_says_what_there_is(folder: Path) -> None:
    with trio.fail_after(BOUND_SECONDS):
        executor = await Executor.start([folder], entry_points=False)
        ready = await executor.receive()
        await executor.aclose()
    assert isinstance(ready, Ready)
    assert ("add_one", "1") in [(one.name, one.version) for one in ready.types]
    assert ready.labels == {"colour": "red"}
    assert list(ready.broken) == ["bad"]
    assert "SystemExit: 3" in ready.broken["bad"]


async def test_batches_in_order(folder: Path) -> None:
    async with started(folder) as executor:
        size = 3000
        assert await outcomes(executor, batch("add_one", range(size))) == list(range(1, size + 1))
        runs = [batch("add_one", [1], job=job) for job in (1, 2)]
        for run in runs:
            await executor.send(run)
        for job in (1, 2):
            message = await answer(executor, *runs)
            assert isinstance(message, Ran)
            assert message.job == job
            assert message.attempts == [3]
            assert 0 <= message.times[0] < BOUND_SECONDS


async def test_unknown_type_fails_and_names_it(folder: Path) -> None:
    async with started(folder) as executor:
        [outcome] = await outcomes(executor, batch("absent", [1]))
        assert outcome.kind == "error"
        assert "no task type 'absent' version '1'; there is add_one 1" in outcome.error
        await assert_well(executor)


async def test_payload_of_another_shape(folder: Path) -> None:
    async with started(folder) as executor:
        bad, good = await outcomes(executor, batch("add_one", ["text", 1]))
        assert bad.kind == "payload"
        assert "payload of add_one must be int" in bad.error
        assert good == 2


async def test_large_payload_and_result_travel_as_files(folder: Path, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    source = tmp_path / "source"
    source.write_bytes(data)
    scratch = tmp_path / "not" / "yet"
    async with started(folder) as executor:
        run = batch("echo", [InFile(str(source), len(data))], scratch=str(scratch))
        [result] = await outcomes(executor, run)
        assert isinstance(result, InFile)
        assert Path(result.path).parent == scratch
        assert source.read_bytes() == await trio.Path(result.path).read_bytes()
        assert result.size == len(data)
        assert result.digest == hashlib.sha256(data).digest()
        small = os.urandom(limits.INLINE_BYTES)
        await executor.send(batch("echo", [small], scratch=str(scratch)))
        message = await answer(executor)
        assert isinstance(message, Ran)
        assert message.outcomes == [small]


def read(outcome: Any) -> bytes:
    """Return a result, which is in a file only if it is large."""
    if isinstance(outcome, bytes):
        assert len(outcome) <= limits.INLINE_BYTES
        return outcome
    assert isinstance(outcome, InFile), outcome
    data = Path(outcome.path).read_bytes()
    assert (outcome.size, outcome.digest) == (len(data), hashlib.sha256(data).digest())
    assert len(data) > limits.INLINE_BYTES
    return data


@pytest.mark.parametrize("kind", ["copy", "same", "in_working_folder", "pieces"])
async def test_tasks_get_and_give_files_views_and_pieces(
    folder: Path, tmp_path: Path, kind: str
) -> None:
    source = tmp_path / "source"
    async with started(folder) as executor:
        for size in (0, 5, limits.INLINE_BYTES, limits.INLINE_BYTES + 1, 3_000_000):
            data = os.urandom(size)
            source.write_bytes(data)
            for payload in (data, InFile(str(source), size)):
                run = batch(kind, [payload], scratch=str(tmp_path / "scratch"))
                assert read((await raw(executor, run))[0]) == data
                assert source.read_bytes() == data, "its payload was moved away"
        left = {path.name for path in (tmp_path / "scratch").rglob("*") if path.is_file()}
        assert left == {"result-1-10-3"}


async def test_a_file_of_the_tasks_own_is_moved_and_any_other_is_copied(
    folder: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(100_000))
    async with started(folder) as executor:
        run = batch("link", [str(source).encode()], scratch=str(tmp_path / "scratch"))
        [outcome] = await raw(executor, run)
        assert read(outcome) == source.read_bytes()
        assert not await trio.Path(outcome.path).is_symlink()
        [outcome] = await raw(executor, batch("link", [b"/"], scratch=str(tmp_path / "scratch")))
        assert "/link is no file" in outcome.error


async def test_results_that_are_not_what_they_are_said_to_be(folder: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    async with started(folder) as executor:
        for word, text in ((b"wrong", "expected pieces of bytes, got str"), (b"raise", "in the")):
            run = batch("pieces", [word + bytes(100_000)], scratch=str(scratch))
            [outcome] = await raw(executor, run)
            assert text in outcome.error
            assert not list(scratch.glob("*")), "something is left of it"
        await assert_well(executor)


async def test_inputs(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"input")
    files = {"one": InFile(str(tmp_path / "one"), 5)}
    async with started(folder) as executor:
        run = msgspec.structs.replace(batch("inputs", [None]), inputs=files)
        assert await outcomes(executor, run) == [[["one"], 5, b"input", b"np", b"input"]]
        (tmp_path / "one").write_bytes(b"longer input")
        [outcome] = await outcomes(executor, run)
        assert outcome.kind == MISSING
        assert "was changed" in outcome.error


async def test_files_that_cannot_be_read_or_written(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    async with started(folder) as executor:
        missing = InFile(str(tmp_path / "missing"), 5)
        [outcome] = await outcomes(executor, batch("echo", [missing]))
        assert outcome.kind == MISSING
        assert str(missing.path) in outcome.error
        below_a_file = str(tmp_path / "file" / "scratch")
        large = bytes(limits.INLINE_BYTES + 1)
        [outcome] = await outcomes(executor, batch("echo", [large], scratch=below_a_file))
        assert "NotADirectoryError" in outcome.error
        await assert_well(executor)


async def test_scratch_folder_is_removed_after_the_task(folder: Path, tmp_path: Path) -> None:
    async with started(folder) as executor:
        run = batch("scratch", [True, False], scratch=str(tmp_path))
        text, nothing = await outcomes(executor, run)
        job, number, attempt, path = text.split(" ", 3)
        assert (job, number, attempt) == ("1", "10", "3")
        assert Path(path).parent == tmp_path
        assert nothing == ""
        assert list(await trio.Path(tmp_path).iterdir()) == []


async def test_many_large_inline_results_come_in_several_messages(folder: Path) -> None:
    data = bytes(limits.INLINE_BYTES)
    async with started(folder) as executor:
        run = batch("echo", [data] * 20)
        await executor.send(run)
        sizes: list[int] = []
        while sum(sizes) < 20:
            message = await answer(executor, run)
            assert isinstance(message, Ran)
            sizes.append(len(message.numbers))
        assert max(sizes) <= limits_executor.RAN_BYTES // limits.INLINE_BYTES


# --- long tasks ---------------------------------------------------------------------------------


async def test_long_task_gives_the_rest_back(folder: Path) -> None:
    async with started(folder) as executor:
        run = batch("sleep", [0.0, 60.0, 0.0, 0.0])
        await executor.send(run)
        ran = await answer(executor, run)
        assert isinstance(ran, Ran)
        assert ran.numbers == [10]
        busy = await executor.receive()
        assert isinstance(busy, Busy)
        assert (busy.job, busy.number, busy.attempt) == (1, 11, 3)
        assert (busy.unstarted, busy.unstarted_attempts) == ([12, 13], [3, 3])
        assert limits_executor.BUSY_SECONDS <= busy.elapsed < BOUND_SECONDS
        if busy.elapsed < limits.RUNNING_REPORT_SECONDS:
            again = await executor.receive()
            assert isinstance(again, Busy)
            assert (again.number, again.unstarted) == (11, [])
            assert again.elapsed >= limits.RUNNING_REPORT_SECONDS
        # What is sent to a busy executor comes back as well, of whatever job.
        await executor.send(batch("sleep", [0.0], job=7))
        about, other = await executor.receive(), await executor.receive()
        assert isinstance(about, Busy)
        assert (about.job, about.number, about.unstarted) == (1, 11, [])
        assert isinstance(other, Busy)
        assert (other.job, other.number, other.attempt) == (7, -1, -1)
        assert (other.unstarted, other.unstarted_attempts) == ([10], [3])
        assert executor.running == (1, 11)


async def test_long_task_that_ends_goes_on_with_what_comes(folder: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with started(folder) as executor:
        await executor.send(batch("spin_until", [str(gate)] * 2))
        busy = await executor.receive()
        assert isinstance(busy, Busy)
        assert (busy.number, busy.unstarted) == (10, [11])
        if busy.elapsed < limits.RUNNING_REPORT_SECONDS:
            busy = await executor.receive()
            assert isinstance(busy, Busy)
            assert (busy.number, busy.unstarted) == (10, [])
        gate.touch()
        last = await executor.receive()  # told twice: for those behind it, and for its length
        assert isinstance(last, Ran)
        assert last.numbers == [10]
        assert busy.elapsed <= last.times[0] < BOUND_SECONDS
        await assert_well(executor)


async def test_results_do_not_wait_for_the_end_of_a_slow_batch(folder: Path) -> None:
    async with started(folder) as executor:
        run = batch("sleep", [*[0.01] * 30, 60.0])
        await executor.send(run)
        message = await answer(executor, run)
        assert isinstance(message, Ran)
        assert 1 <= len(message.numbers) <= 30


# --- what tasks raise ---------------------------------------------------------------------------


async def test_exception_is_told_with_the_tasks_own_frames(folder: Path) -> None:
    async with started(folder) as executor:
        outcome = await failure(executor, "def inner():\n    raise ValueError('a\\nb')\ninner()")
        assert (outcome.kind, outcome.error) == ("error", "ValueError: a b")
        assert outcome.traceback.startswith("Traceback (most recent call last):\n")
        assert "in inner" in outcome.traceback
        assert "mine.py" in outcome.traceback
        for own in ("tasktypes.py", "task_run.py", "child.py"):
            assert own not in outcome.traceback
        await assert_well(executor)


EXCEPTIONS = [
    ("raise SystemExit(3)", "SystemExit: 3"),
    ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ("raise GeneratorExit", "GeneratorExit"),
    ("raise BaseException('base')", "BaseException: base"),
    ("def f(): f()\nf()", "RecursionError: maximum recursion depth exceeded"),
    ("bytes(2**62)", "MemoryError"),
    ("raise ExceptionGroup('two', [KeyError(1), OSError(2)])", "ExceptionGroup: two"),
    ("assert False, 'no'", "AssertionError: no"),
    ("raise ValueError('\\ud800')", "ValueError: \\ud800"),
]


async def test_exceptions_of_every_kind(folder: Path) -> None:
    async with started(folder) as executor:
        run = batch("do", [code for code, _ in EXCEPTIONS])
        found = await outcomes(executor, run)
        for outcome, (_, error) in zip(found, EXCEPTIONS, strict=True):
            assert outcome.kind == ("memory" if error == "MemoryError" else "error")
            assert outcome.error.startswith(error)
        await assert_well(executor)


async def test_exception_that_cannot_be_printed(folder: Path) -> None:
    code = "class Bad(Exception):\n    def __str__(self): raise ZeroDivisionError\nraise Bad"
    async with started(folder) as executor:
        outcome = await failure(executor, code)
        assert outcome.error == "Bad (and its text cannot be had: ZeroDivisionError)"
        await assert_well(executor)


async def test_long_errors_are_cut_in_the_middle(folder: Path) -> None:
    async with started(folder) as executor:
        outcome = await failure(executor, "raise ValueError('begin' + 'x' * 1_000_000 + 'end')")
        for text in (outcome.error, outcome.traceback):
            assert len(text) <= limits.ERROR_CHARS
            assert "the middle is cut out" in text
        assert outcome.error.startswith("ValueError: beginxxx")
        assert outcome.error.endswith("xxxend")
        run = batch("do", ["raise ValueError('é' * 100_000)"] * 100)
        assert {one.kind for one in await outcomes(executor, run)} == {"error"}


async def test_result_of_another_type(folder: Path) -> None:
    async with started(folder) as executor:
        [outcome] = await outcomes(executor, batch("liar", [1]))
        assert outcome.kind == "error"
        assert outcome.error == (
            "PluginError: result of liar must be str: Expected `str`, got `int`"
        )


# --- what tasks do to their process -------------------------------------------------------------


async def test_prints_and_reads_do_not_harm_the_pipe(folder: Path) -> None:
    code = """
import os, sys, subprocess
print("x" * 100_000)
os.write(1, b"raw")
sys.stdout.flush()
subprocess.run(["echo", "from a program"], check=True)
result = repr((sys.stdin.read(), os.read(0, 10)))
"""
    async with started(folder) as executor:
        assert await outcomes(executor, batch("do", [code])) == ["('', b'')"]
        await assert_well(executor)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("import os; os._exit(3)", "exit status 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed by signal 9 (SIGKILL)"),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
            "killed by signal 15 (SIGTERM)",
        ),
        ("import ctypes; ctypes.string_at(0)", "killed by signal 11 (SIGSEGV)"),
        ("import os; os.abort()", "killed by signal 6 (SIGABRT)"),
    ],
)
async def test_crash_says_how_and_names_the_task(folder: Path, code: str, text: str) -> None:
    async with started(folder) as executor:
        run = batch("do", ["", "", code, ""])
        await executor.send(run)
        while (message := await answer(executor, run)) is not None:
            assert not isinstance(message, Ran) or 12 not in message.numbers
        assert executor.exit_text == text
        assert executor.running == (1, 12)
        assert await executor.receive() is None
        await executor.send(batch("do", [""]))  # to a dead one: nothing happens


async def test_closed_pipe_ends_it(folder: Path) -> None:
    async with started(folder) as executor:
        run = batch("do", ["import os; os.closerange(3, 100)", ""])
        await executor.send(run)
        assert await answer(executor, run) is None
        assert executor.exit_text == "killed by signal 9 (SIGKILL)"


async def test_what_was_sent_before_the_crash_comes_first(folder: Path) -> None:
    async with started(folder) as executor:
        crash = batch("do", ["import os; os._exit(1)"], job=2)
        await executor.send(batch("add_one", range(2000)))
        await executor.send(crash)
        await trio.sleep(0.2)
        found = 0
        while (message := await executor.receive()) is not None:
            if isinstance(message, Ran):
                found += len(message.numbers)
            elif isinstance(message, Busy) and message.job == crash.job and message.unstarted:
                await executor.send(crash)
            else:  # on a loaded machine any task may seem to take long
                assert isinstance(message, Busy)
                found += len(message.unstarted)
        assert found == 2000
        assert executor.running == (2, 10)


async def test_nonsense_on_the_pipe_kills(folder: Path) -> None:
    code = """
import os
for descriptor in range(3, 20):
    try:
        os.write(descriptor, b"\\\\xff" * 100)
    except OSError:
        pass
""".replace("\\\\", "\\")
    async with started(folder) as executor:
        await executor.send(batch("do", [code]))
        assert await answer(executor) is None
        assert "after it sent nonsense: a frame of 4294967295 bytes" in executor.exit_text


async def test_ctrl_c_is_ignored_but_not_by_programs(folder: Path) -> None:
    code = """
import os, signal, subprocess, sys
os.kill(os.getpid(), signal.SIGINT)
shell = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
result = subprocess.run([sys.executable, "-c", shell], capture_output=True, text=True).stdout
"""
    async with started(folder) as executor:
        assert await outcomes(executor, batch("do", [code])) == ["True\n"]
        os.kill(executor.pid, signal.SIGINT)
        await assert_well(executor)


async def test_forked_child_that_returns_does_not_go_on_as_executor(folder: Path) -> None:
    code = "import os\npid = os.fork()\nif pid: os.waitpid(pid, 0)\nresult = pid > 0"
    async with started(folder) as executor:
        assert await outcomes(executor, batch("do", [code, code])) == ["True", "True"]
        await assert_well(executor)


# --- killing ------------------------------------------------------------------------------------

CHILDREN = """
import subprocess, time
one = subprocess.Popen(["sleep", "60"])
open({path!r}, "w").write(str(one.pid) + "\\n")
{then}
"""


async def test_forked_child_does_not_tell_into_its_own_files(folder: Path, tmp_path: Path) -> None:
    async with started(folder) as executor:
        await executor.send(batch("tell_in_a_fork", [str(tmp_path / "file")]))
        message = await executor.receive()
        while not isinstance(message, Ran):
            message = await executor.receive()
        assert message.outcomes == [b""]


async def pid_in(path: Path) -> int:
    file = trio.Path(path)
    while True:
        if await file.exists() and (text := await file.read_text()).endswith("\n"):
            return int(text)
        await trio.sleep(0.01)


async def test_kill_takes_the_programs_of_the_task_along(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "pid"
    code = CHILDREN.format(path=str(path), then="time.sleep(60)")
    async with started(folder) as executor:
        await executor.send(batch("do", [code]))
        program = await pid_in(path)
        executor.kill()
        while await executor.receive() is not None:
            pass
        assert executor.exit_text == "killed by signal 9 (SIGKILL)"
        await wait_gone(program)
        executor.kill()  # of a dead one: nothing happens


async def test_crash_takes_the_programs_of_the_task_along(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "pid"
    code = CHILDREN.format(path=str(path), then="import os; os._exit(5)")
    async with started(folder) as executor:
        await executor.send(batch("do", [code]))
        while await executor.receive() is not None:
            pass
        assert executor.exit_text == "exit status 5"
        await wait_gone(await pid_in(path))


async def test_close_in_the_middle_of_a_task_and_twice(folder: Path) -> None:
    async with started(folder) as executor:
        await executor.send(batch("sleep", [60.0]))
        with trio.CancelScope() as scope:
            scope.cancel()
            await executor.aclose()
        assert not alive(executor.pid)
        await executor.aclose()
        assert await executor.receive() is None


async def test_cancelled_receive_loses_nothing(folder: Path) -> None:
    async with started(folder) as executor:
        run = batch("sleep", [0.04, 0.04, 0.04])
        await executor.send(run)
        found: list[int] = []
        while len(found) < 3:
            message = None
            with trio.move_on_after(0.005):
                message = await executor.receive()
            if isinstance(message, Ran):
                found += message.numbers
            elif isinstance(message, Busy) and message.unstarted:
                await executor.send(only(run, message.unstarted))
        assert found == [10, 11, 12]


async def test_cancelled_send_kills(folder: Path) -> None:
    async with started(folder) as executor:
        os.kill(executor.pid, signal.SIGSTOP)
        with trio.move_on_after(0.1) as scope:
            for _ in range(100):
                await executor.send(batch("echo", [bytes(30_000)] * 20))
        assert scope.cancelled_caught
        assert await executor.receive() is None


@pytest.mark.parametrize("kind", ["idle", "sleep", "spin"])
def test_executor_ends_when_its_agent_dies(folder: Path, tmp_path: Path, kind: str) -> None:
    agent = f"""
import sys, trio
from pathlib import Path
from dc.executor import Executor
from dc.pipe import Run
import msgspec

async def main():
    executor = await Executor.start([Path({str(folder)!r})], entry_points=False)
    await executor.receive()
    if {kind!r} != "idle":
        await executor.send(Run(1, {kind!r}, "1", "", [0], [1], [msgspec.msgpack.encode(60.0)]))
    await trio.sleep(0.1)
    print(executor.pid, flush=True)
    await trio.sleep(60)

trio.run(main)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", agent], stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent
    )
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    assert alive(pid)
    process.kill()
    process.wait()
    process.stdout.close()
    end = time.monotonic() + BOUND_SECONDS
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    assert not alive(pid)


async def test_missing_plugin_folder_ends_it(tmp_path: Path) -> None:
    with trio.fail_after(BOUND_SECONDS):
        executor = await Executor.start([tmp_path / "absent"])
        last = await executor.receive()
        assert isinstance(last, Wrote)
        assert b"absent" in last.data
        assert await executor.receive() is None
        assert executor.exit_text == "exit status 1"
        await executor.aclose()


# --- frames and words ---------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_frames_in_pieces(size: int) -> None:
    messages: list[FromExecutor] = [
        Ready([], {"a": "b"}, {}),
        Ran(1, [2], [3], [0.5], [b"result"]),
        Ran(1, [2], [3], [0.5], [InFile("p", 1, b"d")]),
        Busy(1, 2, 3, 0.5, [4], [5]),
    ]
    data = b"".join(encode_frame(one) for one in messages)
    reader = FrameReader()
    found = []
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
        while (message := reader.next_message()) is not None:
            found.append(message)
    assert found == messages


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x90", b"\x92\xa3run\x01", b"\x91\xa5ready"])
def test_frames_that_are_no_message(body: bytes) -> None:
    reader = FrameReader()
    reader.feed(len(body).to_bytes(4, "big") + body)
    with pytest.raises(ProtocolError, match="no message of an executor"):
        reader.next_message()


def test_exit_texts() -> None:
    assert exit_text(0) == "exit status 0"
    assert exit_text(-15) == "killed by signal 15 (SIGTERM)"
    assert exit_text(-99) == "killed by signal 99"


def test_marks() -> None:
    assert marked_task(0) is None
    for task in ((0, 0), (1, 0), (limits.MAX_JOB, limits.MAX_NUMBER)):
        assert 0 < task_mark(*task) < 2**64
        assert marked_task(task_mark(*task)) == task


# --- halting, and what is left behind -------------------------------------------------------------


async def begun(path: Path) -> None:
    while not await trio.Path(path).exists():  # noqa: ASYNC110  # nothing tells us; it is bounded
        await trio.sleep(0.005)


BEGIN = "open({path!r}, 'w').close()\n"


@pytest.mark.parametrize("kind", ["timeout", "cancelled"])
async def test_halted_task_fails_as_it_is_told_and_the_executor_retires(
    folder: Path, tmp_path: Path, kind: str
) -> None:
    code = BEGIN.format(path=str(tmp_path / "begun")) + "import time\ntime.sleep(60)"
    async with started(folder) as executor:
        await executor.send(batch("do", [code, ""]))
        await begun(tmp_path / "begun")
        await executor.send(Halt(1, 10, 3, kind, "it is enough"))
        messages = [await executor.receive()]
        while not isinstance(messages[-1], Retire):
            messages.append(await executor.receive())
        assert messages[-1] == Retire("a task was stopped in the middle")
        (outcome,) = [one.outcomes[0] for one in messages if isinstance(one, Ran)]
        assert isinstance(outcome, Failure)
        assert (outcome.kind, outcome.error) == (kind, "it is enough")
        assert ("dc.errors.TimeLimit" in outcome.traceback) == (kind == "timeout")
        assert "time.sleep" not in outcome.traceback or "in do" in outcome.traceback


async def test_result_of_a_halted_task_counts(folder: Path, tmp_path: Path) -> None:
    code = f"""
import dc, time
try:
    {BEGIN.format(path=str(tmp_path / "begun"))}
    time.sleep(60)
except dc.TimeLimit as error:
    result = str(error)
"""
    async with started(folder) as executor:
        await executor.send(batch("do", [code]))
        await begun(tmp_path / "begun")
        await executor.send(Halt(1, 10, 3, "timeout", "it is enough"))
        message = await executor.receive()
        while not isinstance(message, Ran):
            message = await executor.receive()
        assert message.outcomes == [msgspec.msgpack.encode("it is enough")]


async def test_halt_of_what_does_not_run_is_nothing(folder: Path, tmp_path: Path) -> None:
    code = BEGIN.format(path=str(tmp_path / "begun")) + "import time\ntime.sleep(0.2)"
    async with started(folder) as executor:
        await executor.send(Halt(1, 10, 3, "timeout", "too early"))
        await assert_well(executor)
        await executor.send(batch("do", [code]))
        await begun(tmp_path / "begun")
        for other in ((2, 10, 3), (1, 11, 3), (1, 10, 4)):
            await executor.send(Halt(*other, "timeout", "another"))
        message = await executor.receive()
        while not isinstance(message, Ran):
            assert isinstance(message, Busy)
            message = await executor.receive()
        assert message.outcomes == [msgspec.msgpack.encode("")]
        await assert_well(executor)


async def test_short_task_in_a_batch_that_leaves_something_ends_the_batch(folder: Path) -> None:
    code = "import os\nos.environ['DC_LEFT'] = 'x'"
    async with started(folder) as executor:
        run = batch("do", ["", code, "", ""])
        await executor.send(run)
        ran: list[int] = []
        while isinstance(message := await answer(executor, run), Ran):
            ran += message.numbers
        assert ran == [10, 11]
        assert message == Retire("task 1/11 left behind: another environment", left=True)
        await executor.send(batch("do", [""]))  # which it does not begin
        with trio.move_on_after(0.1):
            pytest.fail(f"it goes on: {await executor.receive()}")


async def test_what_is_put_back_is_not_left_behind(folder: Path) -> None:
    code = """
import os, signal, subprocess, threading
here = os.getcwd()
os.chdir("/")
os.chdir(here)
os.environ["DC_LEFT"] = "x"
del os.environ["DC_LEFT"]
os.umask(os.umask(0))
signal.signal(signal.SIGUSR1, signal.signal(signal.SIGUSR1, signal.SIG_IGN))
thread = threading.Thread(target=int)
thread.start()
thread.join()
subprocess.run(["true"])
ended = os.posix_spawnp("true", ["true"], os.environ)
import dc.process_tree, time
while any(one.pid == ended and one.is_alive for one in dc.process_tree.all_processes()):
    time.sleep(0.001)
"""
    async with started(folder) as executor:
        for _ in range(3):
            [outcome] = await outcomes(executor, batch("do", [code]))
            assert not isinstance(outcome, Failure), outcome
        await assert_well(executor)


async def test_limits_hold_for_the_tasks_of_their_batch_alone(folder: Path) -> None:
    code = "import resource\nresult = resource.getrlimit(resource.RLIMIT_NOFILE)[0]"
    async with started(folder) as executor:
        [before] = await outcomes(executor, batch("do", [code]))
        limited = msgspec.structs.replace(batch("do", [code]), limits={"open_files": 77})
        assert await outcomes(executor, limited) == ["77"]
        assert await outcomes(executor, batch("do", [code])) == [before]


async def test_variables_are_set_before_the_task(folder: Path) -> None:
    code = "import os\nresult = os.environ['DC_MINE'], os.nice(0)"
    async with started(folder) as executor:
        run = batch("do", [code])
        run = msgspec.structs.replace(run, limits={"nice": 3}, environment={"DC_MINE": "x"})
        [found] = await outcomes(executor, run)
        assert found == str(("x", os.nice(0) + 3))
        await assert_well(executor)


async def test_streams_that_a_task_closes_are_there_for_the_next(folder: Path) -> None:
    code = "import sys\nsys.stdout.close()\nsys.stderr.close()"
    async with started(folder) as executor:
        assert await outcomes(executor, batch("do", [code, "print('well')"])) == ["", ""]


async def test_streams_that_are_replaced_are_left_behind(folder: Path) -> None:
    async with started(folder) as executor:
        await executor.send(batch("do", ["import io, sys\nsys.stdout = io.StringIO()"]))
        assert isinstance(await answer(executor), Ran)
        assert await answer(executor) == Retire(
            "task 1/10 left behind: other standard streams", left=True
        )


async def test_output_that_a_task_set_to_not_block_blocks_again(folder: Path) -> None:
    code = "import os\nos.set_blocking(1, False)\nprint('x')"
    async with started(folder) as executor:
        run = batch("do", [code, "import os\nresult = os.get_blocking(1)"])
        assert await outcomes(executor, run) == ["", "True"]


async def test_who_escapes_and_goes_on_to_write_is_not_waited_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with started(folder) as executor:
        executor.kill()
        monkeypatch.setattr(
            "dc.executor.OutputPipe.at_hand", lambda _: Wrote(b"y" * limits_http.RECEIVE_BYTES)
        )
        size = 0
        while (last := await executor.receive()) is not None:
            assert isinstance(last, Wrote)
            size += len(last.data)
            assert size < 2 * limits_executor.OUTPUT_DRAIN_BYTES
