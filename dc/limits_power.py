"""Limits of computers that were booted from the image: what they are told, how they are woken."""

from __future__ import annotations

from typing import Final

APPLIANCE_MACS: Final = 8
"""Network cards of one computer by which it can be woken; with more, the first ones will do."""

APPLIANCE_ORDERS: Final = 8
"""Kinds of orders that a computer says it takes; there are three."""

WAKE_PORT: Final = 9
"""Of UDP, to which a magic packet goes: `discard`, as is the custom. Cards look at no port."""

WAKE_TIMES: Final = 3
"""How often each magic packet is sent: nobody says that it came, and one may be lost."""

WAKE_PAUSE_SECONDS: Final = 0.1
"""Between these: the whole is done within the patience of who has pressed the button."""

WAKE_BURST: Final = 64
"""Packets of 102 bytes that are sent before others have their turn: a millisecond or so."""
