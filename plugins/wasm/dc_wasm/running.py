"""Running a module: a fresh instance for each task, and every end that it may come to."""

from __future__ import annotations

import ctypes
import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
from wasmtime import (
    ExitTrap,
    Func,
    Instance,
    Memory,
    Trap,
    TrapCode,
    WasiConfig,
    WasmtimeError,
)

import dc
from dc.requirements import bytes_text

from .calls import MODULE, SETTINGS, Settings
from .failures import WasmFailed
from .kept import Kept, own_folder
from .machine import Machine
from .modules import Compiled, Modules, one_line

TAIL_BYTES: Final = 2_000
"""Of what a command wrote to standard error, in the error of its task."""

CHUNK_BYTES: Final = 2**20
"""Of standard output that is passed on at a time."""

FULL: Final = -28
"""What a write gets that would be beyond the limit: ENOSPC."""


class Workshop:
    """What stays from task to task in an executor: engines, and modules compiled for them.

    Args:
        kept: compiled code in files.
    """

    def __init__(self, kept: Kept) -> None:
        self._modules = Modules(kept)
        self._machines: dict[tuple[bool, bool], Machine] = {}

    def run(self, code: bytes, data: bytes, settings: Settings, context: dc.Context) -> bytes:
        """Run a module, see `run`."""
        machine = self._machine(settings)
        compiled = self._modules.get(machine, code)
        with _begun(machine, compiled, data, settings, context) as run:
            if compiled.kind == "function":
                return run.function(data)
            output = _Output(settings.memory, machine.engine.increment_epoch)
            run.command(data, context.scratch, output)
            return output.data()

    def run_job(self, data: memoryview, context: dc.Context) -> Iterator[bytes]:
        """Run a job's module, see `run_job`."""
        settings = _settings_of(context)
        machine = self._machine(settings)
        compiled = self._modules.of_job(machine, context.job, _module_of(context))
        to = context.scratch / "stdout"
        with _begun(machine, compiled, data, settings, context) as run:
            if compiled.kind == "function":
                return iter([run.function(bytes(data))])
            run.command(data, context.scratch, to)
        return _pieces(to)

    def _machine(self, settings: Settings) -> Machine:
        key = settings.deterministic, bool(settings.fuel)
        if key not in self._machines:
            self._machines[key] = Machine(deterministic=key[0], fuel=key[1])
        return self._machines[key]


WORKSHOP: Final = Workshop(Kept(own_folder()))


def run(code: bytes, data: bytes, settings: Settings, context: dc.Context) -> bytes:
    """Run a module in a fresh instance.

    Args:
        code: the module, in its binary form.
        data: what its function is called with, or its standard input.
        settings: its limits.
        context: of the task.

    Raises:
        ModuleRefused: it is no module, or lacks something.
        WasmFailed: it came to no result.
    """
    return WORKSHOP.run(code, data, settings, context)


def run_job(data: memoryview, context: dc.Context) -> Iterator[bytes]:
    """Run the module that is the input `module` of a job, with the settings in its `settings`.

    Args:
        data: what its function is called with, or its standard input.
        context: of the task.

    Returns:
        The result, in pieces. Of a command it is as large as the disk allows.

    Raises:
        PayloadError: the job has no such input, or its settings are none.
        ModuleRefused: it is no module, or lacks something.
        WasmFailed: it came to no result.
    """
    return WORKSHOP.run_job(data, context)


@contextmanager
def _begun(
    machine: Machine,
    compiled: Compiled,
    data: bytes | memoryview,
    settings: Settings,
    context: dc.Context,
) -> Iterator[_Run]:
    """Begin a run of a module, which is stopped when its time is over or its task is to stop."""
    with machine.turn(settings.seconds):
        machine.host.begin(lambda: _seed(compiled, data, settings))
        run = _Run(machine, compiled, settings)
        context.on_stop(machine.engine.increment_epoch)
        try:
            yield run
        finally:
            run.close()


class _Run:
    """One run of a module, in a store of its own."""

    def __init__(self, machine: Machine, compiled: Compiled, settings: Settings) -> None:
        self._compiled = compiled
        self._settings = settings
        self._store = machine.store(settings.memory, settings.fuel)
        self._memory: Memory | None = None

    def function(self, data: bytes) -> bytes:
        """Call the function `run` with bytes that are put where `alloc` says."""
        try:
            if self._compiled.takes_wasi:
                self._store.set_wasi(_function_wasi())
            exports = self._instance().exports(self._store)
            memory, alloc, run = exports["memory"], exports["alloc"], exports["run"]
            assert isinstance(memory, Memory)
            assert isinstance(alloc, Func)
            assert isinstance(run, Func)
            self._memory = memory
            if self._compiled.initializes:
                exports["_initialize"](self._store)  # type: ignore[operator]
            at = alloc(self._store, len(data)) % 2**32
            self._put(memory, at, data)
            packed = run(self._store, at, len(data)) % 2**64
            return self._taken(memory, packed >> 32, packed % 2**32)
        except (Trap, WasmtimeError) as error:
            raise self._failure(error) from None

    def command(self, data: bytes | memoryview, folder: Path, output: _Output | Path) -> None:
        """Run a command: bytes are its standard input, and its standard output goes to `output`."""
        tail = _Tail()
        complaint = output.complaint if isinstance(output, _Output) else str
        try:
            self._store.set_wasi(self._command_wasi(data, folder / "stdin", output, tail))
            exports = self._instance().exports(self._store)
            memory, start = exports.get("memory"), exports["_start"]
            self._memory = memory if isinstance(memory, Memory) else None
            assert isinstance(start, Func)
            start(self._store)
        except ExitTrap as error:
            if error.code:
                raise WasmFailed(f"the command ended with code {error.code}{tail}") from None
        except (Trap, WasmtimeError) as error:
            raise self._failure(error, complaint()) from None

    def close(self) -> None:
        """Give back what it has."""
        self._store.close()

    def _instance(self) -> Instance:
        return self._compiled.instance_pre.instantiate(self._store)

    def _command_wasi(
        self, data: bytes | memoryview, stdin: Path, output: _Output | Path, tail: _Tail
    ) -> WasiConfig:
        stdin.write_bytes(data)
        wasi = WasiConfig()
        wasi.argv = ["module", *self._settings.args]
        wasi.stdin_file = stdin
        if isinstance(output, Path):
            wasi.stdout_file = str(output)
        else:
            wasi.stdout_custom = output.take
        wasi.stderr_custom = tail.take
        return wasi

    def _put(self, memory: Memory, at: int, data: bytes) -> None:
        size = memory.data_len(self._store)
        if at + len(data) > size:
            raise WasmFailed(
                f"alloc({len(data)}) returned {at}, beyond the {size} bytes of memory: there is no "
                "room for the input"
            )
        if data:
            ctypes.memmove(memory.get_buffer_ptr(self._store, len(data), at), data, len(data))

    def _taken(self, memory: Memory, at: int, count: int) -> bytes:
        size = memory.data_len(self._store)
        if at + count > size:
            raise WasmFailed(
                f"run returned {count} bytes at {at}, beyond the {size} bytes of memory: its "
                "result is to be pointer << 32 | length"
            )
        return bytes(memory.get_buffer_ptr(self._store, count, at)) if count else b""

    def _failure(self, error: Trap | WasmtimeError, why: str = "") -> WasmFailed:
        """Return what went wrong, in words; `why` says for what the module was stopped."""
        code = error.trap_code if isinstance(error, Trap) else None
        if code is TrapCode.INTERRUPT:
            seconds = self._settings.seconds
            text = why or f"it ran for longer than {seconds:g} s and was stopped"
        elif code is TrapCode.OUT_OF_FUEL:
            text = f"it has used up its fuel of {self._settings.fuel}"
        elif code is TrapCode.UNREACHABLE:
            text = "trap: unreachable code, in which panics and failed checks end"
        elif code is not None:
            text = f"trap: {code.name.lower().replace('_', ' ')}"
        else:
            text = one_line(error)
        failure = WasmFailed(f"the module failed: {text}{self._memory_text()}")
        failure.add_note(str(error))
        return failure

    def _memory_text(self) -> str:
        """Say how much memory the module had, where that may be the reason."""
        may = bytes_text(self._settings.memory)
        if self._memory is None:
            return f"; it may have {may} of memory"
        size = self._memory.data_len(self._store)
        if size * 2 < self._settings.memory:
            return ""
        return f"; it had {bytes_text(size)} of memory, and may have {may}"


class _Output:
    """What a command writes to standard output, up to a limit.

    Args:
        most: the limit in bytes.
        stop: stops the command, once it is beyond.
    """

    def __init__(self, most: int, stop: Callable[[], None]) -> None:
        self._pieces: list[bytes] = []
        self._left = most
        self._stop = stop
        self._text = f"it wrote more than {bytes_text(most)} to its standard output"

    def take(self, data: bytes) -> int:
        """Take a piece; return how much was taken, or an error below 0."""
        self._left -= len(data)
        if self._left < 0:
            self._stop()
            return FULL
        self._pieces.append(data)
        return len(data)

    def complaint(self) -> str:
        """Return what is wrong with it; nothing if nothing is."""
        return self._text if self._left < 0 else ""

    def data(self) -> bytes:
        """Return all of it.

        Raises:
            WasmFailed: there was more than the limit.
        """
        if self._left < 0:
            raise WasmFailed(f"the module failed: {self._text}")
        return b"".join(self._pieces)


class _Tail:
    """What a command writes to standard error: passed on, and its end kept."""

    def __init__(self) -> None:
        self._tail = b""

    def take(self, data: bytes) -> int:
        """Take a piece; return how much was taken."""
        self._tail = (self._tail + data)[-TAIL_BYTES:]
        sys.stderr.write(data.decode("utf-8", "replace"))
        return len(data)

    def __str__(self) -> str:
        text = self._tail.decode("utf-8", "replace").strip()
        return f": {text}" if text else ""


def _function_wasi() -> WasiConfig:
    """Return what a function finds that was built for WASI: it can say something, and no more."""
    wasi = WasiConfig()
    wasi.argv = ["module"]
    wasi.inherit_stdout()
    wasi.inherit_stderr()
    return wasi


def _module_of(context: dc.Context) -> Path:
    if MODULE not in context.inputs:
        raise dc.PayloadError(
            f"the job has no input {MODULE!r}: submit it with "
            'inputs={"module": Path("MODULE.wasm")}'
        )
    return context.inputs[MODULE].path


def _settings_of(context: dc.Context) -> Settings:
    if SETTINGS not in context.inputs:
        return Settings()
    try:
        return msgspec.json.decode(context.inputs[SETTINGS].read(), type=Settings)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise dc.PayloadError(f"the job's input {SETTINGS!r}: {error}") from None


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(CHUNK_BYTES):
            yield piece


def _seed(compiled: Compiled, data: bytes | memoryview, settings: Settings) -> bytes:
    """Return what random numbers come of: the module, its input and its arguments."""
    digest = hashlib.sha256(compiled.digest)
    digest.update(hashlib.sha256(data).digest())
    digest.update("\0".join(settings.args).encode())
    return digest.digest()
