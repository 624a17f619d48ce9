"""Somebody else's WebSocket client at a real server: what RFC 6455 asks for, and the wire by hand.

Nothing here is made by dc but the server and a worker: the `websockets` package speaks to /socket,
and messages are literal MessagePack arrays.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from dc import limits
from tests.system.by_hand import (
    DC_V1,
    HELLO,
    SECONDS,
    Hand,
    close_code,
    frame,
    opened,
    pack,
    raw,
    unpack,
)
from tests.system.processes import Server

# --- the opening handshake ------------------------------------------------------------------------


def test_the_handshake(server: Server) -> None:
    with opened(server, subprotocols=[Subprotocol("chat"), DC_V1]) as link:
        assert link.response is not None
        assert link.response.status_code == 101
        assert link.subprotocol == "dc.v1"
        assert link.response.headers["Sec-WebSocket-Protocol"] == "dc.v1"
        assert "Sec-WebSocket-Extensions" not in link.response.headers


def test_compression_is_not_agreed_upon(server: Server) -> None:
    with opened(server, compression="deflate") as link:
        assert link.protocol.extensions == []
        Hand(link).say(HELLO)
        assert Hand(link).hear("welcome")[1] == 1


@pytest.mark.parametrize("protocols", [None, [Subprotocol("chat")], [Subprotocol("dc.v2")]])
def test_a_wrong_subprotocol(protocols: list[Subprotocol] | None, server: Server) -> None:
    with pytest.raises(InvalidStatus) as caught, opened(server, subprotocols=protocols):
        pass
    assert caught.value.response.status_code == 400
    assert b"dc.v1" in bytes(caught.value.response.body or b"")


def test_another_site(server: Server) -> None:
    with pytest.raises(InvalidStatus) as caught, opened(server, origin="http://evil.example"):
        pass
    assert caught.value.response.status_code == 403
    with opened(server, origin=server.address):
        pass


@pytest.mark.parametrize("version", ["8", "14", None])
def test_a_wrong_version(version: str | None, server: Server) -> None:
    peer, head = raw(server, Sec_WebSocket_Version=version)
    peer.close()
    assert head.startswith(b"http/1.1 426 ")
    assert b"\r\nsec-websocket-version: 13\r\n" in head


@pytest.mark.parametrize("key", [None, "short", ""])
def test_a_missing_key(key: str | None, server: Server) -> None:
    peer, head = raw(server, Sec_WebSocket_Key=key)
    peer.close()
    assert head.startswith(b"http/1.1 400 ")


def test_the_accept_key(server: Server) -> None:
    peer, head = raw(server, Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==")
    peer.close()
    assert head.startswith(b"http/1.1 101 ")
    assert b"\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n" in head


# --- frames ---------------------------------------------------------------------------------------


def test_a_ping_is_answered(server: Server) -> None:
    with opened(server) as link:
        assert link.ping(b"are you there").wait(SECONDS)
        Hand(link).say(HELLO)
        assert link.ping(b"").wait(SECONDS)


def test_a_fragmented_message(server: Server) -> None:
    data = pack([HELLO])
    with opened(server) as link:
        link.send(data[at : at + 3] for at in range(0, len(data), 3))
        assert Hand(link).hear("welcome")[1] == 1


def test_a_ping_between_fragments(server: Server) -> None:
    data = pack([HELLO])

    def pieces(link: Any) -> Iterator[bytes]:
        yield data[:4]
        # The lock that `send` holds over its fragments also holds up `ping`.
        link.protocol.send_ping(b"between")
        yield data[4:]

    with opened(server) as link:
        link.send(pieces(link))
        assert Hand(link).hear("welcome")[1] == 1


def test_a_text_message(server: Server) -> None:
    with opened(server) as link:
        link.send("hello")
        assert Hand(link).closed()[0] == 1003


def test_a_message_that_is_too_large(server: Server) -> None:
    with opened(server) as link:
        with suppress(ConnectionClosed):  # the server does not read it all
            link.send(bytes(limits.MESSAGE_BYTES + 1))
        assert Hand(link).closed()[0] == 1009


def test_fragments_that_are_too_large_together(server: Server) -> None:
    piece = bytes(limits.MESSAGE_BYTES // 4)
    with opened(server) as link:
        with pytest.raises(ConnectionClosed):
            link.send(piece for _ in range(1000))
        assert Hand(link).closed()[0] == 1009


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        pack({}),
        pack([{"hello": 1}]),
        pack([["hallo"]]),
        pack([["hello", 1, "client"]]),
        pack([["hello", "1", "client", "by hand", [], None]]),
        pack([["welcome", 1, "I am the server", []]]),
        pack([HELLO])[:-1],
        pack([HELLO]) + b"x",
    ],
)
def test_bad_messagepack(data: bytes, server: Server) -> None:
    with opened(server) as link:
        link.send(data)
        refused = Hand(link).hear("refused")
        assert refused[1:3] == [-1, "protocol"]
        assert refused[3]
        code, reason = Hand(link).closed()
        assert (code, reason) == (1007, "protocol")


def test_the_close_handshake(server: Server) -> None:
    with opened(server) as link:
        hand = Hand(link)
        hand.say(HELLO)
        hand.hear("welcome")
        link.close(1000, "enough")
        assert link.protocol.close_rcvd is not None
        assert link.protocol.close_rcvd.code == 1000
        assert link.protocol.close_rcvd_then_sent is False


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(2, pack([HELLO]), mask=b""), 1002),  # not masked
        (frame(3, b""), 1002),  # an opcode that is not there
        (frame(2, b"x", bits=0xC0), 1002),  # a reserved bit
        (frame(0, b"x"), 1002),  # goes on with nothing
        (frame(9, b"x", bits=0), 1002),  # a fragmented ping
        (frame(8, b"\x03"), 1002),  # half a close code
        (frame(8, struct.pack(">H", 1005)), 1002),  # a code that is never sent
        (frame(8, struct.pack(">H", 1000) + b"\xff"), 1007),  # a reason that is no UTF-8
        (frame(2, b"x", bits=0) + frame(2, b"y"), 1002),  # two messages in one another
        (frame(8, struct.pack(">H", 1000)), 1000),
        (frame(8, struct.pack(">H", 4321) + b"mine"), 4321),
    ],
)
def test_what_breaks_the_rules(data: bytes, code: int, server: Server) -> None:
    peer, head = raw(server)
    assert head.startswith(b"http/1.1 101 ")
    peer.sendall(data)
    assert close_code(peer) == code


# --- the wire by hand -----------------------------------------------------------------------------


def test_a_whole_submission(server: Server) -> None:
    with opened(server) as link:
        hand = Hand(link)
        hand.say(HELLO)
        _, version, software, capabilities, *_ = hand.hear("welcome")
        assert version == 1
        assert software.startswith("dc ")
        assert all(isinstance(one, str) for one in capabilities)

        hand.say(
            ["submit", 7, "square", "", {"name": "by hand", "priority": 3}],
            ["payloads", 7, 0, [pack(2), pack(3)]],
            ["payloads", 7, 2, [pack(13)]],
            ["endofjob", 7],
        )
        accepted = hand.hear("accepted")
        job = accepted[2]
        assert accepted == ["accepted", 7, job, "square", "1", "msgpack", "msgpack", 0, False, ""]
        stored = hand.hear("stored")
        while not stored[3]:
            assert stored[:2] == ["stored", 7]
            stored = hand.hear("stored")
        assert stored == ["stored", 7, 3, True]

        hand.say(["subscribe", 8, job, True, 0])
        seen: dict[int, Any] = {}
        while len(seen) < 3:
            _, request, cursor, worker, at, size, *columns = hand.hear("finished")
            assert (request, worker) == (8, "one")
            assert at > 1.6e9
            numbers, attempts, times, outcomes = columns
            assert len(numbers) == len(attempts) == len(times) == len(outcomes)
            seen.update(zip(numbers, outcomes, strict=True))
            assert cursor == max(seen) + 1
            hand.say(["consumed", 8, size])
        assert hand.hear("endofresults") == ["endofresults", 8]
        assert [unpack(seen[number]) for number in (0, 1)] == [4, 9]
        name, kind, error, traceback = seen[2]
        assert (name, kind) == ("failure", "error")
        assert "thirteen is not squared" in error
        assert "Traceback" in traceback

        hand.say(["watch", 9, job])
        status = hand.hear("status")
        counts = ["counts", 3, 0, 0, 0, 2, 1, 0]
        assert status[:5] == ["status", 9, job, "failed", counts]
        assert status[5:9] == ["square", "1", "msgpack", "msgpack"]
        hand.say(["cancel", 10, job])
        assert hand.hear("status")[:4] == ["status", 10, job, "failed"]


def test_a_submission_is_gone_on_with_by_hand(server: Server) -> None:
    submit = ["submit", 1, "square", "", {}, f"by hand {os.getpid()}"]
    with opened(server) as link:
        hand = Hand(link)
        hand.say(HELLO, submit, ["payloads", 1, 0, [pack(2), pack(3)]])
        hand.hear("welcome")
        job = hand.hear("accepted")[2]
        assert hand.hear("stored") == ["stored", 1, 2, False]
    with opened(server) as link:
        hand = Hand(link)
        hand.say(HELLO, [*submit, True])
        hand.hear("welcome")
        types = ["square", "1", "msgpack", "msgpack"]
        assert hand.hear("accepted") == ["accepted", 1, job, *types, 2, False, ""]
        assert hand.hear("stored") == ["stored", 1, 2, False]
        hand.say(["payloads", 1, 2, [pack(4)]], ["endofjob", 1])
        while hand.hear("stored") != ["stored", 1, 3, True]:
            pass
    with opened(server) as link:  # the results, from somewhere else, by the job's number
        hand = Hand(link)
        hand.say(HELLO, ["subscribe", 1, job, True])
        hand.hear("welcome")
        seen: list[bytes] = []
        while len(seen) < 3:
            seen += hand.hear("finished")[-1]
        assert [unpack(one) for one in seen] == [4, 9, 16]


def test_a_key_of_another_submission(server: Server) -> None:
    key = f"of another {os.getpid()}"
    with opened(server) as link:
        hand = Hand(link)
        hand.say(HELLO, ["submit", 1, "square", "", {}, key], ["endofjob", 1])
        hand.say(["submit", 2, "wait_for", "", {}, key, True], ["endofjob", 2])
        heard = [hand.hear_any() for _ in range(4)]
        assert sorted(one[0] for one in heard) == ["accepted", "refused", "stored", "welcome"]
        (refused,) = (one for one in heard if one[0] == "refused")
        assert refused[1:3] == [2, "key_conflict"]


def test_a_job_is_cancelled_by_hand(server: Server, tmp_path: Path) -> None:
    with opened(server) as link:
        hand = Hand(link)
        hand.say(HELLO, ["submit", 1, "wait_for", "1", {}])
        hand.hear("welcome")
        job = hand.hear("accepted")[2]
        never = pack(str(tmp_path / f"never-{os.getpid()}"))
        hand.say(["payloads", 1, 0, [never] * 3], ["subscribe", 2, job, False, 0])
        assert hand.hear("stored") == ["stored", 1, 3, False]
        hand.say(["endofjob", 1])
        assert hand.hear("stored") == ["stored", 1, 3, True]
        hand.say(["cancel", 3, job])
        heard = sorted([hand.hear_any(), hand.hear_any()])
        assert heard[0][:3] == ["refused", 2, "cancelled"]
        assert heard[1][:4] == ["status", 3, job, "cancelled"]


def test_an_older_and_a_newer_peer(server: Server) -> None:
    """Fields that are not known are passed over; those that are missing have their defaults."""
    with opened(server) as link:
        hand = Hand(link)
        hand.say([*HELLO, "a field of the future"])
        hand.hear("welcome")
        hand.say(["subscribe", 1, 999_999, False])
        assert hand.hear("refused")[:3] == ["refused", 1, "unknown_job"]
