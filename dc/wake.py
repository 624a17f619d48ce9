"""Wakes computers by Wake-on-LAN: a magic packet to everybody in the networks of this one.

A network card that listens while its computer is off looks for its own address in what goes by,
sixteen times behind six bytes of ones. Nobody answers: what is known in the end is that it was
sent, and a computer that does not come may be one whose firmware has this switched off.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

import trio

from dc import limits_power
from dc.broadcasts import Network, networks
from dc.errors import NotPossible


def magic_packet(mac: str) -> bytes:
    """Return the packet that wakes the network card of an address, as `52:54:00:12:34:56`."""
    return b"\xff" * 6 + 16 * bytes.fromhex(mac.replace(":", ""))


class Waker:
    """Sends magic packets.

    Args:
        find: gives the networks to send to; it is asked each time, in a thread.
        port: of UDP.
        pause: seconds between the times that a packet is sent.
    """

    def __init__(
        self,
        find: Callable[[], list[Network]] = networks,
        port: int = limits_power.WAKE_PORT,
        pause: float = limits_power.WAKE_PAUSE_SECONDS,
    ) -> None:
        self._find = find
        self._port = port
        self._pause = pause

    async def wake(self, macs: Sequence[str]) -> list[str]:
        """Send to the cards of these addresses; return the addresses of the networks it went to.

        Raises:
            NotPossible: this computer is in no network, or could send to none.
        """
        found = await trio.to_thread.run_sync(self._find)
        if not found:
            raise NotPossible("the server is in no IPv4 network in which it could wake a computer")
        packets = [magic_packet(mac) for mac in dict.fromkeys(macs)]
        sent: dict[str, None] = {}
        wrong = ""
        for time in range(limits_power.WAKE_TIMES):
            if time:
                await trio.sleep(self._pause)
            for network in found:
                try:
                    await self._send(network, packets)
                    sent[network.broadcast] = None
                except OSError as error:
                    wrong = f"{network.broadcast}: {error.strerror or error}"
        if not sent:
            raise NotPossible(f"the server could not send to its networks: {wrong}")
        return list(sent)

    async def _send(self, network: Network, packets: Sequence[bytes]) -> None:
        with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            await sender.bind((network.address, 0))
            for at, packet in enumerate(packets):
                if at % limits_power.WAKE_BURST == 0:
                    await trio.lowlevel.checkpoint()
                await sender.sendto(packet, (network.broadcast, self._port))
