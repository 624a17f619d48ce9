"""`python -m tests.system.large_bytes`: a payload and a result of gigabytes, cut again and again.

A real server, worker and client; what goes between them passes relays, which break all connections
ten times in the middle of each transfer. In the end the digests must be equal, no byte may have
gone much more than once, and the memory of each process must have stayed flat.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Final

import trio

from dc.limits import MIB
from tests.campaign.relay import Relay
from tests.system.processes import ROOT, Machine, Program, until

BLOCK_BYTES: Final = MIB
MOST_SECONDS: Final = 3600.0
AGAIN_SHARE: Final = 0.1  # of the bytes that may go twice
FLAT_BYTES: Final = 32 * MIB  # by which the memory of server and agent may grow
TASK_BYTES: Final = 64 * MIB  # the same of client and executor

PLUGIN: Final = '''\
"""A task type whose payload and result are files."""
from pathlib import Path

import dc

@dc.task_type
def turned(payload: Path, context: dc.Context) -> Path:
    """Turn each mebibyte of a file round."""
    result = context.scratch / "turned"
    with payload.open("rb") as source, result.open("wb") as sink:
        while block := source.read(2**20):
            sink.write(block[::-1])
    return result
'''

CLIENT: Final = """\
import json, resource, sys
from pathlib import Path
import dc

address, plugins, source, to = sys.argv[1:]
with dc.Client(address, plugins=[plugins]) as client:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    job = client.submit("turned", [Path(source)])
    (result,) = job.results()
    result.save(Path(to))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"grown": (after - before) * 1024}))
"""


def main(argv: list[str]) -> int:
    """Run it; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.large_bytes", description=__doc__)
    add = parser.add_argument
    add("--mebibytes", type=int, default=5 * 1024, help="of the payload (%(default)s)")
    add("--cuts", type=int, default=10, help="in the middle of each transfer (%(default)s)")
    add("--folder", type=Path, help="with six times as much space (default: a temporary one)")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="dc-large-", dir=options.folder) as folder:
        return trio.run(run, Path(folder), options.mebibytes, options.cuts)


async def run(folder: Path, mebibytes: int, cuts: int) -> int:
    """Run it in a folder; return the exit status."""
    digests = await trio.to_thread.run_sync(make, folder / "payload", mebibytes)
    with trio.fail_after(MOST_SECONDS):
        async with trio.open_nursery() as nursery:
            (folder / "machine").mkdir()
            with Machine(folder / "machine") as machine:
                figures = await pass_through(nursery, machine, folder, mebibytes * MIB, cuts)
            nursery.cancel_scope.cancel()
    figures["equal"] = await trio.to_thread.run_sync(digest_of, folder / "result") == digests[1]
    problems = [name for name, fine in verdict(figures, cuts).items() if not fine]
    print(json.dumps(figures, indent=1))
    print("failed: " + ", ".join(problems) if problems else "passed")
    return 1 if problems else 0


def make(path: Path, mebibytes: int) -> tuple[bytes, bytes]:
    """Write the payload, no two blocks of it equal; return its digest, and that of the result."""
    block = bytearray(Random(1).randbytes(BLOCK_BYTES))
    here, turned = hashlib.sha256(), hashlib.sha256()
    with path.open("wb") as file:
        for number in range(mebibytes):
            block[:8] = number.to_bytes(8, "big")
            file.write(block)
            here.update(block)
            turned.update(block[::-1])
    return here.digest(), turned.digest()


def digest_of(path: Path) -> bytes:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


async def pass_through(
    nursery: trio.Nursery, machine: Machine, folder: Path, size: int, cuts: int
) -> dict[str, float]:
    """Have the payload go to the worker and the result come back; return the figures."""
    (machine.plugins / "system_tests.py").write_text(PLUGIN)
    (folder / "client.py").write_text(CLIENT)
    server = await machine.server()
    relays = [await Relay.open(nursery, "127.0.0.1", server.port) for _ in range(2)]
    worker = await machine.worker(server, "one", program=("dc.worker", relays[1].address))
    for relay in relays:
        nursery.start_soon(cut_on_the_way, relay, 2 * size, 2 * cuts)
    before = [peak(one) for one in (server.program, worker)]
    began = time.monotonic()
    client = await trio.run_process(
        [
            *(sys.executable, folder / "client.py", relays[0].address),
            *(machine.plugins, folder / "payload", folder / "result"),
        ],
        capture_stdout=True,
        env=None,
        cwd=ROOT,
    )
    seconds = time.monotonic() - began
    after = [peak(one) for one in (server.program, worker)]
    return {
        "bytes": size,
        "seconds": round(seconds, 1),
        "server_grew_mib": (after[0] - before[0]) / MIB,
        "agent_grew_mib": (after[1] - before[1]) / MIB,
        "client_grew_mib": json.loads(client.stdout)["grown"] / MIB,
        "client_cuts": relays[0].cuts,
        "worker_cuts": relays[1].cuts,
        "client_passed": relays[0].passed / (2 * size),
        "worker_passed": relays[1].passed / (2 * size),
    }


async def cut_on_the_way(relay: Relay, size: int, cuts: int) -> None:
    """Cut a relay so many times while this many bytes pass it."""
    for number in range(cuts):
        due = size * (number + 1) // (cuts + 1)
        await until(lambda due=due: relay.passed >= due, "bytes", MOST_SECONDS)  # type: ignore[misc]
        relay.cut()


def peak(program: Program) -> int:
    """Return the most memory that a process had so far, in bytes."""
    lines = Path(f"/proc/{program.pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields["VmHWM"].split()[0]) * 1024


def verdict(figures: dict[str, float], cuts: int) -> dict[str, bool]:
    """Return what was to hold, and whether it did."""
    return {
        "digests": bool(figures["equal"]),
        "server's memory": figures["server_grew_mib"] * MIB <= FLAT_BYTES,
        "agent's memory": figures["agent_grew_mib"] * MIB <= FLAT_BYTES,
        "client's memory": figures["client_grew_mib"] * MIB <= TASK_BYTES,
        "cuts": figures["client_cuts"] == figures["worker_cuts"] == 2 * cuts,
        "bytes of the client": figures["client_passed"] <= 1 + AGAIN_SHARE,
        "bytes of the worker": figures["worker_passed"] <= 1 + AGAIN_SHARE,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
