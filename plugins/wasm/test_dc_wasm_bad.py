"""What is no module to run, and everything that a module can do wrong while it runs."""

from __future__ import annotations

import time
from typing import Any

import pytest
from dc_wasm import Call, running, wasm
from dc_wasm.failures import WasmFailed
from dc_wasm.kept import Kept
from test_dc_wasm_texts import ALLOC, ECHO, FOREVER, GROWING, SAME, WASI, function, made

import dc
import dc.testing


@pytest.fixture(autouse=True)
def _no_files_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "WORKSHOP", running.Workshop(Kept(None)))


def run(module: bytes, data: bytes = b"", **settings: Any) -> bytes:
    result = dc.testing.run(wasm, Call(module=module, input=data, **settings))
    assert isinstance(result, bytes)
    return result


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (b"", "this is no WebAssembly module: it begins with b''"),
        (b"(module)", r"text \(\.wat\) is to be compiled before"),
        (b"\0asm", r"of version 1 \(it says b''\)"),
        (b"\0asm\x0d\0\1\0", "components cannot be run"),
        (b"\0asm\1\0\0\0\xff\xff", "this is no WebAssembly module: "),
        (ECHO[:-3], "this is no WebAssembly module: "),
        (made(""), "the module exports nothing: it needs a memory"),
        (made(ALLOC), "the module exports `alloc`, `memory`: it needs a memory"),
        (made('(func (export "_start") (param i32))'), "the module exports `_start`: it needs"),
        (
            made(ALLOC + '(func (export "run") (param i32) (result i64) (i64.const 0))'),
            r"exports `run` as \(i32\) -> i64 and not as \(i32, i32\) -> i64",
        ),
        (
            made(ALLOC + '(global (export "run") i32 (i32.const 0))'),
            "exports `run` as global and not as",
        ),
        (
            function(SAME, imports='(import "env" "f" (func))'),
            "imports env.f, and nothing here has that",
        ),
        (
            function(SAME, imports=f'{WASI} "f" (func))'),
            "the module cannot be linked: .*f",
        ),
        (
            made('(memory (export "memory") 1 1 shared)'),
            "this is no WebAssembly module: .*thread",
        ),
    ],
)
def test_what_is_no_module_to_run(module: bytes, text: str) -> None:
    with pytest.raises(dc.PayloadError, match=text):
        run(module, b"x")
    assert run(ECHO, b"fine") == b"fine"


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (function("(unreachable)"), "the module failed: trap: unreachable code, in which panics"),
        (function("(i64.div_u (i64.const 1) (i64.const 0))"), "trap: integer division by zero"),
        (function("(i64.load (i32.const -9))"), "trap: memory out of bounds"),
        (function("(call $run (i32.const 0) (i32.const 0))"), "trap: stack overflow"),
        (function("(i64.const 0x0001_0000_0000_0001)"), "run returned 1 bytes at 65536, beyond"),
        (function("(i64.const -1)"), "run returned 4294967295 bytes at 4294967295, beyond the 655"),
        (
            made(
                '(memory (export "memory") 1)'
                '(func (export "alloc") (param i32) (result i32) (i32.const -1))'
                '(func (export "run") (param i32 i32) (result i64) (i64.const 0))'
            ),
            r"alloc\(1\) returned 4294967295, beyond the 65536 bytes",
        ),
        (function(SAME, "(func $s (unreachable)) (start $s)"), "trap: unreachable code"),
        (
            function(
                "(call $e (i32.const 7)) (i64.const 0)",
                imports=f'{WASI} "proc_exit" (func $e (param i32)))',
            ),
            "exit status 7",
        ),
    ],
)
def test_what_fails_while_it_runs(module: bytes, text: str) -> None:
    with pytest.raises(WasmFailed, match=text):
        run(module, b"x")
    assert run(ECHO, b"fine") == b"fine"


def test_where_it_failed_is_in_the_notes() -> None:
    with pytest.raises(WasmFailed) as caught:
        run(function("(call $deep) (i64.const 0)", "(func $deep (unreachable))"))
    assert "!deep" in caught.value.__notes__[0]


def test_a_loop_without_end() -> None:
    started = time.perf_counter()
    with pytest.raises(WasmFailed, match=r"it ran for longer than 0\.05 s and was stopped"):
        run(FOREVER, seconds=0.05)
    assert time.perf_counter() - started < 10
    with pytest.raises(WasmFailed, match="it has used up its fuel of 100000"):
        run(FOREVER, fuel=100_000)
    starts = function(SAME, "(func $s (loop $l (br $l))) (start $s)")
    with pytest.raises(WasmFailed, match="was stopped"):
        run(starts, seconds=0.05)
    assert run(ECHO, b"fine", seconds=0.05) == b"fine"


def test_memory_without_end() -> None:
    text = "trap: unreachable code, .*; it had 15.06 MiB of memory, and may have 16 MiB"
    with pytest.raises(WasmFailed, match=text):
        run(GROWING, memory=16 * 2**20)
    large = made('(memory (export "memory") 1000) (func (export "_start"))')
    with pytest.raises(WasmFailed, match="it may have 1 MiB of memory"):
        run(large, memory=2**20)
    tables = made(ALLOC + '(table 2000000 funcref) (func (export "_start"))')
    with pytest.raises(WasmFailed, match="table"):
        run(tables)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("memory", 1), ("memory", 2**33), ("seconds", -1), ("fuel", -1), ("fuel", 2**63)],
)
def test_settings_out_of_range(setting: str, value: int) -> None:
    settings: dict[str, Any] = {setting: value}
    with pytest.raises(dc.PayloadError, match=f"payload of wasm must be Call.*{setting}"):
        run(ECHO, **settings)
