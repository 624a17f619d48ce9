"""A module of WebAssembly on several workers: the same bytes from each executor, and its limits."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from dc_wasm import Call, running, wasm
from dc_wasm.kept import Kept
from test_dc_wasm_texts import ECHO, FOREVER, GROWING, command, function, written

import dc
import dc.testing
from tests.system.processes import ROOT, Machine, Program, Server

PLUGIN: Final = ROOT / "plugins" / "wasm"
NAMES: Final = ("own", "another", "shipped", "elsewhere")
NANS: Final = """
    (i64.store (i32.const 8) (i64.reinterpret_f64 (f64.div (f64.const 0) (f64.const 0))))
    (i64.store (i32.const 16) (i64.reinterpret_f64 (f64.sqrt (f64.const -1))))
    (i64.store (i32.const 24)
      (i64.reinterpret_f64 (f64.add (f64.const nan:0x123) (f64.const 1))))
    (i64.const 0x0008_0000_0018)
"""
WORLD: Final = """
    (drop (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const 104)))
    (drop (call $random_get (i32.const 112) (i32.const 64)))
"""
CALLS: Final = [
    Call(
        module=(PLUGIN / "examples" / "mandelbrot.wasm").read_bytes(),
        input=struct.pack("<dddII", -0.75, 0.1, 0.01, 16, 16),
    ),
    Call(module=function(NANS)),
    Call(
        module=command(WORLD + written(1, 104, 72), "clock_time_get", "random_get", "fd_write"),
        input=b"what random numbers come of",
    ),
]
BEYOND: Final = [
    (Call(module=FOREVER, seconds=0.2), r"longer than 0\.2 s and was stopped"),
    (Call(module=FOREVER, fuel=10**6), "it has used up its fuel of 1000000"),
    (Call(module=GROWING, memory=2**24), "it had 15.06 MiB of memory, and may have 16 MiB"),
    (Call(module=function("(i64.load (i32.const -9))")), "trap: memory out of bounds"),
    (Call(module=b"no module"), "this is no WebAssembly module"),
]


async def workers_of(machine: Machine, server: Server) -> list[Program]:
    """Start workers of one executor each, as unlike each other as one computer's can be."""
    ways: dict[str, tuple[Sequence[Path], dict[str, str]]] = {
        "own": ([PLUGIN], {}),
        "another": ([PLUGIN], {"PYTHONHASHSEED": "1"}),
        "shipped": ([], {"TZ": "Asia/Kolkata"}),
        "elsewhere": (
            [PLUGIN],
            {"XDG_CACHE_HOME": str(machine.folder / "elsewhere"), "LC_ALL": "C"},
        ),
    }
    return [
        await machine.worker(
            server,
            name,
            plugins=plugins,
            arguments=("--spares", 0, "--label", f"place={name}"),
            environment={"XDG_CACHE_HOME": str(machine.folder / "cache"), **variables},
        )
        for name, (plugins, variables) in ways.items()
    ]


async def outcomes(client: dc.AsyncClient, place: str, calls: Sequence[Call]) -> list[Any]:
    job = await client.submit("wasm", calls, requires={"place": place})
    return [one async for one in job.results(failures="yield")]


async def test_each_executor_gives_the_same_bytes_and_keeps_the_limits(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "WORKSHOP", running.Workshop(Kept(None)))
    here = [dc.testing.run(wasm, call) for call in CALLS]
    assert [len(one) for one in here] == [256, 24, 72]
    server = await machine.server(plugins=[PLUGIN])
    workers = await workers_of(machine, server)
    async with dc.AsyncClient(server.address, plugins=[PLUGIN]) as client:
        for place, worker in zip(NAMES, workers, strict=True):
            assert await outcomes(client, place, CALLS) == here, place
            executors = worker.children()
            failed = await outcomes(client, place, [call for call, _ in BEYOND])
            for error, (_, text) in zip(failed, BEYOND, strict=True):
                with pytest.raises(dc.TaskFailed, match=text):
                    raise error
            echo = Call(module=ECHO, input=b"fine")
            assert await outcomes(client, place, [*CALLS, echo]) == [*here, b"fine"], place
            assert worker.children() == executors, "a limit cost an executor"
