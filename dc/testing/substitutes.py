"""What a simulation puts in the place of all that a seed does not decide.

For the time of a run: Trio's order of tasks, every source of randomness, threads, the garbage
collector (which would run `__del__` methods at moments of its own), and what gives memory back.
"""

from __future__ import annotations

import gc
import logging
import os
import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import trio
import trio._core._run as trio_run

from dc import memory
from dc.client import trio_client
from dc.errors import NoWorkerWarning


@contextmanager
def substituted(seed: int) -> Iterator[None]:
    """Let nothing but the seed decide what happens in this block.

    Args:
        seed: of the order of tasks, and of all randomness.
    """
    bytes_of = random.Random(f"bytes {seed}")
    before = random.getstate()
    with ExitStack() as stack:
        replace = stack.enter_context
        # Trio's own switch, which it has for Hypothesis: tasks in the order of their birth, then
        # shuffled by its generator.
        replace(mock.patch.object(trio_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True))
        replace(mock.patch.object(trio_run, "_r", random.Random(f"order {seed}")))
        replace(mock.patch.object(trio.to_thread, "run_sync", run_here))
        replace(mock.patch.object(os, "urandom", bytes_of.randbytes))
        replace(mock.patch.object(random, "_urandom", bytes_of.randbytes))  # what `secrets` reads
        replace(mock.patch.object(memory, "give_back", _nothing))
        replace(mock.patch.object(trio_client, "monotonic", trio.current_time))
        replace(_no_garbage_collection())
        replace(_silence())
        stack.callback(random.setstate, before)
        random.seed(f"jitter {seed}")
        yield


async def run_here(function: Callable[..., Any], *arguments: Any, **_: Any) -> Any:
    """Stand in for trio.to_thread.run_sync: a MockClock does not wait for threads."""
    await trio.lowlevel.checkpoint()
    return function(*arguments)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@contextmanager
def _silence() -> Iterator[None]:
    log = logging.getLogger("dc")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NoWorkerWarning)
            yield
    finally:
        log.setLevel(level)


def _nothing() -> None:
    """Do nothing."""
