"""Hears what a network card would: `python -m tests.system.network_card`.

Three packets of UDP to port 9 are written down, a line each, in hexadecimal.
"""

from __future__ import annotations

import socket

BYTES = 1000


def main() -> None:
    """Listen, until there were three."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as card:
        card.bind(("", 9))
        print("listening", flush=True)
        for _ in range(3):
            print(card.recv(BYTES).hex(), flush=True)


if __name__ == "__main__":
    main()
