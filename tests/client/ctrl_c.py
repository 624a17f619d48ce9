"""Ctrl-C at a command that runs in the main thread, pressed from another thread.

A signal to the whole process may be taken by a thread that was being made just then. Python's
handler then waits for the main thread to run again, which it does not while it waits for a lock; so
the signal goes to the main thread. There it may still be lost: Python drops what is raised while it
collects garbage or ends a weak reference. A person presses again then, and so does this.
"""

from __future__ import annotations

import signal
import threading
from typing import Final, Self

AGAIN_SECONDS: Final = 5.0
"""After which it is pressed again: a command that has noticed has long ended by then."""

TIMES: Final = 10


class CtrlC:
    """Ctrl-C while this is entered, as often as it takes."""

    def __init__(self) -> None:
        self._noticed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._noticed.set()

    def press(self) -> None:
        """Interrupt the main thread, now and until this is left."""
        threading.Thread(target=self._press, daemon=True).start()

    def _press(self) -> None:
        ident = threading.main_thread().ident
        assert ident is not None
        for _ in range(TIMES):
            signal.pthread_kill(ident, signal.SIGINT)
            if self._noticed.wait(AGAIN_SECONDS):
                return
