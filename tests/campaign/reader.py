"""The reading client: writes the results of a job to a file, with the cursor of each batch.

A line is one batch: `[cursor, [[number, attempt, unique], …]]`, in one write. Killed and started
again, it goes on after its last whole line. It drops nothing by itself: a task that it is sent
twice is twice in the file.
"""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import trio

import dc
from dc.client.reads import ResultReader
from dc.messages_client import Finished
from dc.messages_parts import Blob, Failure
from tests.campaign.processes import TRY_AGAIN

JOB_SECONDS = 60.0  # to wait for the job to be there
POLL_SECONDS = 0.1


def kept(path: Path) -> list[tuple[int, list[tuple[int, int, str]]]]:
    """Return the batches of a reader's file; a last line that was cut off is no batch."""
    data = path.read_bytes() if path.exists() else b""
    lines = data[: data.rfind(b"\n") + 1].splitlines()
    return [(cursor, [tuple(row) for row in rows]) for cursor, rows in map(json.loads, lines)]


def reopened(path: Path) -> int:
    """Open the file to go on with it; return its descriptor."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    os.ftruncate(descriptor, path.read_bytes().rfind(b"\n") + 1)
    return descriptor


def resumed(reader: ResultReader, path: Path) -> None:
    """Have a reader go on where the file ends."""
    for cursor, rows in kept(path):
        numbers = [row[0] for row in rows]
        empty: list[Any] = [0] * len(rows)
        batch = Finished(0, cursor, "", 0.0, 0, numbers, empty, empty, empty)
        reader._cursor.advance(batch)


async def found(client: dc.AsyncClient, number: int) -> dc.AsyncJob:
    """Return the job, once it is there."""
    with trio.fail_after(JOB_SECONDS):
        while True:
            try:
                return await client.job(number)
            except dc.UnknownJob:
                await trio.sleep(POLL_SECONDS)


async def unique(reader: ResultReader, batch: Finished, index: int) -> str:
    """Return the unique id of the execution that a result is of."""
    outcome = batch.outcomes[index]
    if isinstance(outcome, Failure):
        return f"failed: {outcome.kind}: {outcome.error[:200]}"
    if isinstance(outcome, Blob):
        outcome = await reader.fetch(batch.numbers[index], outcome)
    text: str = msgspec.msgpack.decode(outcome)["unique"]
    return text


async def read(url: str, plugins: Path, number: int, path: Path) -> None:
    """Read to the end of the job."""
    async with dc.AsyncClient(url, [plugins]) as client:
        job = await found(client, number)
        reader = job.result_reader(ordered=False)
        resumed(reader, path)
        descriptor = reopened(path)
        while batches := await reader.next_batches():
            for batch in batches:
                ids = [await unique(reader, batch, index) for index in range(len(batch.numbers))]
                rows = list(zip(batch.numbers, batch.attempts, ids, strict=True))
                os.write(descriptor, (json.dumps([batch.cursor, rows]) + "\n").encode())


def main(argv: list[str]) -> int:
    """Run the client: URL PLUGINS JOB FILE."""
    url, plugins, number, path = argv
    try:
        trio.run(
            partial(read, url, Path(plugins), int(number), Path(path)),
            strict_exception_groups=True,
        )
    except (dc.ConnectionLost, OSError, trio.TooSlowError) as error:
        print(f"WARNING {type(error).__name__} {error}", file=sys.stderr)
        return TRY_AGAIN
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
