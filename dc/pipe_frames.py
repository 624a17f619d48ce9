"""Frames on the pipe between a worker's agent and its executors: a length, then a message.

Beside the pipe they share a page of memory, whose first 8 bytes name the task that runs. In the
next 8 the agent counts the bytes that it has read of the executor's output.
"""

from __future__ import annotations

from typing import Final

import msgspec

from dc import limits_executor as limits
from dc.errors import ProtocolError
from dc.messages_parts import Message
from dc.pipe import FromExecutor

HEAD_BYTES: Final = 4
PAGE_BYTES: Final = 16
RUNNING: Final = slice(0, 8)
READ: Final = slice(8, 16)


def task_mark(job: int, number: int) -> int:
    """Return what stands for a task on the shared page, never 0: that is none."""
    return (job << 32 | number) + 1


def marked_task(mark: int) -> tuple[int, int] | None:
    """Return the job and the number of a task from its mark."""
    return divmod(mark - 1, 1 << 32) if mark else None


def encode_frame(message: Message) -> bytes:
    """Return a message as one frame."""
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(HEAD_BYTES, "big") + body


def body_size(head: bytes | bytearray) -> int:
    """Return the size in bytes of the message behind the head of a frame.

    Raises:
        ProtocolError: it is above the limit of a message.
    """
    size = int.from_bytes(head, "big")
    if size > limits.PIPE_BYTES:
        raise ProtocolError(f"a frame of {size} bytes on the pipe, {limits.PIPE_BYTES} at most")
    return size


class FrameReader:
    """Cuts what comes from an executor into messages. Bytes go in as they come."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._decoder: msgspec.msgpack.Decoder[FromExecutor] = msgspec.msgpack.Decoder(FromExecutor)

    def feed(self, data: bytes | bytearray) -> None:
        """Take further bytes."""
        self._buffer += data

    def next_message(self) -> FromExecutor | None:
        """Return the next message, or None until more bytes have come.

        Raises:
            ProtocolError: the bytes are no frame, or no message of an executor.
        """
        if len(self._buffer) < HEAD_BYTES:
            return None
        end = HEAD_BYTES + body_size(self._buffer[:HEAD_BYTES])
        if len(self._buffer) < end:
            return None
        with memoryview(self._buffer) as view:
            body = bytes(view[HEAD_BYTES:end])
        del self._buffer[:end]
        try:
            return self._decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProtocolError(f"no message of an executor: {error}") from None
