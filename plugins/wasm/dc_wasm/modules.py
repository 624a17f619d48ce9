"""Modules that are compiled: checked, linked, and kept by the digest of their bytes.

The last ones stay in memory. What took long to compile is kept in a folder as well, for other
executors and for later, see `Kept`.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from wasmtime import (
    Engine,
    FuncType,
    InstancePre,
    MemoryType,
    Module,
    Trap,
    WasmtimeError,
)

from .failures import ModuleRefused
from .host import WASI
from .kept import Kept
from .machine import Machine

Kind: TypeAlias = Literal["function", "command"]

MAGIC: Final = b"\0asm"
MODULE_VERSION: Final = b"\1\0\0\0"
MOST_MODULES: Final = 16
"""That stay in memory: a job has one, and jobs alternate."""

KEPT_SECONDS: Final = 0.05
"""Compiling that takes as long is worth a file: reading it back takes a tenth of a millisecond."""

ABI: Final = (
    "it needs a memory `memory` and the functions `alloc(i32) -> i32` and "
    "`run(i32, i32) -> i64`, or as a WASI command `_start()`"
)


class Compiled:
    """A module that can be run.

    Args:
        instance_pre: the module, linked.
        kind: how it is run.
        digest: of its bytes.

    Attributes:
        takes_wasi: whether it imports anything.
        initializes: whether its function `_initialize` is to be called first.
    """

    def __init__(self, instance_pre: InstancePre, module: Module, kind: Kind, digest: bytes):
        self.instance_pre = instance_pre
        self.kind: Kind = kind
        self.digest = digest
        self.takes_wasi = bool(module.imports)
        self.initializes = any(one.name == "_initialize" for one in module.exports)


class Modules:
    """Compiles modules; those that it has, it has at once.

    Args:
        kept: what took long to compile.
    """

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._compiled: OrderedDict[tuple[str, bytes], Compiled] = OrderedDict()
        self._of_jobs: OrderedDict[tuple[str, int, Path], Compiled] = OrderedDict()

    def get(self, machine: Machine, code: bytes) -> Compiled:
        """Return a module, compiled.

        Raises:
            ModuleRefused: it is none, or lacks something.
        """
        key = machine.name, hashlib.sha256(code).digest()
        found = self._compiled.get(key)
        if found is None:
            found = self._compiled[key] = self._make(machine, code, key[1])
            _bound(self._compiled)
        self._compiled.move_to_end(key)
        return found

    def of_job(self, machine: Machine, job: int, path: Path) -> Compiled:
        """Return the module in a file that is an input of a job: it is read once for all tasks.

        Raises:
            ModuleRefused: it is none, or lacks something.
        """
        key = machine.name, job, path
        found = self._of_jobs.get(key)
        if found is None:
            found = self._of_jobs[key] = self.get(machine, path.read_bytes())
            _bound(self._of_jobs)
        self._of_jobs.move_to_end(key)
        return found

    def _make(self, machine: Machine, code: bytes, digest: bytes) -> Compiled:
        _check_is_module(code)
        name = f"{digest.hex()}-{machine.name}"
        module = self._read(machine.engine, name) or self._compile(machine.engine, code, name)
        for one in module.imports:
            if one.module != WASI:
                raise ModuleRefused(
                    f"the module imports {one.module}.{one.name}, and nothing here has that; a "
                    f"module may import from {WASI} alone"
                )
        kind = _kind_of(module)
        try:
            linked = machine.linker.instantiate_pre(module)
        except WasmtimeError as error:
            raise ModuleRefused(f"the module cannot be linked: {one_line(error)}") from None
        return Compiled(linked, module, kind, digest)

    def _read(self, engine: Engine, name: str) -> Module | None:
        data = self._kept.read(name)
        if data is None:
            return None
        try:
            return Module.deserialize(engine, data)
        except WasmtimeError:
            return None  # of another wasmtime, or of a processor that has what this one lacks

    def _compile(self, engine: Engine, code: bytes, name: str) -> Module:
        started = time.perf_counter()
        try:
            module = Module(engine, code)
        except WasmtimeError as error:
            raise ModuleRefused(f"this is no WebAssembly module: {one_line(error)}") from None
        if time.perf_counter() - started >= KEPT_SECONDS:
            self._kept.write(name, bytes(module.serialize()))
        return module


def _bound(kept: OrderedDict[Any, Compiled]) -> None:
    """Let go of what was used longest ago, if there is too much."""
    if len(kept) > MOST_MODULES:
        kept.popitem(last=False)


def _check_is_module(code: bytes) -> None:
    if not code.startswith(MAGIC):
        raise ModuleRefused(
            f"this is no WebAssembly module: it begins with {code[:8]!r} and not with {MAGIC!r}; "
            "text (.wat) is to be compiled before"
        )
    if code[4:8] != MODULE_VERSION:
        raise ModuleRefused(
            f"this is no WebAssembly module of version 1 (it says {code[4:8]!r}); components "
            "cannot be run, only what they consist of"
        )


def _kind_of(module: Module) -> Kind:
    """Return how a module is run, by what it exports."""
    exports = {one.name: _type_text(one.type) for one in module.exports}
    if {"memory", "alloc", "run"} <= exports.keys():
        wanted = {"memory": "memory", "alloc": "(i32) -> i32", "run": "(i32, i32) -> i64"}
        for name, kind in wanted.items():
            if exports[name] != kind:
                raise ModuleRefused(
                    f"the module exports `{name}` as {exports[name]} and not as {kind}: {ABI}"
                )
        return "function"
    if exports.get("_start") == "() -> ()":
        return "command"
    names = ", ".join(f"`{name}`" for name in sorted(exports)) or "nothing"
    raise ModuleRefused(f"the module exports {names[:500]}: {ABI}")


def _type_text(kind: object) -> str:
    if isinstance(kind, MemoryType):
        return "memory"
    if not isinstance(kind, FuncType):
        return type(kind).__name__.removesuffix("Type").lower()
    parameters = ", ".join(map(str, kind.params))
    results = [str(one) for one in kind.results]
    result = results[0] if len(results) == 1 else f"({', '.join(results)})"
    return f"({parameters}) -> {result}"


def one_line(error: WasmtimeError | Trap) -> str:
    """Return what an error of wasmtime says, in one line."""
    return " ".join(str(error).split())
