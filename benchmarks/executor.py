"""No-op tasks through a real executor: tasks per second in batches, and one task there and back.

python -m benchmarks.executor [SECONDS]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import msgspec
import trio

from benchmarks.figures import show
from dc.executor import Executor
from dc.pipe import Ran, Ready, Run

PLUGIN = """
import dc

@dc.task_type
def untouched(data: bytes) -> bytes:
    return data

@dc.task_type
def add_one(number: int) -> int:
    return number + 1
"""
AHEAD = 2  # batches on their way to the executor while it runs one


def batch(kind: str, size: int, scratch: str) -> Run:
    payload = b"" if kind == "untouched" else msgspec.msgpack.encode(7)
    numbers = list(range(size))
    return Run(1, kind, "1", scratch, numbers, [1] * size, [payload] * size)


async def throughput(executor: Executor, run: Run, seconds: float) -> float:
    """Return tasks per second, keeping AHEAD batches with the executor."""
    for _ in range(AHEAD):
        await executor.send(run)
    done = 0
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        finished = 0
        while finished < len(run.numbers):
            message = await executor.receive()
            assert isinstance(message, Ran), message
            finished += len(message.numbers)
        done += finished
        await executor.send(run)
    for _ in range(AHEAD):
        left = len(run.numbers)
        while left:
            message = await executor.receive()
            assert isinstance(message, Ran), message
            left -= len(message.numbers)
    return done / elapsed


async def main(seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "bench.py").write_text(PLUGIN)
        start = time.perf_counter()
        executor = await Executor.start([Path(folder)], entry_points=False)
        assert isinstance(await executor.receive(), Ready)
        show("start to Ready", (time.perf_counter() - start) * 1e3, "ms")
        for kind in ("untouched", "add_one"):
            for size in (1, 16, 256, 1024):
                rate = await throughput(executor, batch(kind, size, folder), seconds)
                show(f"{kind} in batches of {size}", rate, "tasks/s")
        one = batch("add_one", 1, folder)
        times = []
        for _ in range(2000):
            begin = time.perf_counter()
            await executor.send(one)
            await executor.receive()
            times.append(time.perf_counter() - begin)
        show("one task there and back, median", sorted(times)[1000] * 1e6, "µs")
        await executor.aclose()


if __name__ == "__main__":
    trio.run(main, float(sys.argv[1]) if len(sys.argv) > 1 else 2.0)
