"""An engine of wasmtime: how modules are compiled, what they find, and how they are stopped.

There is one for each pair of settings that change what is compiled. All modules of an engine share
its *epoch*, a number that compiled code looks at in each loop and function: once it has grown, what
runs is stopped. So one module runs at a time in an engine, which is all that an executor does.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from wasmtime import Config, Engine, Linker, Store

from .host import Host

TABLES, TABLE_ELEMENTS = 16, 1_000_000  # 8 bytes each, beside the module's memory


class Machine:
    """An engine.

    Args:
        deterministic: whether all that differs between computers is left out.
        fuel: whether executed instructions are counted.

    Attributes:
        name: tells engines apart whose compiled code differs.
    """

    def __init__(self, *, deterministic: bool, fuel: bool) -> None:
        self.name = f"{'same' if deterministic else 'fast'}-{'fuel' if fuel else 'free'}"
        self.engine = Engine(_config(deterministic=deterministic, fuel=fuel))
        self.linker = Linker(self.engine)
        self.linker.define_wasi()
        self.host = Host()
        if deterministic:
            self.host.define(self.linker)
        self._counts = fuel
        self._turn = threading.Lock()

    def store(self, memory: int, fuel: int) -> Store:
        """Return a new store, in which a module may have so many bytes and so much fuel."""
        store = Store(self.engine)
        store.set_limits(memory, TABLE_ELEMENTS, 1, TABLES, 1)
        store.set_epoch_deadline(1)
        if self._counts:
            store.set_fuel(fuel)
        return store

    @contextmanager
    def turn(self, seconds: float) -> Iterator[None]:
        """Be the one whose module runs; after some seconds, 0 for never, it is stopped."""
        with self._turn:
            if not seconds:
                yield
                return
            timer = threading.Timer(seconds, self.engine.increment_epoch)
            timer.daemon = True
            timer.start()
            try:
                yield
            finally:
                timer.cancel()
                timer.join()  # it would stop the next one


def _config(*, deterministic: bool, fuel: bool) -> Config:
    """Return the settings of an engine.

    Left out are threads, which a fresh instance for each task has no use for; memories beyond one
    and of 64 bits, which not every engine has; and relaxed SIMD, whose results are the processor's
    business. NaNs have one form.
    """
    config = Config()
    config.epoch_interruption = True
    config.consume_fuel = fuel
    config.cranelift_nan_canonicalization = deterministic
    config.wasm_relaxed_simd = not deterministic
    config.wasm_threads = False
    config.wasm_memory64 = False
    config.wasm_multi_memory = False
    return config
