"""What a task leaves behind in its executor: noticed before the next task runs.

Theory of operation
-------------------
To look at everything after each task would cost as much as ten short tasks. So two things work
together:

- *Noticing* costs nothing until something is done. Python tells a hook of what it audits: processes
  that are started, another working folder, a variable that is set. A few functions that it does not
  audit are replaced by ones that note their use. Each only says that a look is due.
- A *look* compares with how things were when the executor was ready. It takes some 10 us, and is
  due after what was noticed, after a task that was not short, and at the end of a batch.

What is found is a reason to replace the executor, so nothing has to be put back. Two things are
put right instead: children that have ended are reaped, and files in the working folder removed.

Threads of foreign code (the pools of numeric libraries) are not looked at: they stay on purpose and
hold nothing of a task.
"""

from __future__ import annotations

import _thread
import contextlib
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from dc.process_tree import all_processes, below, has_children, reap
from dc.removal import clear_folder

AUDITED: Final = frozenset(
    {
        "os.chdir",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.putenv",
        "os.spawn",
        "os.startfile",
        "os.system",
        "os.unsetenv",
        "pty.spawn",
        "subprocess.Popen",
    }
)
REPLACED: Final = (
    (_thread, "start_new_thread"),
    (os, "closerange"),
    (os, "umask"),
    (signal, "signal"),
    (threading.Thread, "start"),
)
"""What Python does not audit in every version that dc runs on."""

_STANDARD: Final = 0, 1, 2


class Traces:
    """Of tasks, in this process.

    Args:
        folder: the working folder of the executor, in which nothing is to stay; None for none.

    Attributes:
        noticed: whether a look is due.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.noticed = False
        self._folder = folder
        self._set_umask = os.umask
        self._umask = 0
        self._children: set[int] = set()
        self._state: list[object] = []
        self._threads = 0
        self._entries = 0

    def watch(self) -> None:
        """Take how things are now for how they are to be, and notice from now on.

        To be called once the executor is ready. A process does this once: it cannot be undone.
        """
        self._umask = self._set_umask(0o77)
        self._set_umask(self._umask)
        self._children = self._alive()
        self._entries = self._folder_time()
        self.accept()
        sys.addaudithook(self._on_audit)
        for place, name in REPLACED:
            setattr(place, name, self._noticing(getattr(place, name)))

    def accept(self) -> None:
        """Take how things are now for how they are to be, processes and files apart."""
        self._state = self._present()
        self._threads = _thread._count()
        self.noticed = False

    def _on_audit(self, event: str, _: object) -> None:
        if event in AUDITED:
            self.noticed = True

    def _noticing(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            self.noticed = True
            return function(*args, **kwargs)

        return call

    def look(self) -> str:
        """Return what was left behind, in words; an empty text for nothing."""
        self.noticed, noticed = False, self.noticed
        found = [what for what, now, was in self._compared(full=noticed) if now != was]
        found += ["threads"] if _thread._count() > self._threads else []
        found += self._processes_left(noticed=noticed)
        if self._folder is not None and self._folder_time() != self._entries:
            self._empty_folder()
        return ", ".join(found)

    def _compared(self, *, full: bool) -> list[tuple[str, object, object]]:
        """Return what there is by name, now and before; cheap things alone if not `full`."""
        names = ["another working folder", "other standard descriptors", "other standard streams"]
        names += ["other signal handlers", "another environment", "another umask"]
        now = self._present(full=full)
        return list(zip(names, now, self._state, strict=False))

    def _present(self, *, full: bool = True) -> list[object]:
        state: list[object] = [_folder_id(), _descriptors(), (sys.stdin, sys.stdout, sys.stderr)]
        if full:
            state += [_handlers(), dict(os.environ), self._mask()]
        return state

    def _mask(self) -> int:
        mask = self._set_umask(self._umask)
        self._set_umask(mask)
        return mask

    def _processes_left(self, *, noticed: bool) -> list[str]:
        """Look for processes; only after something was noticed, where each look has to search."""
        searches = bool(self._children) or not hasattr(os, "waitid")
        if sys.platform == "win32" or (searches and not noticed) or not has_children():
            return []
        reap()
        left = self._alive() - self._children
        return [f"{len(left)} processes" if len(left) > 1 else "a process"] if left else []

    def _alive(self) -> set[int]:
        if sys.platform == "win32" or not has_children():
            return set()
        return {one.pid for one in below(os.getpid(), all_processes()) if one.is_alive}

    def _folder_time(self) -> int:
        if self._folder is None:
            return 0
        with contextlib.suppress(OSError):
            return self._folder.stat().st_mtime_ns
        return -1

    def _empty_folder(self) -> None:
        assert self._folder is not None
        clear_folder(self._folder)
        self._entries = self._folder_time()


def _folder_id() -> object:
    """Return what tells the working folder from others; it may be gone."""
    try:
        found = Path().stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _descriptors() -> object:
    """Return what tells apart where the standard descriptors lead."""
    found: list[object] = []
    for number in _STANDARD:
        try:
            one = os.fstat(number)
        except OSError:
            found.append(None)
        else:
            found.append((one.st_dev, one.st_ino))
    return found


def _handlers() -> list[object]:
    return [signal.getsignal(number) for number in signal.valid_signals()]
