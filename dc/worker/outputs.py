"""The part of the worker's reactor that has what tasks write: which task's it is, and on its way.

What an executor writes is gathered until its mark comes, which says whose it was; then the whole,
as far as it is kept, goes to the server, before the outcome. While a task runs for long, what is
new goes each second. All together may go at OUTPUT_RATE_BYTES: what is beyond is left out.

Nobody acknowledges output. What could not be sent while the server was away is sent when it is
back, as far as it is kept; what is lost on the way is lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TypeAlias

from msgspec import structs

from dc import limits_executor as limits
from dc.captured import Captured
from dc.messages_parts import Blob
from dc.messages_worker import Output
from dc.pipe import NOBODY, Wrote
from dc.worker.board import Board
from dc.worker.slots import Current

Key: TypeAlias = tuple[int, int, int]
"""A job, a number and an attempt."""


class Tape:
    """What an executor has written since its last mark.

    Attributes:
        captured: of it, what is kept.
        sent: up to where the server has it.
        skipped: whether something in between was not sent for now.
        sent_at: when something of it was last sent.
    """

    def __init__(self) -> None:
        self.captured = Captured()
        self.again()

    def again(self) -> None:
        """Send all of it again: the server may not have it."""
        self.sent = 0
        self.skipped = False
        self.sent_at = 0.0

    def live(self, key: Key) -> Output:
        """Return a message with what is new, or with the latest of it if that is much."""
        start, data = next(self.captured.pieces(self.sent))
        if len(data) > limits.OUTPUT_CHUNK_BYTES:
            if start < len(self.captured.head):
                data = data[: limits.OUTPUT_CHUNK_BYTES]
            else:
                start += len(data) - limits.OUTPUT_CHUNK_BYTES
                data = data[-limits.OUTPUT_CHUNK_BYTES :]
        self.skipped = self.skipped or start > self.sent
        self.sent = start + len(data)
        return Output(*key, start, data, self.captured.total)

    def rest(self, key: Key) -> list[Output]:
        """Return messages with all that is kept and the server does not have; the last ends it."""
        total = self.captured.total
        start = min(self.sent, len(self.captured.head)) if self.skipped else self.sent
        pieces = list(self.captured.pieces(start)) or [(total, b"")]
        last = len(pieces) - 1
        return [
            Output(*key, begin, data, total, at == last) for at, (begin, data) in enumerate(pieces)
        ]


class Outputs:
    """Takes what executors write, and sends it on. `board` is what the reactor's parts share."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._tapes: dict[int, Tape] = {}
        self._unsent: deque[Output] = deque()
        self._unsent_bytes = 0
        self._room = 4.0 * limits.OUTPUT_RATE_BYTES
        self._room_at = 0.0
        self._said_at = -limits.OUTPUT_SECONDS

    def wrote(self, index: int, wrote: Wrote, whole: Blob | None = None) -> None:
        """Take what the executor of a slot has written; the `whole` of a task's is at its end."""
        tape = self._tapes.get(index)
        if tape is None:
            tape = self._tapes[index] = Tape()
        tape.captured.add(tape.captured.total, wrote.data)
        if wrote.owner is not None:
            self._end(index, wrote.owner, whole)

    def died(self, index: int, current: Current | None, whole: Blob | None = None) -> None:
        """Take the last words of an executor, and of the task that it ran, if that is certain."""
        if index in self._tapes:
            key = NOBODY
            if current is not None:
                key = current.job.number, current.number, current.attempt
            self._end(index, key, whole)

    def _end(self, index: int, key: Key, whole: Blob | None) -> None:
        tape = self._tapes.pop(index)
        if not tape.captured.total:
            return
        if key == NOBODY:
            self._say(index, tape.captured)
        elif self._board.is_held(*key):
            *messages, last = tape.rest(key)
            for message in messages:
                self._send(message)
            self._send(last if whole is None else structs.replace(last, whole=whole))

    def _say(self, index: int, captured: Captured) -> None:
        """Write to the log what no task has written, not too often."""
        if self._board.now - self._said_at >= limits.OUTPUT_SECONDS:
            self._said_at = self._board.now
            text = captured.last(limits.OUTPUT_LOG_BYTES).strip()
            self._board.say(f"executor {index} wrote outside of its tasks: {text}")

    # --- sending --------------------------------------------------------------------------------

    def tick(self, running: Iterable[tuple[int, Current]]) -> None:
        """Send what is new of tasks that run for long."""
        if not self._tapes or not self._board.can_send:
            return
        now = self._board.now
        for index, current in running:
            tape = self._tapes.get(index)
            if tape is None or tape.captured.total <= tape.sent or not current.is_live:
                continue
            if now - max(current.since, tape.sent_at) >= limits.OUTPUT_SECONDS:
                tape.sent_at = now
                self._send(tape.live((current.job.number, current.number, current.attempt)))

    def begin(self) -> None:
        """Send what has waited for the server: it has taken the worker in."""
        for tape in self._tapes.values():
            tape.again()
        unsent, self._unsent, self._unsent_bytes = self._unsent, deque(), 0
        for message in unsent:
            if self._board.is_held(message.job, message.number, message.attempt):
                self._send(message)

    def let_go(self) -> None:
        """Forget what waits: it is for another server."""
        self._unsent.clear()
        self._unsent_bytes = 0

    def _send(self, message: Output) -> None:
        size = limits.OUTPUT_MESSAGE_BYTES + len(message.data)
        if not self._board.can_send:
            self._keep(message, size)
        elif message.whole is not None or self._fits(size):
            self._board.send(message, size)

    def _keep(self, message: Output, size: int) -> None:
        self._unsent.append(message)
        self._unsent_bytes += size
        while self._unsent_bytes > limits.OUTPUT_UNSENT_BYTES:
            gone = self._unsent.popleft()
            self._unsent_bytes -= limits.OUTPUT_MESSAGE_BYTES + len(gone.data)

    def _fits(self, size: int) -> bool:
        """Whether so many bytes may go now; they are counted if so."""
        rate, now = limits.OUTPUT_RATE_BYTES, self._board.now
        self._room = min(4.0 * rate, self._room + (now - self._room_at) * rate)
        self._room_at = now
        if size > self._room:
            return False
        self._room -= size
        return True

    def validate(self) -> None:
        """Check that what is kept is bounded."""
        kept = sum(len(one.data) + limits.OUTPUT_MESSAGE_BYTES for one in self._unsent)
        assert kept == self._unsent_bytes <= limits.OUTPUT_UNSENT_BYTES
        most = limits.OUTPUT_HEAD_BYTES + limits.OUTPUT_TAIL_BYTES
        assert all(len(tape.captured) <= most for tape in self._tapes.values())
