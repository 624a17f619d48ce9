"""Memory that is free goes back to the operating system.

glibc keeps what was freed: in an arena for each thread that ever needed one, and in a heap that
large blocks leave full of holes. So after a burst of work a process that holds little looks large,
and grows for a while with each burst. `keep_little` has it use one arena and map large blocks by
themselves, so that each goes back when it is freed; `give_back` returns what is free in the heap.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from typing import Any

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of glibc's malloc.h

LARGE_BYTES = 64 * 1024
"""A block from here on is mapped by itself: batches of payloads are, single payloads are not."""


def keep_little() -> None:
    """Have memory that is freed go back soon. Call it once, before there are threads."""
    mallopt = _of_glibc("mallopt")
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(M_TRIM_THRESHOLD, LARGE_BYTES)


def give_back() -> None:
    """Collect garbage and give free pages back, where the C library has a way; some milliseconds.

    Call it when there is nothing else to do.
    """
    gc.collect()
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _of_glibc(name: str) -> Any:
    """Return a function of the C library, or None where it has none of this name."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
