"""A worker whose loop is watched: `python -m tests.system.watched_worker FILE ARGUMENTS...`.

The longest time that its loop took to come round is in the file, in seconds.
"""

from __future__ import annotations

import sys
from pathlib import Path

import trio

from dc.worker import __main__ as program
from dc.worker.attendant import Attendant

LOOK_SECONDS = 0.01


async def watch(path: Path) -> None:
    """Write down each time by which the loop was later than ever before."""
    longest = 0.0
    while True:
        before = trio.current_time()
        await trio.sleep(LOOK_SECONDS)
        late = trio.current_time() - before - LOOK_SECONDS
        if late > longest:
            longest = late
            path.write_text(f"{longest:.3f}\n")  # noqa: ASYNC240  # a thread would be late as well


def main() -> int:
    """Run the worker as it is, and beside it the watch."""
    path = Path(sys.argv[1])
    work = program.work

    async def watched_work(
        arguments: program.Arguments, ended: program.Ended, attendant: Attendant | None = None
    ) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, path)
            await work(arguments, ended, attendant)
            nursery.cancel_scope.cancel()

    program.work = watched_work
    return program.main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
