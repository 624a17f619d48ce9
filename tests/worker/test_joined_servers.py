"""What a worker keeps of itself and of its servers: its key pair, and whom it has joined."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dc import limits_join
from dc.worker import joined_servers, worker_key
from dc.worker.folder import open_folder
from dc.worker.joined_server import JoinedServer
from dc.worker.joined_servers import JoinedServers
from dc.worker.worker_key import open_key
from dc.worker_proof import Challenge

PIN = "ab" * 32
ONE = JoinedServer("one", PIN, ["192.0.2.1:8220"])
TWO = JoinedServer("two", "cd" * 16, ["192.0.2.2:8220"], "01" * 10)


def test_a_key_pair_is_for_good_and_for_this_user_alone(tmp_path: Path) -> None:
    key = open_key(tmp_path)
    assert open_key(tmp_path).public == key.public
    if sys.platform != "win32":
        assert (tmp_path / worker_key.NAME).stat().st_mode & 0o777 == 0o600
    challenge = Challenge("server", "n" * 16)
    assert key.prove(challenge).holds("server")
    assert not key.prove(challenge).holds("other")
    assert [path.name for path in tmp_path.iterdir()] == [worker_key.NAME]


def test_a_damaged_key_is_another_worker(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    key = open_key(tmp_path)
    (tmp_path / worker_key.NAME).write_bytes(b"\xff\0")
    assert open_key(tmp_path).public != key.public
    assert "is damaged" in caplog.text


def test_a_write_that_was_broken_off_does_not_stop_the_next_one(tmp_path: Path) -> None:
    (tmp_path / f"{worker_key.NAME}.new").write_text("half")
    key = open_key(tmp_path)
    assert open_key(tmp_path).public == key.public


def test_with_a_new_key_nothing_is_joined(tmp_path: Path) -> None:
    with open_folder(tmp_path / "w") as folder:
        key = open_key(folder.path)
        JoinedServers(folder.path).note(ONE)
    with open_folder(tmp_path / "w", new_key=True) as folder:
        assert open_key(folder.path).public != key.public
        assert JoinedServers(folder.path).all == []


def test_the_last_used_is_the_first(tmp_path: Path) -> None:
    servers = JoinedServers(tmp_path)
    servers.note(ONE)
    servers.note(TWO)
    assert JoinedServers(tmp_path).all == [TWO, ONE]
    servers.note(ONE)
    again = JoinedServers(tmp_path)
    assert again.all == [ONE, TWO]
    assert again.pins == [bytes.fromhex(PIN), bytes.fromhex(TWO.pin)]
    assert again.at("192.0.2.2:8220") == TWO
    assert again.at("192.0.2.3:8220") is None
    if sys.platform != "win32":
        assert (tmp_path / joined_servers.NAME).stat().st_mode & 0o777 == 0o600


def test_a_server_is_the_same_by_its_key_wherever_it_is(tmp_path: Path) -> None:
    servers = JoinedServers(tmp_path)
    servers.note(ONE)
    moved = JoinedServer("", PIN[:32], ["192.0.2.9:8220"], is_in=True)
    assert servers.note(moved) == JoinedServer(
        "one", PIN, ["192.0.2.9:8220", "192.0.2.1:8220"], is_in=True
    )
    assert len(servers.all) == 1
    assert servers.of_pin(bytes.fromhex(PIN[:32])) == servers.all[0]
    assert servers.of_pin(b"") is None
    servers.note(JoinedServer("other", "ef" * 32, ["192.0.2.1:8220"]))
    assert len(servers.all) == 2


def test_a_server_with_a_certificate_of_authorities_is_known_by_its_address(tmp_path: Path) -> None:
    servers = JoinedServers(tmp_path)
    servers.note(JoinedServer("", "", ["dc.example.org:443"], "01" * 10))
    servers.note(JoinedServer("x", "", ["dc.example.org:443"], is_in=True))
    assert servers.all == [JoinedServer("x", "", ["dc.example.org:443"], is_in=True)]
    servers.note(JoinedServer("y", "", ["dc.example.com:443"]))
    assert [one.server for one in servers.all] == ["y", "x"]


def test_the_secret_goes_with_the_answer(tmp_path: Path) -> None:
    servers = JoinedServers(tmp_path)
    servers.note(TWO)
    servers.note(JoinedServer("two", TWO.pin, TWO.addresses, is_in=True))
    assert TWO.secret not in (tmp_path / joined_servers.NAME).read_text()
    servers.forget(TWO)
    assert JoinedServers(tmp_path).all == []


def test_there_are_not_too_many(tmp_path: Path) -> None:
    servers = JoinedServers(tmp_path)
    for number in range(limits_join.JOINED_SERVERS + 3):
        servers.note(JoinedServer(str(number), f"{number:032x}", [f"h:{number + 1}"]))
    assert len(JoinedServers(tmp_path).all) == limits_join.JOINED_SERVERS
    many = [f"h:{number + 1}" for number in range(100)]
    for addresses in (many, ["y:1"]):
        noted = servers.note(JoinedServer("x", PIN, addresses)).addresses
        assert len(noted) == limits_join.ADDRESSES
        assert noted[0] == addresses[0]


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", '[{"server":"x","pin":"zz","addresses":["a:1"]}]', "\udcff"]
)
def test_a_damaged_file_is_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    (tmp_path / joined_servers.NAME).write_bytes(text.encode(errors="surrogateescape"))
    assert JoinedServers(tmp_path).all == []
    assert "joined anew" in caplog.text
