"""A worker that has nothing but dc runs what comes with dc, and the examples."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import dc
from tests.system.empty_environment import empty_environment
from tests.system.processes import ROOT, Machine

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and paths of POSIX")

PROJECTS = ("plugins/bench", "plugins/command", "plugins/python", "examples/template")
CASES: list[tuple[str, Any, Any]] = [
    ("noop", b"as it came", b"as it came"),
    ("command", {"args": ["echo", "one"]}, b"one\n"),
    ("python", {"function": "math:gcd", "args": [12, 18]}, 6),
    ("wordcount", "a b a", {"a": 2, "b": 1}),
    ("zeta_zero", {"number": 1, "digits": 12}, "14.1347251417"),
]


async def test_an_empty_environment_runs_all_of_them(machine: Machine) -> None:
    python = empty_environment(machine.folder / "empty")
    server = await machine.server(plugins=[ROOT / one for one in (*PROJECTS, "examples/zeta")])
    nothing: dict[str, Any] = {"plugins": [], "environment": {"PATH": "/usr/bin:/bin"}}
    await machine.worker(server, "empty", python=python, **nothing)
    carried = {one["name"]: one["carried"] for one in server.json("/api/plugins")["plugins"]}
    assert carried["dc-zeta"][0].startswith("mpmath 1.")
    assert server.json("/api/workers")["workers"][0]["types"] == []
    async with dc.AsyncClient(server.address) as client:
        for name, payload, result in CASES:
            job = await client.submit(name, [payload])
            (found,) = [one async for one in job.results()]
            assert (found["stdout"] if name == "command" else found) == result, name
