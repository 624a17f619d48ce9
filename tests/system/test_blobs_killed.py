"""Blobs of a real server that is killed a few times; `blobs_killed` does it at length."""

from __future__ import annotations

from tests.system.blobs_killed import run
from tests.system.processes import Machine


def names(folder: Path) -> set[str]:
    """Return the digests of blobs, and the names of other files."""
    return {path.parent.name + path.name for path in files(folder)}


async def test_a_server_that_is_killed_over_its_blobs(machine: Machine) -> None:
<<<<<<< HEAD
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
=======
    seen = await run(machine, kills=5, seed=6)
    assert seen.read
    assert seen.kept
>>>>>>> i-done
