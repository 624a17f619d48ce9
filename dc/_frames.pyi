"""What dc/_frames.pyx offers. The words about each name are beside its code."""

from typing import final

CONTINUATION: int
TEXT: int
BINARY: int
CLOSE: int
PING: int
PONG: int

CLOSE_NORMAL: int
CLOSE_PROTOCOL: int
CLOSE_NO_CODE: int
CLOSE_ABNORMAL: int
CLOSE_BAD_TEXT: int
CLOSE_TOO_BIG: int

def encode_frame(
    opcode: int,
    payload: bytes | bytearray | memoryview,
    mask: bytes | None = None,
    fin: bool = True,
) -> bytes: ...
def encode_close(code: int, reason: str = "", mask: bytes | None = None) -> bytes: ...

@final
class FrameDecoder:
    @property
    def closed(self) -> bool: ...
    @property
    def close_code(self) -> int: ...
    @property
    def close_reason(self) -> str: ...
    @property
    def at_rest(self) -> bool: ...
    def __init__(self, *, client: bool, limit: int) -> None: ...
    def receive_data(self, data: bytes | bytearray | memoryview) -> None: ...
    def receive_eof(self) -> None: ...
    def next_event(self) -> tuple[int, bytes] | None: ...
