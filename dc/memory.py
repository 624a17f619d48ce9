"""Memory that is free goes back to the operating system.

glibc keeps what was freed, in an arena for each thread that ever needed one, so after a burst of
work a process that holds little looks large. `malloc_trim` gives back whole pages.
"""

from __future__ import annotations

import ctypes
import gc
import sys


def give_back() -> None:
    """Collect garbage and give free pages back, where the C library has a way; some milliseconds.

    Call it when there is nothing else to do.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
