"""What bounds the worker, with units and reasons."""

from __future__ import annotations

from typing import Final

from dc.limits import KIB, MIB

EXECUTOR_BATCH_TASKS: Final = 256
"""Tasks that an executor gets at a time, at most: more gain nothing, and would run in vain for so
much longer when their job is cancelled."""

EXECUTOR_BATCH_SECONDS: Final = 0.01
"""Of measured run time that an executor gets at a time: hides the way through the pipe, and keeps
work from waiting behind one executor while another is idle."""

PASS_SECONDS: Final = 1.0
"""That the first waiting task lets others pass, before an executor that does not suit it is
replaced for it: several times as long as one takes to start."""

WORKER_TICK_SECONDS: Final = 0.1
"""Between two looks of a worker at the clock: time limits are kept to this precision."""

STOP_SECONDS: Final = 0.5
"""That an executor with a stopped task may be silent about what it runs, and that a stopped task
has to end by itself, before it is killed: cancelled code has stopped within a second."""

TIME_LIMIT_GRACE_SECONDS: Final = 2.0
"""That a task whose time is over has to end by itself, with what it wants to save, before it is
killed."""

SPARE_SECONDS: Final = 1.0
"""After the start of a worker, before it starts the executors that wait for their turn: those that
are to work come first."""

VITALS_SECONDS: Final = 5.0
"""Between two looks of a worker that holds tasks at how its computer is, and between two messages
about it: people look at it, and a hundred bytes every five seconds are nothing to send."""

GUARD_SECONDS: Final = 0.25
"""Between two looks at what running tasks use: at a gigabyte a second, which is about what one
process can fill, less than MEMORY_LEAST_BYTES go by."""

GUARD_SHARE: Final = 20
"""Such looks are this many times their own duration apart, at least: a twentieth of one processor
at most, on a computer with very many processes."""

GUARD_COUNT_LOOKS: Final = 4
"""One in so many of these looks counts the processes of tasks without limits as well."""

GUARD_LEAST_BYTES: Final = 64 * MIB
"""That a task uses, at least, to be killed when the computer runs out of memory or disk."""

MEMORY_LEAST_BYTES: Final = 512 * MIB
"""Of free memory of a computer, or a twentieth of all if that is less, below which the task that
uses most is killed."""

DISK_LEAST_BYTES: Final = 256 * MIB
"""Of free space on the disk of a worker's folder, or a twentieth of all if that is less, below
which the task that has written most is killed: the worker's journal and results need room."""

DISK_ENTRIES: Final = 20_000
"""Files that are looked at for the size of a task's folder."""

UNHEARD_SECONDS: Final = 1.0
"""Beyond a task's time limit, after which an executor that never said what it runs (code that holds
the interpreter's lock keeps it from speaking) is killed: far above BUSY_SECONDS."""

EXECUTOR_PAUSE_SECONDS: Final = 0.1
"""Before an executor that achieved nothing is started again; doubled with each further one."""

EXECUTOR_PAUSE_SECONDS_MOST: Final = 10.0
"""The longest such pause: a repaired computer is at work again soon."""

TRANSFERS_AT_ONCE: Final = 4
"""Blobs fetched, and results put, at one time, each over a connection of its own: on a quick line
one waits for the disk while another is on the line, and a small one does not wait for a large."""

CACHE_BYTES: Final = 10 * 1024 * MIB
CACHE_SHARE: Final = 0.1
"""Of a worker's cache, unless it is told otherwise: the first, or this share of its disk if that is
less."""

CACHE_KEEP: Final = 0.9
"""Of the cache's size that is left when it was too full: so it is not looked through each time."""

CACHED_TIME: Final = 1_000_000_000
"""The time of change that files in the cache are given, in seconds: whoever writes to one gives it
another, and it is known to be damaged."""

CACHE_STALE_SECONDS: Final = 86400.0
"""Age of what was not fetched to its end, after which it is removed from the cache."""

CACHE_LOCK_SECONDS: Final = 0.1
"""Between two looks whether another worker of the computer has fetched a blob."""

AHEAD_BYTES: Final = 1024 * MIB
"""Of payloads that are fetched ahead of their tasks, beyond one task for each slot."""

TRANSFER_TRIES: Final = 5
"""After which a payload or a result that the server refuses fails its task."""

RECONNECT_SECONDS: Final = 0.2
"""Before a worker tries to reach its server again; doubled with each further try, and jittered."""

RECONNECT_SECONDS_MOST: Final = 15.0
"""The longest such pause: a server that is back has its workers within a quarter of a minute."""

CONNECT_SECONDS: Final = 10.0
"""For a connection to open, upgrade included."""

LEAVE_SECONDS: Final = 5.0
"""That a worker which ends waits for its last reports to be recorded."""

KNOWN_JOBS: Final = 1000
"""Jobs whose run times a worker remembers after it has finished all tasks it had of them."""

TRANSFER_SECONDS: Final = 60.0
TRANSFER_BYTES_PER_SECOND: Final = 64 * KIB
"""A transfer that takes longer than the first, and its bytes at this rate, is broken off and tried
again: the connection is dead, or too slow to be of use."""

JOURNAL_BYTES: Final = 8 * MIB
"""Of a worker's journal, after which it is written anew once three quarters of it are over: at the
highest rate that is once or twice a second, for a millisecond."""

JOURNAL_SPARE_BYTES: Final = 64 * KIB
"""Of a worker's journal that may be left in it when all of it is over: emptying the file for each
single task would cost more than the task's entry."""

JOURNAL_RETRY_SECONDS: Final = 10.0
"""Before a worker tries again to write its journal to a disk that would not take it."""

JOURNAL_KEEP_SECONDS: Final = 30 * 86400.0
"""That the journal of another server than the last one is kept: longer than anybody's holidays."""

WORKER_FOLDERS: Final = 1000
"""Folders of workers that one user may have on a computer: far above its processors."""

SLEPT_SECONDS: Final = 5.0
"""Between two looks of a worker at the clock, after which it takes itself to have slept: fifty
times what is usual, so a busy computer does not look like it."""
