"""Blobs of a real server that is killed a few times; `blobs_killed` does it at length."""

from __future__ import annotations

from tests.system.blobs_killed import run
from tests.system.processes import Machine


async def test_a_server_that_is_killed_over_its_blobs(machine: Machine) -> None:
    seen = await run(machine, kills=5, seed=6)
    assert seen.read
    assert seen.kept
