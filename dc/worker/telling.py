"""The part of the worker's reactor that passes on what tasks tell of themselves.

Progress goes to the server at once. A checkpoint does, too, if it is small; a large one is put to
the server first, one at a time of each attempt: of those that come meanwhile, the last one waits.

Nobody acknowledges these. The last of each is sent again when the server has taken the worker in
anew, for as long as the attempt is held.
"""

from __future__ import annotations

from typing import TypeAlias

from dc import limits_worker as limits
from dc.messages_parts import Blob
from dc.messages_worker import Checkpoint, Progress
from dc.pipe import InFile, Saved
from dc.worker.board import Board
from dc.worker.events import CheckpointPut, PutCheckpoint, RemoveFile
from dc.worker.transfers import transfer_pause

Key: TypeAlias = tuple[int, int, int]
"""A job, a number and an attempt."""


class Telling:
    """Passes on progress and checkpoints. `board` is what the reactor's parts share."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._progress: dict[Key, Progress] = {}
        self._newest: dict[Key, Checkpoint] = {}
        self._putting: dict[Key, InFile] = {}
        self._waiting: dict[Key, Saved] = {}
        self._pauses: dict[Key, tuple[int, float]] = {}  # failures, and until when to wait

    def said(self, message: Progress | Saved) -> None:
        """Take what the task of an executor tells."""
        key = message.job, message.number, message.attempt
        if isinstance(message, Saved):
            self._drop_waiting(key)
            if self._board.is_held(*key):
                self._wait(key, message)
            elif isinstance(message.data, InFile):
                self._board.out.append(RemoveFile(message.data.path))
        elif self._board.is_held(*key):
            self._progress[key] = message
            self._board.send(message)

    # --- checkpoints ----------------------------------------------------------------------------

    def _wait(self, key: Key, saved: Saved) -> None:
        self._waiting[key] = saved
        if isinstance(saved.data, InFile):
            self._board.checkpoint_files.add(saved.data.path)
        self._go_on(key)

    def _drop_waiting(self, key: Key) -> None:
        saved = self._waiting.pop(key, None)
        if saved is not None and isinstance(saved.data, InFile):
            self._remove(saved.data)

    def _remove(self, file: InFile) -> None:
        self._board.checkpoint_files.discard(file.path)
        self._board.out.append(RemoveFile(file.path))

    def _go_on(self, key: Key) -> None:
        """Send or put the checkpoint that waits, if its turn has come."""
        saved = self._waiting.get(key)
        if saved is None or key in self._putting:
            return
        if isinstance(saved.data, bytes):
            del self._waiting[key]
            self._send(Checkpoint(*key, saved.data))
        elif self._board.can_send and self._pauses.get(key, (0, 0.0))[1] <= self._board.now:
            del self._waiting[key]
            self._putting[key] = saved.data
            self._board.out.append(PutCheckpoint(*key, saved.data))

    def _send(self, checkpoint: Checkpoint) -> None:
        self._newest[checkpoint.job, checkpoint.number, checkpoint.attempt] = checkpoint
        size = len(checkpoint.data) if isinstance(checkpoint.data, bytes) else 0
        self._board.send(checkpoint, size)

    def put(self, event: CheckpointPut) -> None:
        """Take how the putting of a checkpoint has ended."""
        key = event.job, event.number, event.attempt
        file = self._putting.pop(key, None)
        if file is None:
            return
        if not event.text:
            self._pauses.pop(key, None)
            self._send(Checkpoint(*key, Blob(file.digest, file.size)))
        elif key not in self._waiting and self._try_again(key, file, event):
            return
        self._remove(file)
        self._go_on(key)

    def _try_again(self, key: Key, file: InFile, event: CheckpointPut) -> bool:
        """Have a checkpoint put once more after a while, unless that hardly helps."""
        if not self._board.is_held(*key):
            return False
        failures = self._pauses.get(key, (0, 0.0))[0] + 1
        if event.refused and failures >= limits.TRANSFER_TRIES:
            job, number, _ = key
            self._board.say(f"a checkpoint of task {job}/{number} is given up: {event.text}")
            self._pauses.pop(key, None)
            return False
        self._pauses[key] = failures, self._board.now + transfer_pause(failures)
        self._waiting[key] = Saved(*key, file)
        return True

    # --- time, the connection -------------------------------------------------------------------

    def tick(self) -> None:
        """Go on with what waits, and forget what is not held any more."""
        for known in (self._progress, self._newest, self._waiting, self._pauses):
            for key in [one for one in known if not self._board.is_held(*one)]:
                self._drop_waiting(key)
                known.pop(key, None)
        for key in list(self._waiting):
            self._go_on(key)

    def begin(self) -> None:
        """Tell the server once more: it may have forgotten, or not heard."""
        self.tick()
        for message in (*self._progress.values(), *self._newest.values()):
            self._board.send(message)

    def let_go(self) -> None:
        """Forget all: it is of another server's tasks."""
        for key in list(self._waiting):
            self._drop_waiting(key)
        for file in self._putting.values():
            self._remove(file)
        for known in (self._progress, self._newest, self._putting, self._pauses):
            known.clear()

    def validate(self) -> None:
        """Check that the files that are to be kept are those that wait or are on their way."""
        files = [saved.data for saved in self._waiting.values()] + list(self._putting.values())
        paths = {file.path for file in files if isinstance(file, InFile)}
        assert paths == self._board.checkpoint_files, "files of checkpoints are not accounted for"
