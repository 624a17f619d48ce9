"""What a task tells of itself while it runs: its progress, and checkpoints.

A message goes out when the last one of its kind is NOTE_SECONDS old. What comes sooner only takes
the place of what waits, which costs a task next to nothing; the executor's watcher sends it when
its time has come. When a task fails, a checkpoint that waits is sent before its outcome. One that
cannot be written to its file is lost, which the task learns when it saves, or saves the next time.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from pathlib import Path

from dc import limits, limits_executor
from dc.messages_parts import Message
from dc.messages_worker import Progress
from dc.pipe import Saved
from dc.worker.files import into_file


class Notes:
    """Of one attempt. `dc.Context` hands on to it.

    Args:
        desk: sends them.
        key: the job, number and attempt.
        folder: where a large checkpoint is written to.

    Attributes:
        progressed: the progress that has not gone.
        saved: the checkpoint that has not gone.
        error: why the last checkpoint was lost, if the task does not know that yet.
        watched: whether the watcher looks after what has not gone: it is set back before the
            watcher looks, and asked here after something has come, so nothing is left lying.
    """

    def __init__(self, desk: Desk, key: tuple[int, int, int], folder: Path) -> None:
        self._desk = desk
        self._key = key
        self._folder = folder
        self._files = 0
        self.progressed: tuple[float, str] | None = None
        self.saved: bytes | None = None
        self.error: OSError | None = None
        self.watched = False
        self._pause = 0.0
        self.progress_at = self.save_at = -math.inf

    def progress(self, fraction: float, text: str) -> None:
        """Tell how far the task is."""
        self.progressed = fraction, text
        if not self.watched:
            self._desk.call(self)

    def save(self, data: bytes) -> None:
        """Have the next attempt begin with this.

        Raises:
            OSError: this one, or the one before, cannot be written to its file.
        """
        error, self.error = self.error, None
        if error is not None:
            raise error
        self.saved = data
        if not self.watched:
            self._desk.call(self)

    def due(self, now: float) -> list[Message]:
        """Take out what may go by now.

        Raises:
            OSError: a checkpoint cannot be written to its file. It is forgotten.
        """
        found: list[Message] = []
        if self.progressed is not None and now - self.progress_at >= limits_executor.NOTE_SECONDS:
            self.progress_at = now
            found.append(self._progress())
        if self.saved is not None and now - self.save_at >= self._pause:
            self.save_at = now
            large = len(self.saved) > limits.INLINE_BYTES
            self._pause = (
                limits_executor.CHECKPOINT_FILE_SECONDS if large else limits_executor.NOTE_SECONDS
            )
            found.append(self.checkpoint())
        return found

    def _progress(self) -> Progress:
        assert self.progressed is not None
        (fraction, text), self.progressed = self.progressed, None
        text = text[: limits.TEXT_CHARS].encode("utf-8", "backslashreplace").decode()
        return Progress(*self._key, fraction, text[: limits.TEXT_CHARS])

    def checkpoint(self) -> Saved:
        """Take out the checkpoint; raises as `due`."""
        assert self.saved is not None
        data, self.saved = self.saved, None
        if len(data) <= limits.INLINE_BYTES:
            return Saved(*self._key, data)
        self._files += 1
        job, number, attempt = self._key
        name = f"checkpoint-{job}-{number}-{attempt}-{self._files}"
        return Saved(*self._key, into_file(self._folder / name, data))

    @property
    def waits(self) -> bool:
        """Whether there is something that has not gone."""
        return self.progressed is not None or self.saved is not None


class Desk:
    """Sends the notes of the task that runs, as often as it may.

    Args:
        send: writes a message to the agent, whole.
        wake: has `look` called soon, and until it returns None.
        clock: the time in seconds.
        after: called in the task when what it told is handed over; may raise.
    """

    def __init__(
        self,
        send: Callable[[Message], None],
        wake: Callable[[], None],
        clock: Callable[[], float] = time.perf_counter,
        after: Callable[[], object] = int,
    ) -> None:
        self._send = send
        self._wake = wake
        self._clock = clock
        self._after = after
        self._lock = threading.Lock()
        self._open: Notes | None = None

    @property
    def is_open(self) -> bool:
        """Whether the task that runs has told anything."""
        return self._open is not None

    def notes(self, key: tuple[int, int, int], folder: Path) -> Notes:
        """Return the notes of an attempt that begins."""
        return Notes(self, key, folder)

    def call(self, notes: Notes) -> None:
        """Send what notes have, now or later."""
        self.hand_over(notes)
        self._after()

    def hand_over(self, notes: Notes) -> None:
        """Send what is due, in the thread of the task, which is not halted in here."""
        with self._lock:
            self._open = notes
            for message in notes.due(self._clock()):
                self._send(message)
            notes.watched = notes.waits
        if notes.watched:
            self._wake()

    def look(self) -> float | None:
        """Send what is due; return the seconds until the next look, None if nothing waits."""
        if self._open is None:
            return None
        with self._lock:
            if (notes := self._open) is None:
                return None
            notes.watched = False
            self._send_due(notes)
            notes.watched = notes.waits
            return limits_executor.NOTE_SECONDS / 4 if notes.watched else None

    def _send_due(self, notes: Notes) -> None:
        try:
            due = notes.due(self._clock())
        except OSError as error:
            notes.error = error
            return
        for message in due:
            self._send(message)

    def close(self, *, failed: bool) -> None:
        """Take note that the task has ended; its last checkpoint goes if it has `failed`."""
        if self._open is None:
            return
        with self._lock:
            notes, self._open = self._open, None
            if failed and notes is not None and notes.saved is not None:
                try:
                    checkpoint = notes.checkpoint()
                except OSError:  # the task's own failure matters more
                    return
                self._send(checkpoint)
