"""What bounds HTTP: heads, bodies and connections, with units and reasons."""

from __future__ import annotations

from typing import Final

from dc.limits import KIB, MIB

HEAD_BYTES: Final = 16 * KIB
"""Of one head, request line and headers together; as in h11 and IIS, twice Apache's one line."""

REQUEST_LINE_BYTES: Final = 8 * KIB
"""Of a request line; RFC 9112 asks for 8,000 at least."""

QUERY_FIELDS: Final = 100
"""Fields of a query: far above any form of ours, and what bounds the work of splitting one."""

KEEP_ALIVE_SECONDS: Final = 75.0
"""That a connection may be idle between two requests, as in nginx."""

HEAD_SECONDS: Final = 60.0
"""From the first byte of a head to its last, as in nginx: an honest client sends it at once. One
that trickles costs next to nothing while it waits, and a fresh connection in its place a
millisecond: so it is not sent away soon, but goes first when places are short (measured:
benchmarks.slow_clients)."""

BODY_IDLE_SECONDS: Final = 30.0
"""Between two pieces of a request's body: a mobile network's longest pause."""

SEND_SECONDS: Final = 60.0
"""For one piece of an answer to leave: 256 KiB at 4 KiB/s, the slowest line worth serving."""

PACE_SECONDS: Final = 60.0
"""Of a body, each of which has to bring PACE_BYTES_PER_SECOND: a line that is away for a moment is
forgiven."""

PACE_BYTES_PER_SECOND: Final = KIB
"""The slowest body that is worth its place: an old modem is four times as quick."""

LINGER_SECONDS: Final = 2.0
"""That a connection about to close is still read, so that the client can read its answer before
the operating system resets the connection; also the longest wait for the rest of an unread body."""

DRAIN_BYTES: Final = 64 * KIB
"""Of an unread body that are read to keep the connection; above, a new connection is cheaper."""

RECEIVE_BYTES: Final = 64 * KIB
"""Received at once: measured, recv() above this collapses to a quarter of its speed."""

FILE_PIECE_BYTES: Final = 256 * KIB
"""Read from or written to a file at once: larger pieces are no quicker (measured)."""

MOVE_BYTES: Final = 8 * MIB
"""Of a body that a thread moves at once: some 10 ms on a quick line."""

MOVE_SECONDS: Final = 0.05
"""For which it does so at most, on a slower one: it cannot be cancelled meanwhile."""

MOVERS: Final = 16
"""Threads that move bodies, at most; nothing else waits for them. On quick lines a few have all
processors busy. On a slow one each piece holds a thread for MOVE_PAUSE_SECONDS: so many serve 8,000
such pieces a second, with 4 MB of buffers."""

UNSENT_BYTES: Final = MIB
"""Of a body that may wait in the system for its turn to be sent."""

MOVE_PAUSE_SECONDS: Final = 0.002
"""Without a byte, after which a thread leaves a body to the loop: on a line that is worth a thread
there is none as long."""

HAND_ON_BYTES: Final = 256 * KIB
"""Of a body that a thread receives before it hands them on: they stay in the processor's cache."""

PAGE_ROWS: Final = 1000
"""Rows of one answer of the API: the following ones are asked for with its cursor."""

KEPT_ANSWERS: Final = 10_000
"""Answers that are kept for changes that are asked for twice."""

KEPT_ANSWER_BYTES: Final = 16 * MIB
"""Of their bodies together."""

KEPT_ANSWER_SECONDS: Final = 24 * 3600.0
"""That an answer is kept: as long as others do."""

COMMAND_BYTES: Final = 512 * KIB
"""Of the body of a command: WORKER_NAMES names of the greatest length, and some labels."""

ASK_SECONDS: Final = 30.0
"""That a command waits for the disk before its caller is told that it is not there yet: a disk that
is full may stay so for days."""

ANSWER_BYTES: Final = 4 * MIB
"""Of an answer that a client takes into memory unless its caller says otherwise."""
