"""Blobs of a real server that is killed with -9 while they are put, read, named and removed.

No torn blob is ever served; no blob is lost that an acknowledged job names; none stays for ever. A
ledger outside of the server says what was acknowledged.
"""

from __future__ import annotations

import hashlib
import http.client
import random
import signal
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import trio

import dc
from dc.errors import DcError
from tests.system.processes import ROOT, Machine, Server, until

KILLS = 5
CONTENTS = [
    random.Random(number).randbytes(100_000 + 150_000 * (number % 4)) for number in range(8)
]
NAMES = [hashlib.sha256(data).hexdigest() for data in CONTENTS]
GONE = (OSError, http.client.HTTPException)
"""What a client gets whose server is killed."""


class Ledger:
    """What is known outside of the server.

    Attributes:
        jobs: acknowledged jobs that nobody has asked to be removed, with their contents.
        read: how many blobs were read whole.
    """

    def __init__(self) -> None:
        self.jobs: dict[int, list[int]] = {}
        self.read = 0


async def start(machine: Machine, port: int = 0) -> Server:
    arguments = ["--listen", f"127.0.0.1:{port}", "--data", machine.data, "--keep-days", 1e-6]
    program = machine.start(
        *("tests.system.quick_server", *arguments, "--plugins", machine.plugins),
        environment={"PYTHONPATH": str(ROOT)},
        name="server",
    )
    return await Server.up(program)


async def ask(do: Callable[[], object]) -> object:
    """Ask the server for something in a thread; None if it is killed meanwhile."""
    try:
        return await trio.to_thread.run_sync(do)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code not in (404, 409, 503):  # none there, somebody else puts it, stopping
            raise
        return None
    except GONE:
        return None


async def put_and_read(address: str, chance: random.Random, ledger: Ledger) -> None:
    """Put blobs that nothing names, and read any."""

    def put(which: int) -> int:
        url = f"{address}/blobs/{NAMES[which]}"
        request = urllib.request.Request(url, CONTENTS[which], method="PUT")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)

    def get(which: int) -> bytes:
        with urllib.request.urlopen(f"{address}/blobs/{NAMES[which]}", timeout=10) as answer:
            body: bytes = answer.read()
        return body

    while True:
        await ask(lambda: put(chance.randrange(len(CONTENTS))))
        which = chance.randrange(len(CONTENTS))
        body = await ask(lambda which=which: get(which))  # type: ignore[misc]
        assert body in (None, CONTENTS[which]), "a blob is served that is not whole"
        ledger.read += body is not None
        await trio.sleep(0.01)


async def submit_and_cancel(client: dc.AsyncClient, chance: random.Random, ledger: Ledger) -> None:
    """Submit jobs whose payloads are blobs, and cancel some: those are removed at once."""
    while True:
        which = [chance.randrange(len(CONTENTS)) for _ in range(3)]
        job = await client.submit("noop", [CONTENTS[one] for one in which])
        ledger.jobs[job.number] = which
        if len(ledger.jobs) > 3:
            number = chance.choice(list(ledger.jobs))
            del ledger.jobs[number]
            try:
                await (await client.job(number)).cancel()
            except DcError:  # the server was killed meanwhile
                ledger.jobs[number] = []


def check(server: Server, ledger: Ledger) -> None:
    """Check that all is there that was acknowledged and nobody has asked to be removed."""
    for job, which in ledger.jobs.items():
        for task, one in enumerate(which):
            body = server.get(f"/jobs/{job}/tasks/{task}/payload")
            assert body == CONTENTS[one], f"task {job}/{task} has lost its payload"


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def names(folder: Path) -> set[str]:
    """Return the digests of blobs, and the names of other files."""
    return {path.parent.name + path.name for path in files(folder)}


async def test_a_server_that_is_killed_over_its_blobs(machine: Machine) -> None:
    chance, ledger = random.Random(6), Ledger()
    server = await start(machine)
    async with machine.client(server) as client, trio.open_nursery() as nursery:
        for seed in (1, 2):
            nursery.start_soon(put_and_read, server.address, random.Random(seed), ledger)
        nursery.start_soon(submit_and_cancel, client, random.Random(3), ledger)
        for _ in range(KILLS):
            before = ledger.read
            await until(lambda before=before: ledger.read > before, "blobs to be read")  # type: ignore[misc]
            await trio.sleep(chance.uniform(0.2, 1.5))
            assert await server.program.stop(signal.SIGKILL) == -signal.SIGKILL
            server = await start(machine, server.port)
        nursery.cancel_scope.cancel()
    assert ledger.jobs
    check(server, ledger)
    await none_stays(machine, server)
    assert await server.program.stop() == 0


def cancel(url: str) -> None:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, b"{}", headers, method="POST")
    urllib.request.urlopen(request, timeout=10).close()


async def none_stays(machine: Machine, server: Server) -> None:
    """Have all jobs removed, and wait until there is no blob but the archive of the plugin."""
    for row in server.json("/api/jobs?limit=1000")["jobs"]:
        await trio.to_thread.run_sync(cancel, f"{server.address}/api/jobs/{row['job']}/cancel")
    await until(lambda: not server.json("/api/jobs")["jobs"], "all jobs to be removed")
    blobs = machine.data / "blobs"
    archives = {row["archive"] for row in server.json("/api/plugins")["plugins"]}
    assert archives
    await until(lambda: names(blobs) <= archives, f"no blob to be left of {names(blobs)}")
    assert server.json("/api/status")["bytes"] == 0
