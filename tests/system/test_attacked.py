"""A real server that is attacked over real sockets: its job goes on, and it stays small."""

from __future__ import annotations

import contextlib
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import dc
from tests.system.processes import Machine, Server

SLOW = 600
SECONDS = 60.0


def memory_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


@contextlib.contextmanager
def connections(server: Server, count: int) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), SECONDS))
            for _ in range(count)
        ]


def is_well(server: Server) -> None:
    began = time.monotonic()
    assert server.json("/api/status")["workers"] == 1
    assert time.monotonic() - began < SECONDS / 2
    assert server.program.alive
    assert "Traceback" not in server.program.err.read_text()


def test_slow_and_half_open_ones_beside_a_job(server: Server) -> None:
    before = memory_mib(server.program.pid)
    with connections(server, SLOW) as slow, dc.Client(server.address) as client:
        job = client.submit("square", range(100, 300))
        for step, byte in enumerate(b"GET /api/status HTTP/1.1\r\nHost: loc"):
            for peer in slow[step % 3 :: 3]:
                peer.sendall(bytes([byte]))
        assert sum(job.results(ordered=False)) == sum(n * n for n in range(100, 300))
        is_well(server)
        assert memory_mib(server.program.pid) - before < 100
    is_well(server)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        b"SSH-2.0-scanner\r\n",
        b"\x00" * 1000,
        b"EHLO evil.example\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"A" * 100_000,
    ],
    ids=lambda data: data[:12].decode("latin-1"),
)
def test_what_scanners_send(data: bytes, server: Server) -> None:
    for _ in range(20):
        with connections(server, 1) as (peer,), contextlib.suppress(OSError):
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
            answer = peer.recv(4096)
            assert answer == b"" or answer.startswith(b"HTTP/1.1 4") or b" 50" in answer[:13]
    is_well(server)


def test_a_storm_of_connections_that_are_cut(server: Server) -> None:
    for _ in range(300):
        peer = socket.create_connection(("127.0.0.1", server.port), SECONDS)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.send(b"GET / HTTP/1.1\r\n")
        peer.close()
    is_well(server)


def test_the_limits_are_shown(server: Server) -> None:
    rows = {row["name"]: row for row in server.json("/api/settings")["settings"]}
    assert rows["limit-connections"]["value"] == "1000"
    assert rows["limit-requests"]["value"] == "1000"
    assert rows["limit-failures"]["value"] == "10"
    with urllib.request.urlopen(f"{server.address}/metrics", timeout=SECONDS) as answer:
        assert b'dc_refused_total{reason="slowest"} 0.0' in answer.read()


async def test_limits_that_are_none(machine: Machine) -> None:
    done = machine.command("dc.server", "--limit-connections", "0")
    assert done.returncode == 2
    assert "is no whole number from 1 to 1,000,000" in done.stderr
