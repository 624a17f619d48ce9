"""Measures what running a module costs: `python -m dc_wasm.bench`, in the folder of this plugin.

Each figure is a line of JSON: the best of several rounds, in microseconds a task, without dc.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from wasmtime import wat2wasm

import dc

from .calls import Settings
from .kept import Kept
from .running import Workshop

ROUNDS = 5
SECONDS = 0.3

ECHO = """
    (module
      (memory (export "memory") 18)
      (func (export "alloc") (param i32) (result i32) (i32.const 1024))
      (func (export "run") (param i32 i32) (result i64)
        (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32))
          (i64.extend_i32_u (local.get 1)))))
"""
NOTHING = '(module (memory (export "memory") 1) (func (export "_start")))'


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory(prefix="dc-wasm-bench-") as folder:
        context = dc.Context(1, 0, 1, Path(folder))
        workshop = Workshop(Kept(None))
        settings = Settings()
        echo, nothing = (bytes(wat2wasm(text)) for text in (ECHO, NOTHING))
        for size in (16, 65_536, 2**20):
            data = bytes(size)
            _print(
                f"function, {size} bytes in and out",
                lambda data=data: workshop.run(echo, data, settings, context),  # type: ignore[misc]
            )
        _print("WASI command", lambda: workshop.run(nothing, b"", settings, context))
        _print("compiled anew", lambda: Workshop(Kept(None)).run(echo, b"", settings, context))


def _print(name: str, function: Callable[[], object]) -> None:
    function()
    best = min(_round(function) for _ in range(ROUNDS))
    print(json.dumps({"name": name, "us": round(best * 1e6, 1)}))


def _round(function: Callable[[], object]) -> float:
    """Return the seconds of one call, on average."""
    count, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < SECONDS:
        function()
        count += 1
    return elapsed / count


if __name__ == "__main__":
    main()
