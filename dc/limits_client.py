"""What bounds the client, with units and reasons."""

from __future__ import annotations

from typing import Final

from dc.limits import MIB, STREAM_BYTES

HAND_OVER_BYTES: Final = STREAM_BYTES // 4
"""Results handed to the user's loop at once, as counted by the server: the rest of the window
stays in flight, so that the loop never waits for a way to the server and back."""

CONSUMED_SHARE: Final = 16
"""Results consumed are told to the server once they are this part of STREAM_BYTES: a message for
each small one would cost both sides more than the result."""

PAYLOAD_SECONDS: Final = 0.002
"""Payloads are gathered for so long before they are sent, or until a batch is full: the first tasks
of a slow iterable run while its later ones are still being made."""

PAYLOAD_SECONDS_MOST: Final = 0.05
"""The same where sending takes long."""

PAYLOAD_SHARE: Final = 4
"""Payloads are gathered for so many times as long as it took to send the last batch."""

FOLLOW_SECONDS: Final = 60.0
"""For which a client tries to reach a lost server again, before a submission or a read of results
gives up: longer than a restart of the server takes."""

FOLLOW_PAUSE_SECONDS: Final = 0.1
"""Before the first such try; doubled with each further one."""

FOLLOW_PAUSE_SECONDS_MOST: Final = 5.0
"""The longest pause between two such tries."""

PUT_RETRY_SECONDS: Final = 1.0
"""Before a client puts a blob again that the server could not take, as on a full disk."""

CLIENT_TRANSFERS: Final = 4
"""Payloads and results that a client moves at the same time: while one is hashed or synced, the
line is free for another."""

RANGE_BYTES: Final = 4 * MIB
"""Of a large result that a client asks for at a time where it is read as a stream: on a line with a
way there and back of 50 ms that is 80 MB/s."""

CLOSE_SECONDS: Final = 1.0
"""For a client's last words (a cancelled job, the closing handshake) when it is left."""
