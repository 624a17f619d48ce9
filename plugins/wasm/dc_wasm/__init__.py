"""Runs WebAssembly modules: the same bytes on every kind of computer, in a sandbox.

A module is a function over bytes, or a WASI command that reads standard input and writes standard
output; the README has both in full. It reaches neither files nor network nor the environment, and
gets a fresh instance for each task. What runs it (wasmtime) is imported when a task is run: a
server and a client need the task types alone.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import dc

from .calls import Call, Settings, input_of, module_of

__all__ = ["Call", "Settings", "calls_of", "wasm", "wasm_bytes"]

MIXED = "give a module and its inputs, or calls alone"


@dc.task_type
def wasm(call: Call, context: dc.Context) -> bytes:
    """Run a WebAssembly module over bytes: its function `run`, or as a WASI command."""
    result: bytes = _running().run(call.module, call.input, call, context)
    return result


@dc.task_type
def wasm_bytes(data: memoryview, context: dc.Context) -> Iterator[bytes]:
    """Run the WebAssembly module that is the job's input `module` over bytes of any size."""
    pieces: Iterator[bytes] = _running().run_job(data, context)
    return pieces


@wasm.split
def calls_of(module: str | bytes | Path | Call, *inputs: str | bytes | Call) -> Iterator[Call]:
    """Yield a call of a module for each input.

    Text for the module is the path of its file, and settings behind it, as a shell has words:
    `crc.wasm memory=64MiB seconds=2.5 fuel=1000000 deterministic=false arg=-v`. Text for an input
    is its UTF-8, or that of a file: `@FILE`.
    """
    if not isinstance(module, str | bytes | Path):
        if any(isinstance(one, str | bytes) for one in inputs):
            raise dc.PayloadError(MIXED)
        yield from [module, *inputs]  # type: ignore[misc]
        return
    code, settings = module_of(module)
    for given in inputs:
        if not isinstance(given, str | bytes):
            raise dc.PayloadError(MIXED)
        yield Call(input=input_of(given), module=code, **settings)


def _running() -> ModuleType:
    try:
        return importlib.import_module(".running", __package__)
    except ModuleNotFoundError as error:
        raise dc.PluginError(
            f"this worker lacks {error.name}, which runs modules: pip install wasmtime"
        ) from None
