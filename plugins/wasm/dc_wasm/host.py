"""The clock and the random numbers that a module finds: the same ones on every computer.

They take the place of those of WASI. Time stands still, but for a step at each look, so that a
loop which waits for it ends; it begins with 1970. Random numbers come of the module and its input:
they are good enough to sample with, and no secret. There is no waiting: time would have to pass.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from typing import Final

from wasmtime import Caller, FuncType, Linker, Memory, ValType

WASI: Final = "wasi_snapshot_preview1"
STEP_NS: Final = 1_000_000
"""By which the clock goes on at each look, and its resolution: a millisecond."""

CHUNK_BYTES: Final = 65_536
"""Of random numbers that are made at a time: a module may ask for as many as it has memory."""

SUCCESS, BAD_DESCRIPTOR, FAULT, NO_SYSTEM_CALL = 0, 8, 21, 52  # errors as WASI numbers them
STREAM: Final = 2
"""The kind of a file that is a stream of characters."""


class Host:
    """What stands behind the imports of the module that runs; one runs at a time."""

    def __init__(self) -> None:
        self._now = 0
        self._seed: Callable[[], bytes] = bytes
        self._known = b""
        self._count = 0

    def begin(self, seed: Callable[[], bytes]) -> None:
        """Begin anew, for another run.

        Args:
            seed: makes what random numbers come of; asked only if there are any.
        """
        self._now = 0
        self._seed = seed
        self._known = b""
        self._count = 0

    def define(self, linker: Linker) -> None:
        """Put these imports in the place of those of WASI."""
        i32, i64 = ValType.i32(), ValType.i64()
        linker.allow_shadowing = True
        for name, parameters, function in (
            ("clock_time_get", [i32, i64, i32], self._clock_time_get),
            ("clock_res_get", [i32, i32], self._clock_res_get),
            ("random_get", [i32, i32], self._random_get),
            ("fd_filestat_get", [i32, i32], self._fd_filestat_get),
            ("poll_oneoff", [i32, i32, i32, i32], self._poll_oneoff),
        ):
            kind = FuncType(parameters, [i32])
            linker.define_func(WASI, name, kind, function, access_caller=True)

    def _clock_time_get(self, caller: Caller, _clock: int, _precision: int, at: int) -> int:
        self._now += STEP_NS
        return _put(caller, at, self._now.to_bytes(8, "little"))

    def _clock_res_get(self, caller: Caller, _clock: int, at: int) -> int:
        return _put(caller, at, STEP_NS.to_bytes(8, "little"))

    def _random_get(self, caller: Caller, at: int, size: int) -> int:
        at, size = at % 2**32, size % 2**32
        for first in range(0, size, CHUNK_BYTES):
            data = self._random(min(CHUNK_BYTES, size - first))
            if error := _put(caller, at + first, data):
                return error
        return SUCCESS

    def _random(self, size: int) -> bytes:
        self._known = self._known or self._seed()
        self._count += 1
        return hashlib.shake_256(self._known + self._count.to_bytes(8, "little")).digest(size)

    def _fd_filestat_get(self, caller: Caller, descriptor: int, at: int) -> int:
        """Tell of a standard stream that it is one: files have times and numbers, here and there.

        What is told are the device, the number, the kind, the links, the size, and three times.
        """
        if not 0 <= descriptor <= 2:
            return BAD_DESCRIPTOR
        return _put(caller, at, struct.pack("<QQBxxxxxxxQQQQQ", 0, 0, STREAM, 1, 0, 0, 0, 0))

    def _poll_oneoff(self, _caller: Caller, _in: int, _out: int, _count: int, _events: int) -> int:
        return NO_SYSTEM_CALL


def _put(caller: Caller, at: int, data: bytes) -> int:
    """Write to the module's memory; return an error as WASI has it."""
    memory = caller.get("memory")
    at %= 2**32
    if not isinstance(memory, Memory) or at + len(data) > memory.data_len(caller):
        return FAULT
    memory.write(caller, data, at)
    return SUCCESS
