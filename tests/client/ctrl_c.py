"""Ctrl-C at a command that runs in the main thread, pressed from another thread.

A signal to the whole process may be taken by a thread that was being made just then. Python's
handler then waits for the main thread to run again, which it does not while it waits for a lock.
"""

from __future__ import annotations

import signal
import threading


def press_ctrl_c() -> None:
    """Send SIGINT to the main thread."""
    ident = threading.main_thread().ident
    assert ident is not None
    signal.pthread_kill(ident, signal.SIGINT)
