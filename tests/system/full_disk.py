"""Fill the disk of a real server in the middle of a job, and free it again: a command for root.

    python -m tests.system.full_disk [--megabytes 64]

It mounts a small tmpfs for the data folder, starts a server, a worker and a client, fills the
tmpfs, and checks that acknowledging stops within a second, that `/api/status`, the page and the log
say why, and that everything goes on and ends rightly once there is space again. Then it puts a blob
that is larger than the disk, and one while the disk fills: they are refused, and nothing of them
stays. It unmounts and removes all that it made. A line for each thing that was seen; the exit
status is 0 if all were.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import trio

import dc
from dc.errors import HttpError
from dc.http_blobs import BlobTransport, blob_of
from dc.http_client import HttpClient
from tests.system.processes import Machine, Server, until

TASKS = 4000
PAYLOAD_BYTES = 2000
FULL_SECONDS = 4.0
WORD = b"is full: free some space"

PLUGIN = '''
import time
import dc

@dc.task_type
def nap(payload: bytes) -> bytes:
    """Take two thousandths of a second, and give the payload back."""
    time.sleep(0.002)
    return payload
'''


@contextlib.contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """Mount a tmpfs of this size, and unmount it in the end."""
    folder = Path(tempfile.mkdtemp(prefix="dc-full-disk-"))
    size = f"size={megabytes}m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "dc-full-disk", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
        folder.rmdir()


def fill(folder: Path) -> Path:
    """Write a file until there is no more space."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for piece in (1 << 20, 4096, 1):
            with contextlib.suppress(OSError):
                while file.write(b"x" * piece):
                    pass
    return filler


def say(text: str) -> None:
    """Print what was seen."""
    print(text, flush=True)


def payload(number: int) -> bytes:
    """Return the payload of a task."""
    return b"%d " % number * (PAYLOAD_BYTES // len(b"%d " % number))


async def check_that_it_stops(server: Server, acknowledged: list[bytes], filled: float) -> None:
    """See to it that the server says why it acknowledges nothing, and does not."""

    def trouble() -> str:
        text: str = server.json("/api/status")["trouble"]
        return text

    await until(lambda: bool(trouble()), "the server to say that the disk is full", 10.0)
    say(f"told after {time.monotonic() - filled:.2f} s: {trouble()}")
    assert time.monotonic() - filled < 1.5, "that took too long"
    await trio.sleep(max(0.0, filled + 1.0 - time.monotonic()))
    before = len(acknowledged), server.json("/api/status")["tasks"]["done"]
    await trio.sleep(FULL_SECONDS)
    after = len(acknowledged), server.json("/api/status")["tasks"]["done"]
    assert trouble(), "the server says that all is well"
    assert before == after, (before, after)
    assert max(after) < TASKS, after
    say(f"nothing is recorded for {FULL_SECONDS:g} s: {after[1]} of {TASKS} tasks are on disk")
    assert WORD in server.get("/api/overview"), "the first page does not say why"
    say("the first page says why")
    assert WORD.decode() in server.program.err.read_text(), "the log does not say why"
    say("the log says why")


async def read(job: dc.AsyncJob, results: list[bytes]) -> None:
    """Gather the results of a job as the server hands them out, which are on disk."""
    async for value in job.results(large="value"):
        results.append(value)  # noqa: PERF401  others look at the list meanwhile


async def check_large(client: dc.AsyncClient, large: bytes, done: trio.Event) -> None:
    """Submit a payload that goes to the folder of blobs, while there is no space for it."""
    job = await client.submit("noop", [large])
    assert [value async for value in job.results(large="value")] == [large]
    done.set()


async def check_too_large(server: Server, machine: Machine, disk: Path) -> None:
    """Put a blob that there is no room for, and one whose disk fills in the middle."""
    source, incoming = machine.folder / "large", machine.data / "blobs" / "incoming"
    free = shutil.disk_usage(disk).free
    await refused(server, source, 2 * free, "has no room for", lambda at: None)
    say(f"a blob of {2 * free} bytes is refused before it is sent")
    fillers: list[Path] = []

    def told(at: int) -> None:
        if at > free // 8 and not fillers:
            fillers.append(fill(disk))

    await refused(server, source, free // 2, WORD.decode(), told)
    (filler,) = fillers
    filler.unlink()
    assert not list(incoming.iterdir()), "something of it stays"
    assert shutil.disk_usage(disk).free > free * 0.9
    say(f"one of {free // 2} bytes is refused when the disk fills, and nothing of it stays")


async def refused(
    server: Server, source: Path, size: int, word: str, told: Callable[[int], None]
) -> None:
    with source.open("wb") as file:
        file.truncate(size)
    client = HttpClient(partial(trio.open_tcp_stream, "127.0.0.1", server.port), "localhost")
    with pytest.raises(HttpError, match=word) as caught:
        await BlobTransport(client).upload(await blob_of(source), source, told)
    assert caught.value.status == 507
    await client.aclose()


async def campaign(machine: Machine, disk: Path) -> None:
    """Do all of it."""
    (machine.plugins / "naps.py").write_text(PLUGIN)
    machine.data = disk / "data"
    server = await machine.server()
    await machine.worker(server, "one", slots=2)
    async with machine.client(server) as client, trio.open_nursery() as nursery:
        job = await client.submit("nap", map(payload, range(TASKS)))
        await server.is_done(job.number, 200)
        filler, filled = fill(disk), time.monotonic()
        say(f"the disk is full: {shutil.disk_usage(disk).free} bytes are free")
        results: list[bytes] = []
        nursery.start_soon(read, job, results)
        large_done = trio.Event()
        nursery.start_soon(check_large, client, os.urandom(3 << 20), large_done)
        await check_that_it_stops(server, results, filled)
        assert not large_done.is_set()
        filler.unlink()
        freed = time.monotonic()
        await until(lambda: not server.json("/api/status")["trouble"], "writing to work again")
        say(f"writing works again {time.monotonic() - freed:.2f} s after there is space")
        status = await job.wait()
        await until(lambda: len(results) == TASKS, "the last result")
        assert results == [payload(number) for number in range(TASKS)], "a wrong result"
        assert (status.state, status.done, status.failed) == ("done", TASKS, 0)
        say(f"all {TASKS} tasks are done, each result as it should be")
        with trio.fail_after(30):
            await large_done.wait()
        say("a large payload submitted meanwhile is done, too")
        await check_too_large(server, machine, disk)
    assert await server.program.stop() == 0
    done = machine.command("dc.server", "--data", machine.data, "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    say("the data folder is whole")


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--megabytes", type=int, default=64, help="of the disk (default 64)")
    arguments = parser.parse_args()
    if sys.platform != "linux" or os.geteuid() != 0:
        print("only root may mount a tmpfs, and only on Linux: run this as root", file=sys.stderr)
        return 2
    with (
        tempfile.TemporaryDirectory() as folder,
        small_disk(arguments.megabytes) as disk,
        Machine(Path(folder)) as machine,
    ):
        trio.run(campaign, machine, disk)
    return 0


if __name__ == "__main__":
    sys.exit(main())
