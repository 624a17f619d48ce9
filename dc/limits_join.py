"""Limits of how computers find a server and join it."""

from __future__ import annotations

from typing import Final

DISCOVERY_BYTES: Final = 256
"""Of a question for servers, which is filled up to it, and of an answer at most: an answer is never
larger than its question, so nobody can use a server to fill up somebody else's line."""

DISCOVERY_SECONDS: Final = 3.0
"""For servers to answer a worker that was started without an address."""

DISCOVERY_QUIET_SECONDS: Final = 1.0
"""After the first answer, for others to come: a server that is alone is taken after that."""

DISCOVERY_ASKED_AT: Final = (0.0, 0.4, 1.2)
"""Seconds after which the question is sent: one packet may be lost, and a card may be asleep."""

DISCOVERED: Final = 64
"""Answers that a worker looks at: a network in which more servers answer is not a sane one."""

ANSWERS_PER_ADDRESS: Final = 30
"""Answers of a server in a minute to one address: a worker that is started asks three times."""

ANSWERS_PER_SECOND: Final = 300
"""Answers of a server in a second to all together: 1,000 workers that start at once have theirs
within ten seconds, and a flood costs a hundredth of a processor."""

ANSWERED_ADDRESSES: Final = 4096
"""Addresses of which a server knows how many answers they had; a table of 1 MiB at most."""

ADDRESSES: Final = 16
"""Of one server, as a worker keeps them: those of its code, and those it was found at since."""

STAGGER_SECONDS: Final = 0.25
"""After which the next address of a server is tried beside the one that has not answered yet."""

JOIN_SECONDS: Final = 60.0
"""For a server to answer a worker that joins, connection included: of a thousand that come at once
to a slow one, the last waits for all others, and would only be slower if it asked again."""

POLL_SECONDS: Final = 2.0
"""Before a worker that waits for an operator's yes asks again, at first; half as much longer with
each time."""

POLL_SECONDS_MOST: Final = 15.0
"""The longest such pause: 1,000 waiting workers ask 70 times in a second."""

JOINED_SERVERS: Final = 100
"""Servers that a worker remembers to have joined: the ones it has not used for longest go."""

CODE_BYTES: Final = 4096
"""Of a file with a join code, at most."""

MDNS_LINE_BYTES: Final = 4096
"""Of what the process that looks for servers by mDNS says of one."""
