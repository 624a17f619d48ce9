"""What is taken for a heartbeat without being decoded would be decoded as one."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from dc._frames import BINARY, FrameDecoder, encode_frame
from dc.errors import ProtocolError
from dc.messages import Codec, FromWorker, Heartbeat
from dc.server.parking import is_heartbeat


@given(st.binary(min_size=4, max_size=4), st.integers(0, 17), st.integers(0, 255))
def test_only_a_heartbeat_is_taken_for_one(mask: bytes, at: int, byte: int) -> None:
    whole = encode_frame(BINARY, Codec(FromWorker).encode([Heartbeat()]), mask)
    assert is_heartbeat(whole)
    assert not is_heartbeat(whole[:-1])
    assert not is_heartbeat(whole + b"\x00")
    changed = whole[:at] + bytes([byte]) + whole[at + 1 :]
    decoder = FrameDecoder(client=False, limit=1000)
    decoder.receive_data(changed)
    says: object = None
    with suppress(ProtocolError):
        event = decoder.next_event()
        says = Codec(FromWorker).decode(event[1]) if event and event[0] == BINARY else None
    whole_alone = says == [Heartbeat()] and decoder.at_rest
    assert is_heartbeat(changed) == whole_alone
