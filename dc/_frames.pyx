"""The WebSocket codec: bytes in, messages out, and back, and no IO at all.

The file is written in Cython's pure Python syntax. Compiled, it is the module `dc._frames`; loaded
as plain Python it does the same, more slowly, which is how the tests run it a second time. Only the
leaves that move bytes have two faces, chosen by `cython.compiled`. C integers wrap around and
Python's do not, so every integer is checked where it enters: at the public functions.

Theory of operation (RFC 6455)
------------------------------
A WebSocket carries frames: a head of 2 to 14 bytes, then up to 2**63 - 1 bytes of payload. A
message is one data frame (text, binary), or a data frame without FIN and then continuation frames,
the last with FIN. Control frames (close, ping, pong) are short, never fragmented, and may stand
between the fragments of a message. What a client sends is masked: XORed with a key of four bytes.

Encoding is one function: it makes the bytes object of the final size, writes the head, and copies
the payload behind it, eight bytes at a time through the mask. There is no randomness here; the
caller brings the mask key.

`FrameDecoder` takes bytes with `receive_data` and gives events with `next_event`. It is two small
machines, one inside the other:

1. The frame machine. It is either inside a head or inside a payload. A head is read byte by byte
   into integers, so a head that is cut anywhere needs no special path and no buffer. Each byte is
   judged as it is read, hence whether a stream is refused, and why, does not depend on its cuts.
   From a payload it takes whatever the chunk at hand has, unmasked, as a new bytes object.
2. The message machine. It joins the fragments and answers with an event when a message or a
   control frame is whole. A frame that lies wholly in one chunk and is a whole message, which is
   nearly every frame, becomes the event's payload as it is, copied once.

Then there are three ends, and none is ever left again: `failed` (the peer broke a rule: the same
ProtocolError is raised each time), `closed` (a close frame came: what follows is dropped unread, as
the RFC asks), and the end of the stream without a close frame, which is a failure with code 1006.

Cost. Chunks are never joined: the decoder keeps a position in the chunk it reads, so a thousand
small frames in one chunk cost no copying of its tail. Chunks given before the last was used up wait
in a list that is joined once. A message in pieces goes to a bytearray, which grows in proportion;
each byte is moved a bounded number of times.

Memory. A length is held against the limit as soon as the head is whole, together with the fragments
before it, so a peer cannot announce its way into memory, nor send one byte beyond the limit into
it. While a message is gathered it takes at most the limit and an eighth (the bytearray's slack);
for the moment of handing it over, its copy as bytes as well; beside that there is the chunk that
was received last. An idle decoder holds no chunk.
"""

from __future__ import annotations

import cython

from dc.errors import ProtocolError

if cython.compiled:
    from cython.cimports.cpython.bytes import PyBytes_AS_STRING, PyBytes_FromStringAndSize
    from cython.cimports.libc.string import memcpy

CONTINUATION = 0x0
TEXT = 0x1
BINARY = 0x2
CLOSE = 0x8
PING = 0x9
PONG = 0xA

# Close codes (RFC 6455, section 7.4.1) that the codec itself deals in.
CLOSE_NORMAL = 1000
CLOSE_PROTOCOL = 1002
CLOSE_NO_CODE = 1005  # never on the wire: the close frame had no code
CLOSE_ABNORMAL = 1006  # never on the wire: the stream ended without a close frame
CLOSE_BAD_TEXT = 1007
CLOSE_TOO_BIG = 1009

_CONTROL_BYTES = 125  # of a control frame's payload, at most (RFC 6455, section 5.5)
_REASON_BYTES = _CONTROL_BYTES - 2
_LIMIT_MOST = 2**31 - 1  # bytes; one bytes object may be so large on every platform

# The same numbers as C integers, for the hot path.
_text = cython.declare(cython.int, 0x1)
_close = cython.declare(cython.int, 0x8)
_first_control = cython.declare(cython.int, 0x8)


@cython.cfunc
@cython.exceptval(check=False)
def _turned(key: cython.uint, by: cython.int) -> cython.uint:
    """Return the mask key for a payload that starts `by` bytes (0 to 3) later."""
    if by == 0:
        return key
    return ((key >> (8 * by)) | (key << (32 - 8 * by))) & 0xFFFFFFFF


@cython.cfunc
@cython.exceptval(check=False)
def _xor(
    to: cython.p_uchar, source: cython.p_uchar, size: cython.Py_ssize_t, key: cython.uint
) -> cython.void:
    """Copy `size` bytes through the mask; compiled only.

    memcpy stands for an unaligned load or store: the C compiler makes one instruction of it. The
    mask goes through memory as bytes, so the byte order of the machine plays no part.
    """
    i: cython.Py_ssize_t = 0
    mask = cython.declare(cython.uchar[8])
    wide: cython.ulonglong = 0
    word: cython.ulonglong = 0
    for i in range(8):
        mask[i] = cython.cast(cython.uchar, (key >> (8 * (i & 3))) & 0xFF)
    memcpy(cython.address(wide), cython.address(mask[0]), 8)
    i = 0
    while i + 8 <= size:
        memcpy(cython.address(word), source + i, 8)
        word ^= wide
        memcpy(to + i, cython.address(word), 8)
        i += 8
    while i < size:
        to[i] = source[i] ^ mask[i & 7]
        i += 1


@cython.cfunc
def _joined(
    head: cython.p_uchar,
    head_size: cython.Py_ssize_t,
    source: bytes,
    start: cython.Py_ssize_t,
    size: cython.Py_ssize_t,
    key: cython.uint,
) -> bytes:
    """Return the head, and behind it source[start : start + size] through the mask `key`.

    The callers see to 0 <= start and start + size <= len(source). Byte i of the mask key is in bits
    8 * i and up; the key 0 changes nothing.
    """
    if cython.compiled:
        joined: bytes = PyBytes_FromStringAndSize(cython.NULL, head_size + size)
        to: cython.p_uchar = cython.cast(cython.p_uchar, PyBytes_AS_STRING(joined))
        from_: cython.p_uchar = cython.cast(cython.p_uchar, PyBytes_AS_STRING(source)) + start
        if head_size:
            memcpy(to, head, head_size)
        if key:
            _xor(to + head_size, from_, size, key)
        else:
            memcpy(to + head_size, from_, size)
        return joined
    else:  # noqa: RET505 - the compiler drops the branch that is not its own, as a whole
        body = source[start : start + size]
        if key:
            mask = (key.to_bytes(4, "little") * (size // 4 + 1))[:size]
            body = (int.from_bytes(body, "little") ^ int.from_bytes(mask, "little")).to_bytes(
                size, "little"
            )
        return bytes([head[i] for i in range(head_size)]) + body


@cython.cfunc
def _bytes_of(data: object) -> bytes:
    """Return what came through a door as bytes; copies only what is not bytes already."""
    if type(data) is bytes:
        return data
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"bytes, bytearray or memoryview is needed, not {type(data).__name__}")
    return bytes(data)


@cython.cfunc
@cython.exceptval(0, check=True)
@cython.boundscheck(False)  # the key has four bytes
@cython.wraparound(False)
def _key_of(mask: object) -> cython.uint:
    """Return a caller's mask key of four bytes as an integer, its first byte lowest."""
    key = _bytes_of(mask)
    if len(key) != 4:
        raise ValueError(f"a mask key has 4 bytes, not {len(key)}")
    a: cython.uint = key[0]
    b: cython.uint = key[1]
    c: cython.uint = key[2]
    d: cython.uint = key[3]
    return a | (b << 8) | (c << 16) | (d << 24)


def encode_frame(
    opcode: int,
    payload: bytes | bytearray | memoryview,
    mask: bytes | None = None,
    fin: bool = True,
) -> bytes:
    """Return one frame.

    Args:
        opcode: CONTINUATION, TEXT, BINARY, CLOSE, PING or PONG.
        payload: the frame's content; of a control frame 125 bytes at most. Text must be UTF-8.
        mask: four random bytes when a client sends, None when a server does.
        fin: whether this frame ends its message.

    Raises:
        ValueError: the arguments make no frame that RFC 6455 allows.
        TypeError: the payload or mask is not bytes.
    """
    if opcode not in (BINARY, TEXT, CONTINUATION, CLOSE, PING, PONG):
        raise ValueError(f"there is no opcode {opcode}")
    kind: cython.int = opcode
    body: bytes = _bytes_of(payload)
    size: cython.Py_ssize_t = len(body)
    if kind >= _first_control and (size > 125 or not fin):
        raise ValueError("a control frame has 125 bytes at most and is never fragmented")
    head = cython.declare(cython.uchar[14])
    key: cython.uint = 0
    at: cython.int = 2
    i: cython.int
    head[0] = (0x80 if fin else 0) | kind
    if size <= 125:
        head[1] = size
    else:
        head[1] = 126 if size <= 0xFFFF else 127
        at = 4 if size <= 0xFFFF else 10
        for i in range(2, at):
            head[i] = (cython.cast(cython.ulonglong, size) >> (8 * (at - 1 - i))) & 0xFF
    if mask is not None:
        key = _key_of(mask)
        head[1] |= 0x80
        for i in range(4):
            head[at + i] = (key >> (8 * i)) & 0xFF
        at += 4
    return _joined(head, at, body, 0, size, key)


def encode_close(code: int, reason: str = "", mask: bytes | None = None) -> bytes:
    """Return a close frame.

    Args:
        code: a close code that may stand on the wire (RFC 6455, section 7.4).
        reason: for the peer's log; cut at a character's boundary to the 123 bytes that fit.
        mask: four random bytes when a client sends, None when a server does.

    Raises:
        ValueError: the code may not stand on the wire.
    """
    if not _may_be_sent(code):
        raise ValueError(f"the close code {code} may not be sent")
    text = reason.encode("utf-8", "replace")[:_REASON_BYTES].decode("utf-8", "ignore")
    return encode_frame(CLOSE, code.to_bytes(2, "big") + text.encode(), mask)


def _may_be_sent(code: int) -> bool:
    """Say whether a close code may stand in a close frame (RFC 6455, 7.4.2, and IANA's table)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


@cython.cfunc
def _decoded(text: bytes) -> object:
    """Return text as a string, or None if it is not UTF-8."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return None


@cython.final
@cython.cclass
class FrameDecoder:
    """Bytes of one side of a WebSocket in, whole messages and control frames out.

    Args:
        client: whether the decoder sits at the client; it then refuses masked frames, which it
            requires at the server.
        limit: bytes of one message, over all its fragments, at most; 1 to 2**31 - 1.

    Attributes:
        closed: whether the peer's close frame was given out. What comes later is dropped.
        close_code: the code of that frame; 1005 when it had none; 0 before.
        close_reason: the reason of that frame; empty before, or when it had none.

    Raises:
        ValueError: the limit is out of its range.
    """

    closed = cython.declare(cython.bint, visibility="readonly")
    close_code = cython.declare(cython.int, visibility="readonly")
    close_reason = cython.declare(str, visibility="readonly")

    _client: cython.bint
    _limit: cython.longlong

    # Input: the chunk that is being read, the position in it, and chunks given too early.
    _chunk: bytes
    _at: cython.Py_ssize_t
    _later: list
    _eof: cython.bint

    # The frame machine. It is inside a head while _head_at < _head_size, else inside a payload.
    _head_at: cython.int  # bytes of the head read
    _head_size: cython.int  # bytes of the head, as far as they are known
    _key_at: cython.int  # where the length ends, and the mask key, if any, begins
    _fin: cython.bint
    _opcode: cython.int
    _key: cython.uint
    _length: cython.longlong  # bytes of the frame's payload
    _got: cython.longlong  # of them, taken from chunks

    # The message machine.
    _message: cython.int  # the opcode of the unfinished message, 0 when there is none
    _size: cython.longlong  # the lengths of its frames, as announced
    _body: bytearray  # what has come of it
    _control: bytes  # what has come of an unfinished control frame

    # The end.
    _failure: str | None
    _failure_code: cython.int

    def __init__(self, *, client: bool, limit: int) -> None:
        if not 1 <= limit <= _LIMIT_MOST:
            raise ValueError(f"a limit is 1 to {_LIMIT_MOST} bytes, not {limit}")
        self._client = client
        self._limit = limit
        self._eof = False
        self.closed = False
        self.close_code = 0
        self.close_reason = ""
        self._failure = None
        self._failure_code = 0
        self._forget()

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes of the stream; call next_event until it has no more.

        Args:
            data: any number of bytes, cut anywhere. It is not kept if it may change later.

        Raises:
            ValueError: receive_eof was called before.
            TypeError: the data is not bytes.
        """
        chunk: bytes = _bytes_of(data)
        if self._eof:
            raise ValueError("no data can follow the end of the stream")
        if self.closed or self._failure is not None:
            return
        if self._at == len(self._chunk) and not self._later:
            self._chunk = chunk
            self._at = 0
        else:
            self._later.append(chunk)

    @property
    def at_rest(self) -> bool:
        """Whether all that was received has been given out, to the last byte of a message."""
        given: cython.bint = self._at == len(self._chunk) and not self._later
        return given and self._head_at == 0 and self._message == 0 and self._failure is None

    def receive_eof(self) -> None:
        """Take note that the stream has ended; next_event raises if a close frame is missing."""
        self._eof = True

    def next_event(self) -> tuple[int, bytes] | None:
        """Return the next whole message or control frame, or None when more data is needed.

        An event is the opcode, TEXT, BINARY, PING, PONG or CLOSE, and the payload. After a CLOSE
        event (see close_code and close_reason) there is nothing but None.

        Raises:
            ProtocolError: the peer broke RFC 6455 or the limit, or its stream ended without a close
                frame (close code 1006). Every later call raises the same.
        """
        event: object
        if self.closed:
            return None
        if self._failure is not None:
            raise ProtocolError(self._failure, close_code=self._failure_code)
        while self._more():
            if self._head_at < self._head_size and not self._read_head():
                continue
            event = self._read_payload()
            if event is not None:
                return event
        if self._eof:
            self._fail("the stream ended without a close frame", CLOSE_ABNORMAL)
        return None

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def _more(self) -> cython.bint:
        """Say whether there is a byte to read; go on to the chunks that came early, or let go."""
        if self._at < len(self._chunk):
            return True
        if self._later:
            self._chunk = b"".join(self._later)
            self._later = []
            self._at = 0
            return self._more()
        self._chunk = b""
        self._at = 0
        return False

    # --- the frame machine ----------------------------------------------------------------------

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    @cython.boundscheck(False)  # at < end <= len(chunk), and at is never negative
    @cython.wraparound(False)
    def _read_head(self) -> cython.bint:
        """Take bytes of the head; say whether it is whole."""
        chunk: bytes = self._chunk
        at: cython.Py_ssize_t = self._at
        end: cython.Py_ssize_t = len(chunk)
        byte: cython.uint
        while self._head_at < self._head_size and at < end:
            byte = cython.cast(cython.uchar, chunk[at])
            at += 1
            if self._head_at == 0:
                self._read_first(byte)
            elif self._head_at == 1:
                self._read_second(byte)
            elif self._head_at < self._key_at:
                self._read_length(byte)
            else:
                self._key |= byte << (8 * (self._head_at - self._key_at))
            self._head_at += 1
        self._at = at
        if self._head_at < self._head_size:
            return False
        self._begin_payload()
        return True

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def _read_first(self, byte: cython.uint) -> cython.bint:
        """Take FIN, the reserved bits and the opcode."""
        opcode: cython.int = byte & 0x0F
        if byte & 0x70:
            self._fail("a reserved bit of a frame is set", CLOSE_PROTOCOL)
        if 3 <= opcode <= 7 or opcode > 10:
            self._fail(f"a frame has the reserved opcode {opcode}", CLOSE_PROTOCOL)
        self._fin = (byte & 0x80) != 0
        self._opcode = opcode
        if opcode >= _first_control:
            if not self._fin:
                self._fail("a control frame is fragmented", CLOSE_PROTOCOL)
        elif opcode == 0:
            if self._message == 0:
                self._fail("a continuation frame continues nothing", CLOSE_PROTOCOL)
        elif self._message != 0:
            self._fail("a new message begins inside an unfinished one", CLOSE_PROTOCOL)
        else:
            self._message = opcode
        return True

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def _read_second(self, byte: cython.uint) -> cython.bint:
        """Take MASK and the short length; they say how long the head is."""
        masked: cython.bint = (byte & 0x80) != 0
        short: cython.int = byte & 0x7F
        if masked == self._client:
            said = "masked" if masked else "not masked"
            sender = "server" if self._client else "client"
            self._fail(f"a frame from the {sender} is {said}", CLOSE_PROTOCOL)
        if self._opcode >= _first_control and short > 125:
            self._fail("a control frame has more than 125 bytes", CLOSE_PROTOCOL)
        self._key_at = 2
        if short <= 125:
            self._length = short
        else:
            self._key_at = 4 if short == 126 else 10
        self._head_size = self._key_at + (4 if masked else 0)
        return True

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def _read_length(self, byte: cython.uint) -> cython.bint:
        """Take a byte of the long length; its top bit is refused, so 63 bits always hold it."""
        if self._head_at == 2 and self._key_at == 10 and byte & 0x80:
            self._fail("the top bit of a frame's length is set", CLOSE_PROTOCOL)
        self._length = (self._length << 8) | byte
        return True

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def _begin_payload(self) -> cython.bint:
        """Judge the length, now that it is known, before a byte of the payload is kept."""
        shortest: cython.int = 0 if self._key_at == 2 else 126 if self._key_at == 4 else 65536
        if self._length < shortest:
            self._fail("a frame's length is not in its shortest form", CLOSE_PROTOCOL)
        self._got = 0
        if self._opcode < _first_control:
            if self._length > self._limit - self._size:
                self._fail(f"a message has more than {self._limit} bytes", CLOSE_TOO_BIG)
            self._size += self._length
        return True

    @cython.cfunc
    def _read_payload(self) -> object:
        """Take what the chunk has of the payload; return an event if one is whole now."""
        size: cython.Py_ssize_t = len(self._chunk) - self._at
        if size > self._length - self._got:
            size = self._length - self._got
        key: cython.uint = _turned(self._key, self._got & 3)
        piece: bytes = _joined(cython.NULL, 0, self._chunk, self._at, size, key)
        self._at += size
        self._got += size
        if self._got == self._length:
            return self._end_frame(piece)
        if self._opcode >= _first_control:
            self._control += piece
        else:
            self._body += piece
        return None

    # --- the message machine --------------------------------------------------------------------

    @cython.cfunc
    def _end_frame(self, piece: bytes) -> object:
        """Take the last piece of a frame; return the event that it completes, if any."""
        self._begin_head()
        if self._opcode >= _first_control:
            if self._control:
                piece = self._control + piece
                self._control = b""
            return self._end_control(piece)
        if not self._fin or self._body:
            self._body += piece
            if not self._fin:
                return None
            piece = bytes(self._body)
            self._body = bytearray()
        opcode: cython.int = self._message
        self._message = 0
        self._size = 0
        if opcode == _text and _decoded(piece) is None:
            self._fail("a text message is not UTF-8", CLOSE_BAD_TEXT)
        return (opcode, piece)

    @cython.cfunc
    def _end_control(self, payload: bytes) -> object:
        """Return a control frame's event; a close frame ends the decoder."""
        if self._opcode == _close:
            self._take_close(payload)
        return (self._opcode, payload)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def _take_close(self, payload: bytes) -> cython.bint:
        """Parse a close frame's payload: nothing, or a code and a reason."""
        code = CLOSE_NO_CODE
        reason = ""
        if len(payload) == 1:
            self._fail("a close frame has half a code", CLOSE_PROTOCOL)
        if payload:
            code = int.from_bytes(payload[:2], "big")
            if not _may_be_sent(code):
                self._fail(f"a close frame has the forbidden code {code}", CLOSE_PROTOCOL)
            reason = _decoded(payload[2:])
            if reason is None:
                self._fail("the reason of a close frame is not UTF-8", CLOSE_BAD_TEXT)
        self._forget()
        self.closed = True
        self.close_code = code
        self.close_reason = reason
        return True

    # --- ends -----------------------------------------------------------------------------------

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def _begin_head(self) -> cython.bint:
        """Make the frame machine wait for the next head."""
        self._head_at = 0
        self._head_size = 2
        self._key_at = 2
        self._key = 0
        self._length = 0
        self._got = 0
        return True

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def _forget(self) -> cython.bint:
        """Drop all input and everything unfinished."""
        self._chunk = b""
        self._at = 0
        self._later = []
        self._message = 0
        self._size = 0
        self._body = bytearray()
        self._control = b""
        self._fin = True
        self._begin_head()
        return True

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def _fail(self, text: str, close_code: cython.int) -> cython.bint:
        """Raise the error, now and at every later call of next_event."""
        self._forget()
        self._failure = text
        self._failure_code = close_code
        raise ProtocolError(text, close_code=close_code)
