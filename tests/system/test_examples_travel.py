"""A worker that has nothing but dc, and pip, runs all that comes with dc, and all examples."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import dc_function
import pytest
import trio
from dc_render import Picture, file_of, render, tiles_of

import dc
import dc.testing
from tests.system.empty_environment import empty_environment
from tests.system.processes import ROOT, Machine, Server

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and paths of POSIX")

FOLDERS: Final = (ROOT / "plugins", ROOT / "examples")
UPPER: Final = ROOT / "plugins" / "wasm" / "examples" / "upper.wasm"
EMPTY: Final = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ""}
SECONDS: Final = 150.0  # a package of some megabytes is fetched in it


PICTURE: Final = Picture(16, 8, samples=1, tile=8)
TEXT: Final = b"what goes up, goes up"
RUNS: Final[dict[str, tuple[list[Any], dict[str, Any], Any]]] = {
    "noop": ([b"as it came"], {}, [b"as it came"]),
    "command": ([["echo", "one"]], {}, b"one\n"),
    "python": (["math:gcd [12, 18]"], {}, [6]),
    "function": ([dc_function.call(lambda a, b: a * b, 6, 7)], {}, [42]),
    "wasm": ([str(UPPER), "text"], {}, [b"TEXT"]),
    "wasm_bytes": ([TEXT], {"module": UPPER}, [TEXT.upper()]),
    "render": ([PICTURE], {}, "as it is drawn here"),
    "wordcount": ([str(ROOT / "README.md")], {}, True),
    "zeta_zero": (["1@12"], {}, "14.1347251417\n"),
    "occurrences": (["up", "no"], {"text": TEXT}, [(2, [10, 19]), (0, [])]),
}
"""By task type: what its job is made of, its inputs, and what is to come of it."""


def drawn() -> bytes:
    """Return the picture, drawn by this process."""
    return file_of(dc.testing.run(render, tile) for tile in tiles_of(PICTURE))


SAID: Final[dict[str, Callable[[Any], Any]]] = {
    "command": lambda finished: finished[0].stdout,
    "render": lambda picture: "as it is drawn here" if picture == drawn() else picture,
    "wordcount": lambda counts: counts["dc"] > 1,
}
"""What is compared where it is not the whole result."""


async def run_all(server: Server) -> None:
    async with dc.AsyncClient(server.address, plugins=FOLDERS) as client:
        for name, (given, files, expected) in RUNS.items():
            inputs = {one: await client.put(source) for one, source in files.items()}
            result = await client.run(name, *given, inputs=inputs)
            assert SAID.get(name, lambda whole: whole)(result) == expected, name


def projects() -> set[str]:
    """Return the names of all plugins of this project."""
    return {f"dc-{path.parent.name}" for one in FOLDERS for path in one.glob("*/pyproject.toml")}


async def test_an_empty_environment_runs_all_of_them(machine: Machine) -> None:
    python = empty_environment(machine.folder / "empty", "pip")
    server = await machine.server(plugins=FOLDERS)
    rows = {one["name"]: one for one in server.json("/api/plugins")["plugins"]}
    assert {name for name, row in rows.items() if row["types"]} == projects()
    assert {one["name"] for one in server.json("/api/types")["types"]} == RUNS.keys()
    worker = await machine.worker(server, "empty", python=python, environment=EMPTY, plugins=[])
    assert server.json("/api/workers")["workers"][0]["types"] == []
    with trio.move_on_after(SECONDS) as scope:
        await run_all(server)
    assert not scope.cancelled_caught, f"not done after {SECONDS:g} s: {worker.text()}"
    assert rows["dc-zeta"]["carried"][0].startswith("mpmath 1.")
    assert rows["dc-function"]["carried"][0].startswith("cloudpickle 3.")
    assert has_installed(machine.folder / "worker-empty") == {"wasmtime"}
    assert "installing wasmtime" in worker.text()


def has_installed(data: Path) -> set[str]:
    """Return the packages with something compiled that a worker has installed."""
    compiled = (data / "code" / "sites").glob("*/*/**/*.so")
    return {path.parts[len(data.parts) + 3] for path in compiled}
