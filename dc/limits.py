"""Every number that bounds something, with its unit and its reason."""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# --- the wire ------------------------------------------------------------------------------------

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8220

INLINE_BYTES: Final = 64 * KIB
"""Bytes of one payload or result that still ride inside a message; above, HTTP carries them.
A blob costs two syncs of the disk and some switches of threads, 2.5 ms on a quick disk, and a
further way to the server and back; a copy of so many bytes through the socket, 0.1. Measured over
the whole path on a busy computer with two processors (benchmarks/inline.py), in tasks a second:
147 inline and 59 in blobs with 64 KiB, 696 and 20 with 16."""

BATCH_TASKS: Final = 4096
"""Tasks in one message, at most. A batch of 1,000 costs the same per task as one of 10,000."""

BATCH_MESSAGES: Final = 16_384
"""Messages in one WebSocket message: an honest sender stops at BATCH_BYTES, counting 128 bytes or
more for each, and one that asks for an answer by each of them makes no more work than that."""

BATCH_BYTES: Final = 512 * KIB
"""Bytes of payloads or results after which a sender starts the next message."""

MESSAGE_BYTES: Final = 4 * MIB
"""Bytes of one WebSocket message, at most: far above any honest batch, and what bounds the memory
that a hostile peer can make the other side use (decoded, about eight times as much)."""

TEXT_CHARS: Final = 256
"""Characters of a name, a label or a type's name."""

ERROR_CHARS: Final = 16 * KIB
"""Characters of an error or a traceback that travel and are kept; the middle is cut out."""

VARIABLES: Final = 64
"""Environment variables that a job may set."""

LABELS: Final = 64
"""Labels of a worker, or requirements of a job."""

WORKER_SLOTS: Final = 10_000
"""Slots of a worker: far above any computer's processors."""
RESOURCES: Final = 16
"""Resources of which a worker has amounts, or a task uses some."""

RESOURCES_ASKED: Final = 256
"""Resources that unfinished jobs use, all together: the scheduler counts each for every worker."""

INPUTS: Final = 64
"""Blobs that all tasks of a job may read: they are named in each message that assigns some."""

CACHED_TOLD: Final = 4096
"""Blobs that a worker names in one message about its cache, and that it tells of at all, the
newest."""

CACHED_KNOWN: Final = 500_000
"""Blobs in workers' caches that the server knows of, all together: some 100 MB."""

INPUT_BYTES_PER_SECOND: Final = 100_000_000
"""At which a worker is reckoned to fetch what a task needs: a gigabit line."""

INPUT_PAUSE_SECONDS_MOST: Final = 60.0
"""That tasks wait for workers that have the inputs of their job, however large these are."""

AHEAD_SHARE: Final = 0.1
"""Of a task's run time: one whose payload takes longer than that to fetch is handed out ahead. At
worst it then waits behind another for ten times as long as its bytes take."""

CACHED_LEAST_BYTES: Final = 4 * MIB
"""Of a blob of which a worker tells that it has it: to fetch a smaller one takes less than to wait
for a certain worker."""

ALTERNATIVES: Final = 8
"""That a job may name: each worker that can run it is looked at for one after the other."""

COUNT_MOST: Final = 1_000_000_000
"""Of a resource other than memory: its ten thousandths are 64-bit integers, as are sums of them."""

AMOUNT_MOST: Final = 2**53
"""Bytes of memory: up to here a float has each whole number."""

PROGRAM_SECONDS: Final = 5.0
"""For a program that says what a computer has: `nvidia-smi` takes one or two on a cold driver."""

SPARE_CLASSES: Final = 1000
"""Requirement classes that no job has and that are kept, the newest: another job may have it soon,
and to let one go costs a look at each ability of workers."""

SPARE_GROUPS: Final = 64
"""Groups without workers that are kept, the newest: a worker may be back soon."""

TYPES: Final = 1024
"""Task types that a worker may announce."""

MAX_JOB: Final = 2**31 - 1
MAX_NUMBER: Final = 2**32 - 2
"""Jobs of a server, and tasks of a job: a task's key is the job and the number in one 63-bit
integer, `job << 32 | number`."""

# --- time, in seconds ----------------------------------------------------------------------------

HELLO_SECONDS: Final = 10.0
"""From the upgrade to the first message: a peer that has nothing to say holds nothing."""

HEARTBEAT_SECONDS: Final = 5.0
"""Between two signs of life, each way."""

SILENCE_SECONDS: Final = 20.0
"""Without any sign of life, after which the connection is given up: four heartbeats."""

TICK_SECONDS: Final = 1.0
"""Between two looks at what time alone brings about (silence, retries, deadlines)."""

STATUS_SECONDS: Final = 0.1
"""Between two reports of a job's state to a client that watches it: as often as an eye can use."""

RUNNING_REPORT_SECONDS: Final = 0.2
"""A task that has run for so long is reported as running; shorter ones would only make noise."""

DEADLINE_GRACE_SECONDS: Final = 10.0
"""Beyond a task's time limit, after which the server no longer waits for its worker to say so."""

# --- scheduling ----------------------------------------------------------------------------------

JOBS_AHEAD: Final = 64
"""Numbers of jobs that are reserved on disk ahead of their use. A job's tasks run before it is on
disk, and a worker may come back with their results when the server has lost it: its number must not
be another job's then. So many numbers are passed over when a server was killed."""

CRASH_LIMIT: Final = 5
"""Lost workers and crashed executors after which a task fails, as in HyperQueue; a job may say
another number."""

MAX_CRASHES: Final = 100
"""The highest number that a job may say: the scheduler counts crashes in a byte."""

GRACE_SECONDS: Final = 30.0
"""That a worker keeps its tasks after its connection was lost: a restart of the server, a switch or
a router takes less, and a worker tries again each quarter of a minute at least."""

LONG_GRACE_SECONDS: Final = 600.0
"""The same for tasks that are said to be long: to run them again costs more than to wait."""

CANCELLED_JOBS: Final = 1000
"""Cancelled jobs that are remembered by number, the newest: late answers for them are counted as
such."""

RECENT_SECONDS: Final = 1.0
"""That a small job stays in memory after its end: its client asks for the results within a few
milliseconds, or a busy one within some tenths of a second."""

RECENT_JOBS: Final = 256
"""Such jobs, the newest. With RECENT_BYTES each they take a few megabytes at most."""

RECENT_BYTES: Final = 4 * KIB
"""Outcomes of a job that stays so: what is larger takes longer to send than to read."""

LAPSED_ATTEMPTS: Final = 100_000
"""Attempts whose workers' leases have lapsed that the server remembers, the newest of all workers:
their results are still taken as long as nobody else has got the task. At 100 bytes each, 10 MB."""

SICK_TASKS: Final = 5
"""Different tasks that fail on a worker one after the other, and then succeed elsewhere, after
which it is set aside: one bad task never is a worker's fault, and two or three may be chance."""

SICK_PROOFS: Final = 3
"""Of those tasks, how many must have succeeded elsewhere: the others may still be under way."""

SICK_OPEN_TASKS: Final = 256
"""Failed tasks of one worker of which it is awaited how they end: far more than it takes."""

SICK_WORKERS: Final = 1000
"""Workers against which something is held, the newest: they are remembered while they are away."""

SICK_SECONDS: Final = 60.0
"""Before a worker that was set aside is tried again; doubled with each further time."""

SICK_SECONDS_MOST: Final = 3600.0
"""The longest such pause."""

KNOWN_WORKERS: Final = 10_000
"""Workers that are not here and that the server remembers; those go first that were here longest
ago and of which nothing was decided. At half a kilobyte each, 5 MB."""

NOTE_CHARS: Final = 1000
"""Characters of an operator's note on a worker: a paragraph."""

WORKER_FILTER: Final = 32
"""Patterns, labels or states in one filter of workers: each is compared with every worker."""

WORKER_NAMES: Final = 1000
"""Names in one filter of workers: as many as somebody ticks in a list. Each is looked up, for a
microsecond."""

WORKERS_WRITTEN: Final = 500
"""Workers in one record of those that have come or gone: some milliseconds."""

ORDER_SECONDS: Final = 15.0
"""That a worker which was told to stop has for handing back what it holds: three times what it
takes for itself. After that its tasks go to others all the same."""

LAST_SECONDS: Final = 5.0
"""Before a worker leaves at its set time, in which it gets nothing any more."""

CREDIT_SECONDS: Final = 0.1
"""Of estimated work that a worker holds for each slot: enough to hide the way to the server and
back, too little for a long task to wait behind another."""

CREDIT_TASKS: Final = 2048
"""Tasks that a worker may hold, at most: measured, more gives nothing."""

RETRY_SECONDS: Final = 1.0
"""Before a failed task is tried again; doubled with each attempt."""

RETRY_SECONDS_MOST: Final = 300.0
"""The longest such pause."""

MAX_RETRIES: Final = 100
MAX_PRIORITY: Final = 1_000_000
MAX_TIMEOUT_SECONDS: Final = 366 * 86400.0

PAYLOAD_WINDOW_BYTES: Final = 64 * MIB
"""Payloads of queued tasks kept in memory; those of later tasks are read back from the store."""

PAYLOAD_OBJECT_BYTES: Final = 56
"""That a payload in memory costs beside its bytes: Python's object and its place in a list."""

BLOB_PAYLOAD_BYTES: Final = 144
"""That the name of a blob costs in memory in a payload's place."""

PREFETCH_TASKS: Final = 8192
"""Payloads read back from the store at one time, before their tasks' turn comes: some 5 ms."""

PREFETCH_BYTES: Final = 4 * MIB
"""The same in bytes, about."""

HEAD_TASKS: Final = 65_536
"""Queued tasks of one job that the scheduler holds; those behind are known by their numbers alone.
Half a second of the fastest work: reading the next ones takes a few milliseconds."""

HEADS_TASKS: Final = 524_288
"""Queued tasks that the scheduler holds of all jobs, about: above, a job has HEAD_TASKS_LEAST."""

HEAD_TASKS_LEAST: Final = 1024
"""Queued tasks of one job that the scheduler holds in any case, 80 KB. One worker may take twice as
many short ones at a time; then it gets some of the next job's, a few hundredths of a second's."""

# --- backpressure --------------------------------------------------------------------------------

OUTBOX_BYTES: Final = 8 * MIB
"""Queued for one connection, after which the server stops reading from it."""

UNCOMMITTED_BYTES: Final = 64 * MIB
"""Received and not yet on disk, of all connections; above, the server stops reading clients."""

STREAM_BYTES: Final = 4 * MIB
"""Results sent to a client that it has not yet said it consumed."""

STREAMS: Final = 64
"""Subscriptions of one connection: each may have STREAM_BYTES under way."""

UNSTORED_BYTES: Final = 8 * MIB
"""Payloads that a client sends ahead of the server's acknowledgement."""

REFUSED_SUBMISSIONS: Final = 1024
"""Refused submissions of one connection that the server remembers, the newest: their payloads may
still come, and are passed over."""

KNOWN_KEYS: Final = 65_536
"""Keys of submissions that the server remembers, the newest: what a lost connection delivers late
makes no second job. At 200 bytes each, 13 MB."""

CONNECTIONS: Final = 20_000
"""Open at once; further ones are answered 503. At 8 KB each, 160 MB."""

# --- link ----------------------------------------------------------------------------------------

MASK_BLOCK_BYTES: Final = 4 * KIB
"""Of mask keys fetched from the system's random source at once, four for each frame that a client
sends: a thousand frames for one system call."""

# --- jobs in hand --------------------------------------------------------------------------------

LEAST_WEIGHT: Final = 0.001
"""Of a job or a submitter: a thousandth of the usual share is as good as none."""

MOST_WEIGHT: Final = 1000.0
"""Of a job or a submitter: who has a thousand times the share of others has all."""

AFTER_JOBS: Final = 100
"""Jobs that a job comes after: it is looked at whenever one of them finishes."""

EACH_TASKS: Final = 1_000_000
"""Tasks of a job that waits task by task: of each that may run 100 bytes are in memory."""

END_TASKS: Final = 4096
"""Tasks that are ended in one turn of the loop: 10 ms."""

RETRY_TASKS: Final = 1024
"""Failed tasks that are queued again in one turn of the loop: 10 ms."""

CANCEL_RANGES: Final = 1000
"""Tasks, or runs of tasks, that one command cancels."""

TAIL_GAPS: Final = 10_000
"""Runs of ended tasks in the tail of a job: each takes 100 bytes."""

SUBMITTERS: Final = 10_000
"""Submitters whose weights are remembered."""
