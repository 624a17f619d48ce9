"""The place of one executor process at its agent."""

from __future__ import annotations

from pathlib import Path

from dc.executor import ExecutorPort
from dc.messages_parts import Blob
from dc.worker.events import Event, ExecutorDied
from dc.worker.kept_output import KeptOutput
from dc.worker.seats import Seat, run_executor


async def test_one_that_was_killed_before_it_began_takes_no_process() -> None:
    async def start() -> ExecutorPort:
        raise AssertionError("a process is started for nobody")

    async def nowhere(blob: Blob, path: Path) -> bool:
        raise AssertionError(f"{blob} is put from {path}")

    seat, told = Seat(KeptOutput(Path("unused"), nowhere)), list[Event]()
    seat.kill()
    await run_executor(3, seat, start, told.append)
    assert told == [ExecutorDied(3, "it was not wanted any more")]
