"""A worker's way into its server: what is remembered of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
from trio.abc import Stream
from trio.testing import memory_stream_pair

from dc.dial import Server
from dc.errors import StartError, WrongServer
from dc.worker.entry import Applying, Entry, KeySeen, enter
from dc.worker.finding import Where
from dc.worker.joined_server import JoinedServer
from dc.worker.joined_servers import JoinedServers
from dc.worker.way import Way
from dc.worker.worker_key import open_key
from dc.worker_proof import Challenge

PIN = b"p" * 32
SERVER = Server("192.0.2.7", 8220, True, PIN)
KNOWN = JoinedServer("server", PIN.hex(), ["192.0.2.7:8220"], is_in=True)
OTHER = JoinedServer("other", "0f" * 32, ["192.0.2.8:8220"], is_in=True)


async def dial(server: Server) -> Stream:
    await trio.lowlevel.checkpoint()
    return memory_stream_pair()[0]


def entry(
    folder: Path, *, is_in: bool = True, seen: bytes = PIN, others: Sequence[JoinedServer] = ()
) -> Entry:
    known = JoinedServers(folder)
    for one in others:
        known.note(one)
    known.note(KNOWN)
    return Entry(Way([SERVER], dial), open_key(folder), known, seen.hex, is_in=is_in)


async def test_a_server_that_was_joined_is_not_asked(tmp_path: Path) -> None:
    JoinedServers(tmp_path).note(KNOWN)
    found = await enter(Applying(Where(), "worker", {}), tmp_path)
    assert found.server == SERVER


async def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match="by --data DIR"):
        await enter(Applying(Where(url="h:1"), "worker", {}), tmp_path / "file")


@pytest.mark.parametrize(
    ("seen", "named", "good"),
    [
        (PIN, PIN.hex(), True),
        (PIN, OTHER.pin, False),
        (PIN, "server", False),
        (b"", "server", True),  # whose proxy has a certificate of the authorities
        (b"", "o" * 64, True),
        (b"", OTHER.pin, False),
        (b"", PIN.hex(), False),
    ],
)
def test_a_challenge_of_another_server_is_not_answered(
    tmp_path: Path, seen: bytes, named: str, good: bool
) -> None:
    """A server could pass on what another one asks, and be this worker there."""
    one = entry(tmp_path, seen=seen, others=[OTHER])
    challenge = Challenge(named, "n" * 20)
    if good:
        assert one.prove(challenge).holds(named)
    else:
        with pytest.raises(WrongServer, match="another server"):
            one.prove(challenge)


async def test_a_server_that_will_not_have_it_is_asked_first_again(tmp_path: Path) -> None:
    one = entry(tmp_path)
    assert isinstance(await one.open(), Stream)
    with one.doubted():
        pass
    assert JoinedServers(tmp_path).all == [KNOWN]
    with pytest.raises(StartError, match="not known"), one.doubted():
        raise StartError("not known")
    (found,) = JoinedServers(tmp_path).all
    assert (found.is_in, found.pin) == (False, KNOWN.pin)


def test_it_is_seen_among_what_else_has_ended(tmp_path: Path) -> None:
    """A worker runs in a nursery, out of which its error comes in a group."""
    with pytest.raises(ExceptionGroup), entry(tmp_path).doubted():
        raise ExceptionGroup("nursery", [ExceptionGroup("inner", [StartError("not known")])])
    assert not JoinedServers(tmp_path).all[0].is_in
    with pytest.raises(ExceptionGroup), entry(tmp_path).doubted():
        raise ExceptionGroup("nursery", [OSError("a disk")])
    assert JoinedServers(tmp_path).all[0].is_in


async def test_without_tls_nothing_is_written_down(tmp_path: Path) -> None:
    with pytest.raises(StartError), entry(tmp_path, is_in=False).doubted():
        raise StartError("no")
    assert JoinedServers(tmp_path).all == [KNOWN]


async def test_without_tls_no_key_is_seen() -> None:
    seen = KeySeen(dial)
    await seen.dial(SERVER)
    assert seen() == ""
