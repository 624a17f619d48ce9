"""A process that is to be an executor, started before it is known how: it imports its modules while
its agent imports its own.

It waits for what an executor otherwise has on its command line and in its environment, which comes
on its pipe (`Begin`), and is like any other from then on. Nothing here imports Trio: that would
take a slow computer as long as what is to be gained.
"""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Final, Self

from dc.errors import StartError
from dc.pipe import WAIT
from dc.pipe_frames import PAGE_BYTES

CHILD: Final = "dc.worker.child"
"""The module that executors run."""

SAFE_PATH: Final = "-P"
"""For Python: no module is imported from the folder in which it is started. Who begins as root must
not import what tasks, as another user, could have put there."""


class Prepared:
    """One such process. Leaving it as a context manager ends it, unless somebody has taken it.

    Attributes:
        process: it; its pipes are the three descriptors below.
        page: the memory that it shares, and `page_number` the number of its descriptor there.
        to: where it reads from.
        out: where its messages come from.
        errors: where its output comes from.
    """

    def __init__(self) -> None:
        self._is_taken = False
        with ExitStack() as opened:
            try:
                self._begin(opened)
            except OSError as error:
                raise StartError(f"cannot start an executor: {error}") from None
            self._opened = opened.pop_all()

    def _begin(self, opened: ExitStack) -> None:
        """Start it; what is kept of it is closed by `opened`."""
        with ExitStack() as given, tempfile.TemporaryFile() as file:
            file.truncate(PAGE_BYTES)
            self.page_number = file.fileno()
            self.page = opened.enter_context(mmap.mmap(file.fileno(), PAGE_BYTES))
            source, self.to = _pipe(given, opened)
            self.out, said = _pipe(opened, given)
            self.errors, wrote = _pipe(opened, given)
            self.process = subprocess.Popen(
                [sys.executable, SAFE_PATH, "-m", CHILD, WAIT],
                stdin=source,
                stdout=said,
                stderr=wrote,
                start_new_session=True,
                pass_fds=[self.page_number],
            )

    @classmethod
    def start(cls) -> Self | None:
        """Start one; return None where there is none: on Windows, or if the system will not."""
        if sys.platform == "win32":
            return None
        with suppress(StartError):
            return cls()
        return None

    def take(self) -> bool:
        """Take it over, for good; return whether that can be done: it is there, and nobody has."""
        if self._is_taken or self.process.poll() is not None:
            return False
        self._is_taken = True
        self._opened.pop_all()
        return True

    @property
    def pid(self) -> int:
        """The number of its process, as long as nobody has taken it; 0 from then on."""
        return 0 if self._is_taken else self.process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._is_taken:
            return
        self._is_taken = True
        self.process.kill()
        self.process.wait()
        self._opened.close()


def _pipe(reader: ExitStack, writer: ExitStack) -> tuple[int, int]:
    """Return the ends of a pipe: where it is read and where it is written, and who closes which."""
    source, sink = os.pipe()
    reader.callback(os.close, source)
    writer.callback(os.close, sink)
    return source, sink
