"""Ctrl-C while a program loads its modules, which takes seconds on a slow computer.

By itself Python would tell in many lines where it was just then; where that is a callback it would
tell so as well and go on, and the Ctrl-C would be lost. So programs call `ends_at_once` before they
import anything else, and `is_raised` when they have done so.
"""

from __future__ import annotations

import signal


def ends_at_once() -> None:
    """Have Ctrl-C end this process, as if it had no handler; not where it is ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def is_raised() -> None:
    """Have Ctrl-C raise KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
