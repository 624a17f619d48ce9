"""The body of a request as lines, each a value of JSON: so many as there are, in bounded memory."""

from __future__ import annotations

from dc import limits_shown
from dc.http import Request
from dc.server.problems import BadRequest


class JsonLines:
    """Reads the lines of a body.

    Args:
        request: whose body has not been read.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._rest = bytearray()  # of a line that has not come whole
        self._ended = False

    async def some(self) -> list[bytes]:
        """Return the next lines, as they come; none at the end. Empty ones are left out.

        Raises:
            BadRequest: one is too long.
            ProtocolError: the body is malformed, broken off, or comes too slowly.
            ConnectionLost: the connection broke.
        """
        while not self._ended:
            piece = await self._request.next_piece()
            self._ended = not piece
            lines = self._cut(piece)
            if lines:
                return lines
        return []

    def _cut(self, piece: bytes) -> list[bytes]:
        """Return the lines that are whole with a piece; with an empty one, what is left."""
        whole, _, rest = piece.rpartition(b"\n") if b"\n" in piece else (b"", b"", piece)
        lines: list[bytes] = []
        if len(rest) < len(piece) or not piece:
            lines = (bytes(self._rest) + whole).split(b"\n")
            self._rest.clear()
        self._rest += rest
        if max(len(self._rest), *map(len, lines), 0) > limits_shown.LINE_BYTES:
            text = f"a line above {limits_shown.LINE_BYTES} bytes: put large payloads to /blobs"
            raise BadRequest("too_large", f"{text}, and name them")
        return [line for line in lines if line.strip()]
