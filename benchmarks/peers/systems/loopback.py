"""The loopback interface of a new network namespace, in which it is down. Linux only."""

from __future__ import annotations

import fcntl
import socket
import struct

SIOCGIFFLAGS = 0x8913
SIOCSIFFLAGS = 0x8914
IFF_UP = 1
REQUEST = "16sH14s"  # struct ifreq: the interface's name, its flags


def bring_up() -> None:
    """Bring the loopback interface up.

    Raises:
        OSError: that is not allowed here.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack(REQUEST, b"lo", 0, b"")
        answer = fcntl.ioctl(any_socket, SIOCGIFFLAGS, request)
        flags = struct.unpack(REQUEST, answer)[1] | IFF_UP
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack(REQUEST, b"lo", flags, b""))
