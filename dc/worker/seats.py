"""The place of one executor process at its agent, and what is cleared away behind it."""

from __future__ import annotations

import math
import shutil
from contextlib import suppress
from pathlib import Path

import trio

from dc.executor import ExecutorPort
from dc.pipe import Run, ToExecutor
from dc.worker.events import ClearFolder
from dc.worker.guard import Watched


class Seat:
    """What one executor process is to get, and its end of the line."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[ToExecutor](math.inf)
        self._port: ExecutorPort | None = None
        self._killed = False
        self._unsent = 0
        self._last: Run | None = None

    def take(self, port: ExecutorPort) -> None:
        """Seat the process; it may have been killed before it was there."""
        self._port = port
        if self._killed:
            port.kill()

    def kill(self) -> None:
        """Kill the process, now or as soon as it is there."""
        self._killed = True
        if self._port is not None:
            self._port.kill()

    def feed(self, message: ToExecutor) -> None:
        """Send it a batch, or a halt, at once if that can be done."""
        if isinstance(message, Run):
            self._last = message
        if not self._unsent and self._port is not None and self._port.send_now(message):
            return
        self._unsent += 1
        self._send.send_nowait(message)

    def watched(self, index: int) -> Watched | None:
        """Return what is to be watched of it; None if it was given nothing yet."""
        port, run = self._port, self._last
        if port is None or run is None:
            return None
        folders = [Path(run.scratch), *([] if port.folder is None else [port.folder])]
        return Watched(index, port, run.limits, folders)

    async def keep_feeding(self, port: ExecutorPort) -> None:
        """Send it what is queued."""
        async for message in self._receive:
            await port.send(message)
            self._unsent -= 1


def clear_folder(action: ClearFolder) -> None:
    """Remove all that is in a folder but what is to be kept, and the folder if that is nothing."""
    folder, keep = Path(action.path), set(action.keep)
    for entry in list(folder.iterdir()):
        if str(entry) in keep:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            with suppress(OSError):
                entry.unlink()
    with suppress(OSError):  # what is kept is still in it
        folder.rmdir()
