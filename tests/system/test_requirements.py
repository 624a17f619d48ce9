"""What tasks need, with real processes: amounts, cards, warnings, and why something waits."""

from __future__ import annotations

from pathlib import Path

import pytest

import dc
from tests.system.processes import Machine

PLUGIN = '''\
import os
import time
from pathlib import Path

import dc

@dc.task_type
def together(folder: str, context: dc.Context) -> list[str]:
    """Say how many run at one time, on which card, and with which amounts."""
    mine = Path(folder) / f"{context.job}-{context.number}"
    mine.touch()
    time.sleep(0.1)
    count = len(list(Path(folder).iterdir()))
    mine.unlink()
    card = os.environ.get("CUDA_VISIBLE_DEVICES", "none")
    return [str(count), card, str(sorted(context.resources.items()))]

@dc.hookimpl
def dc_worker_resources() -> dict[str, float]:
    return {"scanner": 2}
'''


async def test_amounts_cards_and_why(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    plugins = tmp_path / "needs"
    plugins.mkdir()
    (plugins / "needs.py").write_text(PLUGIN)
    room = tmp_path / "room"
    room.mkdir()
    server = await machine.server(plugins=[plugins])
    said = ("--cpus", 2, "--gpus", 2, "--label", "room=lab", "--spares", 0)
    await machine.worker(server, "lab", slots=4, plugins=[plugins], arguments=said)
    async with dc.AsyncClient(server.address, plugins=[plugins]) as client:
        job = await client.submit("together", [str(room)] * 6, resources={"scanner": 1})
        answers = [value async for value in job.results()]
        assert {int(count) for count, _, _ in answers} <= {1, 2}, "two cpus, two scanners"
        assert {card for _, card, _ in answers} == {"none"}
        assert {text for _, _, text in answers} == {"[('cpus', 1.0), ('scanner', 1.0)]"}
        job = await client.submit("together", [str(room)] * 4, gpus=1, cpus=0.5)
        answers = [value async for value in job.results()]
        assert {card for _, card, _ in answers} <= {"0", "1"}
        assert {int(count) for count, _, _ in answers} <= {1, 2}, "two cards"
        with pytest.warns(dc.NoWorkerWarning, match="needs 3 gpus; no worker has more than 2"):
            job = await client.submit("together", [str(room)], gpus=3)
    why = "needs 3 gpus; no worker has more than 2 (nearest: lab)"
    ask = ("dc", "why", "--server", server.address)
    assert machine.command(*ask, f"{job.number}/0").stdout == (
        f"task 0 of job {job.number} (queued): {why}\n"
    )
    assert machine.command(*ask, "--worker", "lab").stdout == (
        "worker lab (connected): every waiting task needs 3 gpus or more; it has 2\n"
    )
    done = machine.command(
        *("dc", "submit", "together", str(room), "--server", server.address, "--no-wait"),
        *("--require", "room!=lab", "--memory", "1MiB"),
    )
    assert "waits: needs room!=lab; no worker has that" in done.stderr, done
    assert server.json("/api/workers/lab")["resources"]["scanner"] == 2


def test_show_says_what_a_worker_has(machine: Machine) -> None:
    done = machine.command(
        *("dc.worker", "--show", "--slots", 3, "--cpus", 2, "--memory", "4GiB"),
        *("--resource", "licence=1", "--label", "room=lab", "--plugins", machine.plugins),
    )
    assert done.returncode == 0, done.stderr
    lines = [tuple(line.split(None, 1)) for line in done.stdout.splitlines()]
    for line in (
        ("slots", "3"),
        ("cpus", "2 cpus"),
        ("memory", "4 GiB of memory"),
        ("licence", "licence 1"),
        ("label", "room=lab"),
        ("label", "engine=cpython"),
        ("type", "square 1"),
    ):
        assert line in lines
