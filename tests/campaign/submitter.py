"""The submitting client: one job of short tasks, over a set time, under one submission key.

Killed in the middle and started again with the same arguments, it goes on with the same job.
"""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import trio

import dc
from tests.campaign.processes import TRY_AGAIN

KEY = "campaign"
BATCH = 50  # payloads between two looks at the clock
LARGE_EACH = 2000  # tasks, of which one has a large payload and another a large result
LARGE_BYTES = 100_000
LONGER_EACH = 500  # tasks, of which one runs long enough to be reported as running
LONGER_SECONDS = 0.4


def payload(number: int) -> dict[str, Any]:
    """Return the payload of a task: always the same for the same number."""
    work: dict[str, Any] = {"number": number}
    if number % LONGER_EACH == 1:
        work["seconds"] = LONGER_SECONDS
    if number % LARGE_EACH == 2:
        work["ballast"] = number.to_bytes(4, "big") * (LARGE_BYTES // 4)
    if number % LARGE_EACH == 3:
        work["size"] = LARGE_BYTES
    return work


async def payloads(count: int, since: float, seconds: float) -> AsyncIterator[dict[str, Any]]:
    """Yield the payloads, evenly over so many seconds from `since` (Unix time) on."""
    for number in range(count):
        if number % BATCH == 0:
            await trio.sleep(max(0.0, since + seconds * number / count - time.time()))
        yield payload(number)


async def submit(url: str, plugins: Path, count: int, since: float, seconds: float) -> None:
    """Submit the job, or the rest of it."""
    async with dc.AsyncClient(url, [plugins]) as client:
        work = payloads(count, since, seconds)
        job = await client.submit("tick", work, name="campaign", key=KEY)
        print(job.number, flush=True)


def main(argv: list[str]) -> int:
    """Run the client: URL PLUGINS COUNT SINCE SECONDS."""
    url, plugins, count, since, seconds = argv
    try:
        trio.run(
            partial(submit, url, Path(plugins), int(count), float(since), float(seconds)),
            strict_exception_groups=True,
        )
    except (dc.ConnectionLost, OSError) as error:
        print(f"WARNING {error}", file=sys.stderr)
        return TRY_AGAIN
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
