"""A raw loopback echo: what a message there and back costs without any system."""

from __future__ import annotations

import os
import socket
import statistics
import time

ROUNDS = 10_000
BYTES = 64


def loopback_echo_us() -> float:
    """Return the median microseconds of 64 bytes to another process and back, over TCP."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        child = os.fork()
        if child == 0:
            _serve(server)
        with socket.create_connection(server.getsockname()) as ours:
            ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            times = [_round(ours) for _ in range(ROUNDS)]
        os.waitpid(child, 0)
    return statistics.median(times) * 1e6


def _round(ours: socket.socket) -> float:
    message = b"x" * BYTES
    started = time.perf_counter()
    ours.sendall(message)
    got = ours.recv(BYTES)
    took = time.perf_counter() - started
    assert got == message
    return took


def _serve(server: socket.socket) -> None:
    """Send back what comes, and end this process."""
    try:
        theirs, _ = server.accept()
        theirs.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := theirs.recv(BYTES):
            theirs.sendall(data)
    finally:
        os._exit(0)
