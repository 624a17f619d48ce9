"""What a worker is to send, in order, and how much of it goes into one frame."""

from __future__ import annotations

from collections import deque
from typing import Final

from msgspec import Raw

from dc import limits
from dc.messages_parts import Message

MESSAGE_FIXED_BYTES: Final = 64
"""What a message without payloads counts for when a frame is filled."""


class Outbox:
    """Messages, each with about its bytes."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Message | Raw, int]] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, message: Message | Raw, size: int) -> None:
        """Take a message."""
        self._waiting.append((message, size))

    def clear(self) -> None:
        """Forget all: the connection is lost."""
        self._waiting.clear()

    def next_batch(self) -> list[Message | Raw]:
        """Take out what goes into one frame."""
        batch: list[Message | Raw] = []
        size = 0
        while self._waiting:
            message, more = self._waiting[0]
            if batch and size + more > limits.BATCH_BYTES:
                break
            self._waiting.popleft()
            batch.append(message)
            size += more + MESSAGE_FIXED_BYTES
        return batch
