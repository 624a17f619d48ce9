"""Modules for the tests, made of WebAssembly's text."""

from __future__ import annotations

from wasmtime import wat2wasm

WASI = '(import "wasi_snapshot_preview1" '

ALLOC = """
    (memory (export "memory") 1)
    (global $free (mut i32) (i32.const 1024))
    (func (export "alloc") (param i32) (result i32)
      (global.get $free)
      (global.set $free (i32.add (global.get $free) (local.get 0))))
"""
SAME = """
    (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32))
      (i64.extend_i32_u (local.get 1)))
"""


def made(text: str) -> bytes:
    """Return a module of its fields."""
    return bytes(wat2wasm(f"(module {text})"))


def function(body: str, more: str = "", imports: str = "") -> bytes:
    """Return a module with a function `run`, of its body, and an `alloc`."""
    run = f'(func $run (export "run") (param i32 i32) (result i64) {body})'
    return made(imports + ALLOC + more + run)


def command(body: str, *names: str) -> bytes:
    """Return a WASI command that imports some functions."""
    kinds = {
        "proc_exit": "(param i32)",
        "fd_write": "(param i32 i32 i32 i32) (result i32)",
        "random_get": "(param i32 i32) (result i32)",
        "clock_time_get": "(param i32 i64 i32) (result i32)",
        "clock_res_get": "(param i32 i32) (result i32)",
        "fd_filestat_get": "(param i32 i32) (result i32)",
        "poll_oneoff": "(param i32 i32 i32 i32) (result i32)",
        "args_get": "(param i32 i32) (result i32)",
        "environ_sizes_get": "(param i32 i32) (result i32)",
        "path_open": "(param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)",
    }
    imports = "".join(f'{WASI} "{one}" (func ${one} {kinds[one]}))' for one in names)
    return made(f'{imports} (memory (export "memory") 1) (func (export "_start") {body})')


def written(descriptor: int, at: int, count: int) -> str:
    """Return the text of a piece of code that writes a part of the memory."""
    return f"""
      (i32.store (i32.const 0) (i32.const {at})) (i32.store (i32.const 4) (i32.const {count}))
      (drop (call $fd_write
        (i32.const {descriptor}) (i32.const 0) (i32.const 1) (i32.const 8)))
    """


ECHO = function(SAME)
FOREVER = function("(loop $l (br $l)) (unreachable)")
GROWING = function(
    "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)"
)
