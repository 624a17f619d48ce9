"""Times how long many computers take to become workers that all come at the same moment.

    python -m benchmarks.joins [--workers N] [--processes N]

Each has a key pair of its own and one code for all. It connects with TLS and joins over HTTP,
connects with TLS again, proves whose key it has, and says Hello; it is in when it is welcome. Their
side of it runs in so many processes beside the server's. Prints JSON lines: the seconds until half
of them and all were in, the server's processor time for each, and its memory for each.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import trio
from msgspec import json as coder

from benchmarks.figures import show
from benchmarks.path import end
from benchmarks.processes import Process
from dc import invites, worker_proof
from dc import limits_worker as limits
from dc.dial import dial
from dc.errors import DcError
from dc.link import Link
from dc.link_open import connect
from dc.messages import PROTOCOL, Codec, Hello, ToWorker, Welcome
from dc.messages_worker import About
from dc.view_access import NewInvite, NewToken
from dc.worker.entry import KeySeen
from dc.worker.finding import of_invite
from dc.worker.join_port import JoinPort
from dc.worker.joined_server import JoinedServer
from dc.worker.joined_servers import JoinedServers
from dc.worker.joining import Applicant
from dc.worker.terminal import Terminal
from dc.worker.way import Way
from dc.worker.worker_key import WorkerKey

SECONDS = 200.0
"""For all of them."""


class InMemory(JoinedServers):
    """Writes nothing: each worker is on a computer of its own, with its own disk."""

    def note(self, server: JoinedServer) -> JoinedServer:
        return server


async def join(code: str, number: int, here: list[float], done: trio.Event) -> None:
    """Be one worker, until all are in."""
    key, goal = WorkerKey(worker_proof.new_private()), of_invite(invites.read(code))
    assert goal.joined is not None
    seen = KeySeen(dial)
    way = Way(goal.servers, seen.dial)
    name = f"fake-{number}"
    me = Applicant(key.public, name, {"os": "linux"}, can_compare=False)
    known = InMemory(Path("/nonexistent"))
    await JoinPort(me, goal.joined, way, seen, known, Terminal()).run()
    link = await connected(way, key)
    codec = Codec(ToWorker)
    hello = Hello(PROTOCOL, "worker", "benchmark", [], About(name, "", 1, [], {}))
    await link.send(codec.encode([hello]))
    while data := await link.receive():
        if any(isinstance(message, Welcome) for message in codec.decode(data)):
            break
    here.append(time.time())
    await done.wait()
    await trio.aclose_forcefully(link.stream)


async def connected(way: Way, key: WorkerKey) -> Link:
    """Return the socket of a worker; if it breaks, try again after a pause, as workers do."""
    pause = limits.RECONNECT_SECONDS
    while True:
        stream = None
        try:
            stream = await way.open()
            return await connect(stream, way.server.authority, "/socket", prover=key.prove)
        except (OSError, DcError, trio.BrokenResourceError) as error:
            print(f"again: {error}", file=sys.stderr)
            if stream is not None:
                await trio.aclose_forcefully(stream)
            await trio.sleep(pause * (0.5 + random.random() / 2))
            pause = min(2 * pause, limits.RECONNECT_SECONDS_MOST)


async def join_all(code: str, first: int, count: int) -> None:
    """Be so many workers; print when each was in, and stay until the input ends."""
    here: list[float] = []
    done = trio.Event()
    with trio.fail_after(SECONDS):
        async with trio.open_nursery() as nursery:
            for number in range(first, first + count):
                nursery.start_soon(join, code, number, here, done)
            while len(here) < count:  # noqa: ASYNC110
                await trio.sleep(0.01)
            print(json.dumps(here), flush=True)
            await trio.to_thread.run_sync(sys.stdin.read)
            done.set()


@contextlib.contextmanager
def started(data: Path, *options: str) -> Iterator[tuple[str, Process]]:
    """Run a server; give its address and the process."""
    command = [sys.executable, "-m", "dc.server", "--data", str(data), *options]
    log = data.parent / "log.txt"
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if not address:
            raise SystemExit(log.read_text("utf-8")[-2000:])
        yield address, Process(process.pid)
    finally:
        end(process)


def post(address: str, path: str, value: object) -> Any:
    """Ask a server that lets everybody in."""
    request = urllib.request.Request(
        address + path, coder.encode(value), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def code_for(data: Path, workers: int) -> tuple[str, int]:
    """Return a code of a server on this data, which has no pin yet, and the port it is for."""
    with started(data, "--listen", "127.0.0.1:0") as (address, _):
        port = int(address.rpartition(":")[2])
        new = NewInvite(uses=workers, addresses=[f"127.0.0.1:{port}"])
        post(address, "/api/tokens", NewToken(["admin"], "benchmark"))
        code: str = post(address, "/api/invites", new)["code"]
        return code, port


def pin_in(log: Path) -> bytes:
    """Return the pin that a server has written down."""
    return bytes.fromhex(log.read_text("utf-8").partition("the pin of its key is ")[2][:64])


def measure(workers: int, processes: int) -> None:
    """Have them all join, and show how long it took."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        code, port = code_for(data, workers)
        with started(data, "--listen", f"127.0.0.1:{port}", "--secure") as (_, server):
            said = invites.read(code)
            pin = pin_in(data.parent / "log.txt")[: invites.PIN_BYTES]
            whole = invites.Invite(said.secret, pin, said.addresses).text
            run(whole, workers, processes, server)


def run(code: str, workers: int, processes: int, server: Process) -> None:
    """Start them, and show the figures."""
    share = -(-workers // processes)
    firsts = range(0, workers, share)
    children = [start_some(code, first, min(share, workers - first)) for first in firsts]
    for child in children:
        line_of(child)
    used, kib, began = server.processor(), server.kib("VmRSS"), time.time()
    for child in children:
        tell(child, "go")
    here = sorted(at for child in children for at in json.loads(line_of(child)))
    show("half are in", here[workers // 2] - began, "s", workers=workers)
    show("all are in", here[-1] - began, "s", workers=workers)
    show("the server's processor for one", (server.processor() - used) / workers * 1e3, "ms")
    show("the server's memory for one", (server.kib("VmRSS") - kib) / workers, "KiB")
    for child in children:
        end(child)


def start_some(code: str, first: int, count: int) -> subprocess.Popen[str]:
    """Start a process that will be so many workers."""
    command = [sys.executable, "-m", "benchmarks.joins", "--be", str(first), str(count)]
    pipe = subprocess.PIPE
    child = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
    tell(child, code)
    return child


def tell(child: subprocess.Popen[str], line: str) -> None:
    """Send a line to a process."""
    assert child.stdin is not None
    child.stdin.write(f"{line}\n")
    child.stdin.flush()


def line_of(child: subprocess.Popen[str]) -> str:
    """Return the next line that a process says."""
    assert child.stdout is not None
    line = child.stdout.readline()
    if not line:
        raise SystemExit("the workers have ended; see above")
    return line


def be(first: int, count: int) -> None:
    """Be so many workers: of the code in the first line of the input, once there is a second."""
    code = sys.stdin.readline().strip()
    print("ready", flush=True)
    sys.stdin.readline()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit, count * 2 + 200), limit))
    trio.run(join_all, code, first, count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workers", type=int, default=1000, help="default: %(default)s")
    parser.add_argument("--processes", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--be", type=int, nargs=2, help=argparse.SUPPRESS)
    values = parser.parse_args()
    if values.be:
        be(*values.be)
    else:
        measure(values.workers, values.processes)


if __name__ == "__main__":
    main()
