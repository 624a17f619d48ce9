"""Blobs of a server that is killed with -9 all the time: `python -m tests.system.blobs_killed`.

They are put, read, named by jobs, made by a worker, and removed, while the server is killed again
and again. No torn blob is ever served; no blob is lost that an acknowledged job names, or that a
task of one has made; none stays for ever. A ledger outside of the server says what was
acknowledged. The tests do it with a few kills.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import random
import signal
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import trio
from msgspec import Struct

import dc
from dc.errors import DcError
from tests.system.processes import ROOT, Machine, Server, until

PLUGIN = '''\
import dc

@dc.task_type(retries=100)
def turned(payload: bytes) -> bytes:
    """Turn bytes round; the empty ones are never done, so that their job is not either."""
    if not payload:
        raise ValueError("again")
    return payload[::-1]
'''
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
        removed: how many jobs were cancelled.
    """

    def __init__(self) -> None:
        self.jobs: dict[int, list[int]] = {}
        self.read = 0
        self.removed = 0


class Survived(Struct, frozen=True):
    """What was seen: numbers of kills, of blobs read, of jobs kept and removed."""

    kills: int
    read: int
    kept: int
    removed: int


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
        if error.code not in (404, 409, 503):  # gone, somebody else puts it, stopping
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
    """Submit jobs whose payloads and results are blobs, and cancel some: those are removed."""
    while True:
        which = [chance.randrange(len(CONTENTS)) for _ in range(3)]
        job = await client.submit("turned", [*(CONTENTS[one] for one in which), b""])
        ledger.jobs[job.number] = which
        if len(ledger.jobs) > 3:
            number = chance.choice(list(ledger.jobs))
            del ledger.jobs[number]
            try:
                await (await client.job(number)).cancel()
                ledger.removed += 1
            except DcError:  # the server was killed meanwhile
                ledger.jobs[number] = []


async def check(server: Server, ledger: Ledger) -> None:
    """Check that all is there that was acknowledged and nobody has asked to be removed."""
    for job, which in ledger.jobs.items():
        if which:
            await server.is_done(job, len(which))
        for task, one in enumerate(which):
            path = f"/jobs/{job}/tasks/{task}"
            assert server.get(f"{path}/payload") == CONTENTS[one], f"{path} has lost its payload"
            assert server.get(f"{path}/result") == CONTENTS[one][::-1], (
                f"{path} has lost its result"
            )


async def run(machine: Machine, kills: int, seed: int) -> Survived:
    """Kill the server so often over its blobs; check all that must hold.

    Raises:
        AssertionError: something does not.
    """
    chance, ledger = random.Random(seed), Ledger()
    (machine.plugins / "turning.py").write_text(PLUGIN)
    server = await start(machine)
    await machine.worker(server, "one", slots=2)
    async with machine.client(server) as client, trio.open_nursery() as nursery:
        for number in (1, 2):
            nursery.start_soon(put_and_read, server.address, random.Random(seed + number), ledger)
        nursery.start_soon(submit_and_cancel, client, random.Random(seed + 3), ledger)
        for _ in range(kills):
            before = ledger.read
            await until(lambda before=before: ledger.read > before, "blobs to be read")  # type: ignore[misc]
            await trio.sleep(chance.uniform(0.2, 1.5))
            assert await server.program.stop(signal.SIGKILL) == -signal.SIGKILL
            server = await start(machine, server.port)
        nursery.cancel_scope.cancel()
    await check(server, ledger)
    kept = sum(bool(which) for which in ledger.jobs.values())
    await none_stays(machine, server)
    assert await server.program.stop() == 0
    return Survived(kills, ledger.read, kept, ledger.removed)


def cancel(url: str) -> None:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, b"{}", headers, method="POST")
    urllib.request.urlopen(request, timeout=10).close()


async def none_stays(machine: Machine, server: Server) -> None:
    """Have all jobs removed, and wait until there is no blob but the archives in service."""
    for row in server.json("/api/jobs?limit=1000")["jobs"]:
        url = f"{server.address}/api/jobs/{row['job']}/cancel"
        await ask(lambda url=url: cancel(url))  # type: ignore[misc]
    await until(lambda: not server.json("/api/jobs")["jobs"], "all jobs to be removed")
    archives = {one["archive"] for one in server.json("/api/plugins")["plugins"]}
    blobs = machine.data / "blobs"
    await until(
        lambda: names(blobs) == archives,
        "no blob to be left",
        30.0,
        lambda: str(names(blobs) - archives),
    )
    await until(
        lambda: server.json("/api/status")["bytes"] == 0,
        "no bytes to be counted",
        30.0,
        lambda: str(server.json("/api/status")["bytes"]),
    )


def names(blobs: Path) -> set[str]:
    """Return the names of all files of a folder of blobs, whatever they are."""
    return {path.parent.name + path.name for path in blobs.rglob("*") if path.is_file()}


def main() -> None:
    """Run it at length, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="of the server; 200 by default")
    parser.add_argument("--seed", type=int, default=6, help="of all that is drawn; 6 by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Machine(Path(folder)) as machine:
        seen = trio.run(run, machine, options.kills, options.seed)
    print(json.dumps({name: getattr(seen, name) for name in seen.__struct_fields__}))


if __name__ == "__main__":
    main()
