"""Every number that bounds something, with its unit and its reason."""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# --- the wire -----------------------------------------------------------------------------------

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

# --- time, in seconds ---------------------------------------------------------------------------

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

# --- scheduling ---------------------------------------------------------------------------------

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

# --- backpressure -------------------------------------------------------------------------------

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

# --- http ---------------------------------------------------------------------------------------

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

# --- link ---------------------------------------------------------------------------------------

MASK_BLOCK_BYTES: Final = 4 * KIB
"""Of mask keys fetched from the system's random source at once, four for each frame that a client
sends: a thousand frames for one system call."""

# --- client -------------------------------------------------------------------------------------

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

# --- the store ----------------------------------------------------------------------------------

COMMIT_TASKS: Final = 20_000
"""Tasks in one commit, at most; the caller sees to it. About 15 ms of one processor: more would
make others wait long for theirs, and gain nothing."""

COMMIT_NOW_TASKS: Final = 64
"""Tasks in a commit that is done in the event loop itself, at most: 0.3 ms on a quick disk."""

COMMIT_NOW_BYTES: Final = 64 * KIB
"""Received with the records of such a commit, at most."""

COMMIT_NOW_SECONDS: Final = 0.001
"""That such commits may take on average; when they are slower, they go to the store's thread."""

COMMIT_NOW_QUIET_SECONDS: Final = 0.00025
"""Since the last commit, after which such a commit is done in the step that asks for it: when they
come more often than that, what a whole turn of the loop brings goes in one."""

COMMIT_NOW_PAUSE_SECONDS: Final = 1.0
"""For how long they do before it is tried again; doubled each time that it is still slow, and
halved with each quick one."""

COMMIT_NOW_PAUSE_SECONDS_MOST: Final = 60.0
"""The longest such pause: a slow disk then holds up the loop for one sync a minute."""

COMMIT_ROWS: Final = 256
"""Records in one statement: 2,560 values, far below SQLite's 32,766."""

STATEMENTS: Final = 64
"""Compiled statements that a connection to the store keeps: more than there are queries."""

WRITER_STATEMENTS: Final = 2
"""The same for the writer. Each keeps the values that it was last given, a whole commit's bytes,
and there is one for each size of a commit: more of them are megabytes for nothing."""

WAL_BYTES: Final = 16 * MIB
"""Of the store's log, after which it is copied into the database beside the commits. At 50,000
tasks a second results had a p99 of 38 and 42 ms with 64 MiB, 28 and 47 with 16, 25 and 32 with 6
(two runs each); with 16, a saturated server did 3 to 4 % fewer tasks a second than with 64."""

WAL_BYTES_MOST: Final = 256 * MIB
"""Of the store's log, after which commits wait until it has been copied."""

WAL_IDLE_SECONDS: Final = 30.0
"""Without a commit, after which the store's log is copied and emptied, whatever its size."""

STORE_BUSY_SECONDS: Final = 5.0
"""That one connection to the database waits for another: more than any read of the server takes."""

WAL_PATIENCE_SECONDS: Final = 0.05
"""That the log's copier holds up commits while it waits for a read to end; then it tries later."""

CHECK_BYTES: Final = 256 * MIB
"""Of a database that is looked through for damage at a start after an unclean end: half a second
on a warm disk. A larger one would hold up the start, and tells of damage when it is read."""

REMOVE_ROWS: Final = 2_000
"""Removed from the database in one step: commits wait a few milliseconds for it."""

REMOVE_BYTES: Final = MIB
"""Of payloads or results, after which such a step ends: freeing their pages costs as much."""

REMOVE_PAUSE_SECONDS: Final = 0.02
"""Between two such steps: commits have most of the disk's time to themselves."""

KEEP_DAYS: Final = 30.0
"""That a finished job is kept, unless the server is told otherwise."""

KEEP_JOBS: Final = 10_000
"""Finished jobs that are kept, unless the server is told otherwise."""

RETENTION_SECONDS: Final = 60.0
"""Between two looks for jobs that have been kept for long enough."""

RETENTION_JOBS: Final = 1_000
"""Jobs that are removed after one such look, at most."""

BLOB_KEEP_SECONDS: Final = 86400.0
"""That a blob stays which nothing names: a client may be about to name it, or a worker be cut off
with a report that does."""

BLOB_YOUNG_SECONDS: Final = 600.0
"""That a blob stays in any case since it was put or asked for: whoever is about to name it has done
that just before. It is ten times BLOB_TOUCH_SECONDS."""

BLOB_TOUCH_SECONDS: Final = 60.0
"""Age of a blob after which it is written down that it was asked for: a few microseconds."""

CLAIMS_AT_ONCE: Final = 128
"""Blobs of a message that the server asks the disk for before others have their turn: 2 ms."""

BLOB_SWEEP_SECONDS: Final = 3600.0
"""Between two looks through the folder of blobs for such as nothing names."""

DROPPED_BLOBS: Final = 100_000
"""Blobs that are removed once they are no longer young, at 100 bytes each: what is more is found by
the look through the folder."""

PLUGIN_KEEP_SECONDS: Final = 600.0
"""After which a plugin is forgotten that another one has replaced and no job runs."""

RESERVE_BYTES: Final = 256 * MIB
"""Of a server's disk that blobs leave free, or a twentieth of it if that is less, unless it is told
otherwise: what is acknowledged is in the database, whose log may have WAL_BYTES_MOST."""

BACKUP_PAGES: Final = 256
"""Of the database that are copied in one step of a backup, for which commits wait: a megabyte."""

BACKUP_PAUSE_SECONDS: Final = 0.005
"""Between two such steps."""

CHECK_LINES: Final = 20
"""Of one kind of damage that a check of the database names: who needs more needs a backup."""

READ_BYTES: Final = 8 * MIB
"""Read from the store at one time: what a read may use beyond what it returns."""

READ_RECORDS: Final = 1_000
"""Records of outcomes that one read looks at: there may be one for each task."""

READ_TASKS: Final = 65_536
"""Tasks that one query looks at in search of unfinished ones: some 10 ms."""

LOOKED_TASKS: Final = 4 * READ_TASKS
"""Tasks of a job that are looked at for one page of those in a state: some 20 ms."""

READERS: Final = 2
"""Reads of the store at one time: a slow page does not hold up the payloads of the next tasks."""

GIVE_WAY_SECONDS: Final = 0.001
"""Between two moments in which a busy loop lets the threads of the store run on. Without them a
commit beside a saturated loop takes ten times as long (docs/store.md)."""

LET_GO_SECONDS: Final = 20e-6
"""Of such a moment: with the system's own delay, enough for another thread to wake up."""

TASK_BYTES: Final = 64
"""That an outcome counts for beyond its own bytes, where reads are limited by bytes."""

BLOB_WRITEBACK_BYTES: Final = 8 * MIB
"""Of a blob, after which the disk is asked to begin with writing: the sync at the end waits for
little, and the requests are large enough for any disk."""

HASH_BESIDE_BYTES: Final = 16 * MIB
"""Of a blob, above which another thread makes the SHA-256 than the one that writes: below, what it
costs to wake that thread is more than is gained."""

HASH_BYTES: Final = 16 * MIB
"""Hashed in one step of a thread, which cannot be cancelled meanwhile: some 15 ms."""

HASHERS: Final = 4
"""Threads that hash blobs, at most: each has a processor busy."""

BLOB_ASK_BYTES: Final = MIB
"""Of a blob, above which a sender first asks whether it is there: below, sending is as quick."""

BLOB_TRIES: Final = 3
"""That an upload begins at a place which the server names, without getting on by a byte."""

PARTIALS: Final = 1000
"""Uploads that were broken off and are kept, the newest."""

PARTIAL_BYTES: Final = 64 * 1024 * MIB
"""Of such uploads together: a dozen of 5 GB; the oldest goes first. Nor are they more than what is
free of the disk beside them."""

PARTIAL_SECONDS: Final = 86400.0
"""That such an upload is kept: a computer that was cut off is back the next day, or starts anew."""

PARTIAL_SWEEP_SECONDS: Final = 60.0
"""Between two looks for such ones that are too old, or too large for the disk."""

TAKE_OVER_SECONDS: Final = 1.0
"""That a second connection waits for the first one's bytes before it takes over its upload: a
connection that was cut may look open on the server's side."""

TAKE_OVER_TRIES: Final = 3
"""So often it waits for one that brings something: that may be what came before a cut."""

BLOB_AGAIN_SECONDS: Final = 0.5
"""After a cut upload of which the server has no more than before: it may only be slow to see it."""

SOUND_BLOBS: Final = 20_000
"""Blobs of which it is remembered that they were right, the newest: 3 MB."""

SOUND_SECONDS: Final = 7 * 86400.0
"""After which a blob that is read is hashed once more: disks lose bytes in months."""

SOUND_AGAIN_SECONDS: Final = 60.0
"""After which it is hashed for somebody who has got other bytes."""

UNPROVEN_BLOBS: Final = 1000
"""Blobs that were read and are to be hashed, at most; others are when they are read again."""

DAMAGED_BLOBS: Final = 16
"""Damaged blobs that are kept for whoever looks after the disk; further ones are removed."""

ZSTD_LEVEL: Final = 1
"""Measured: 3 takes a third longer for a few hundredths less."""

ZSTD_WINDOW_LOG: Final = 23
"""8 MB: what RFC 9659 lets a sender use, and so the memory of one who reads."""

ZSTD_SAMPLE_BYTES: Final = 64 * KIB
"""Of each of three places of a blob that are compressed to see whether that pays."""

ZSTD_PIECE_BYTES: Final = MIB
"""Compressed by a thread at once: 2 ms."""

ZSTD_PAYS: Final = 0.8
"""Of the size, below which it does: compressing costs 2 ms a megabyte, a gigabit line 8."""

BLOB_IDLE_SECONDS: Final = 60.0
"""Without a byte moved, after which a transfer's connection is given up."""

BLOB_FINISH_BYTES_PER_SECOND: Final = 16 * MIB
"""The slowest disk that an upload waits for once all bytes are sent."""

# --- executors ----------------------------------------------------------------------------------

PIPE_BYTES: Final = 8 * MIB
"""Of one message between an agent and its executor: a full batch with its largest inline payload
stays far below, and a task that writes nonsense to the pipe cannot fill the agent's memory."""

RAN_BYTES: Final = 256 * KIB
"""Of results that an executor gathers before it sends them: bounds its memory, and the pipe's."""

RAN_SECONDS: Final = 0.02
"""That a result waits for others in an executor, at most: a batch of short tasks takes less."""

BUSY_SECONDS: Final = 0.05
"""A task that has run for so long gives those behind it back: half of CREDIT_SECONDS."""

EXECUTOR_TICK_SECONDS: Final = 0.01
"""Between two looks of a busy executor at its clock: half of RAN_SECONDS."""

EXECUTOR_IDLE_LOOKS: Final = 50
"""Such looks at nothing before an executor's watcher goes to sleep: half a second."""

TASK_PROCESSES: Final = 4096
"""Processes and threads of one executor and its tasks, where a control group can limit them: far
above what numeric libraries start on a large computer, and far below what a computer can have."""

TREE_SECONDS: Final = 5.0
"""For which all that an executor has started is killed again and again, until nothing is left of
it: what still runs then cannot be killed, for it hangs in the kernel."""

TREE_STOPS: Final = 20
"""Rounds in which it is stopped before it is killed: a fork bomb is still after two or three."""

TREE_PAUSE_SECONDS: Final = 0.002
"""Between two such looks: a killed process takes about so long to go."""

CGROUP_TRIES: Final = 50
"""To remove a control group, TREE_PAUSE_SECONDS apart: it stays busy a little beyond its last
process."""

LEFT_SECONDS: Final = 0.001
"""A task that took so long is followed by a full look at what it has left behind, some 10 us. After
shorter ones that is done at the end of their batch, and once they did something that is noticed."""

RECYCLE_TASKS: Final = 1_000_000
"""Tasks after which an executor is replaced, unless a worker is told otherwise: a start costs a
fifth of a second of one processor, nothing beside a million of the shortest tasks."""

RECYCLE_SECONDS: Final = 86400.0
"""Age after which an executor is replaced, unless a worker is told otherwise."""

RECYCLE_BYTES: Final = 512 * MIB
"""Of resident memory beyond that at its start, after which an executor is replaced, unless a worker
is told otherwise: what has grown so far, between two tasks, leaks or keeps."""

RECYCLE_LOOK_SECONDS: Final = 0.1
"""Between two looks of an executor at its resident memory: each takes about 10 us."""

RECYCLE_LOOK_TASKS: Final = 500
"""Tasks after which it looks all the same: a hundred thousand a second that each leak 20 KB come to
200 MB in a tenth of one. It costs each of them 20 ns."""

OOM_SCORE: Final = 500
"""Of an executor with the kernel's out-of-memory killer, which takes it before any agent or server,
unless those use half of the computer's memory more."""

BROKEN_CHARS: Final = 1000
"""Characters of the line that says why a plugin is broken."""

# --- worker -------------------------------------------------------------------------------------

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

# --- jobs in hand -------------------------------------------------------------------------------

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

# --- from inside a task -------------------------------------------------------------------------

OUTPUT_HEAD_BYTES: Final = 24 * KIB
"""Of what a task writes to its standard output and error, kept from its beginning."""

OUTPUT_TAIL_BYTES: Final = 40 * KIB
"""Kept from its end, where a failure is told; what is between is counted and left out. Together
they are one inline payload."""

OUTPUT_SECONDS: Final = 1.0
"""Between two messages with new output of a task that runs: as often as its page is looked at."""

OUTPUT_CHUNK_BYTES: Final = 8 * KIB
"""Of output in such a message; of more, the latest. At its end a task's rest goes whole."""

OUTPUT_RATE_BYTES: Final = MIB
"""Of output that a worker sends a second, and after a rest four times as much at once: what its
tasks write beyond is counted and left out, so that results never wait behind output."""

OUTPUT_MESSAGE_BYTES: Final = 256
"""That a message with output counts for beside its data: short tasks that each print a word cost
the server a row each."""

OUTPUT_UNSENT_BYTES: Final = 4 * MIB
"""Of output that a worker keeps for a server that it cannot reach; the oldest goes first."""

OUTPUT_SERVER_BYTES: Final = 64 * MIB
"""Of output of running tasks in the server's memory; further output is counted and left out."""

KEPT_JOBS: Final = 8
"""Jobs of which an executor's agent knows whether they keep their output, the last ones that it had
tasks of: it has two batches at most, each of one job."""

OUTPUT_LOG_BYTES: Final = 2 * KIB
"""Of what an executor writes between tasks that goes to the worker's log at one time."""

OUTPUT_UNNOTICED_SECONDS: Final = 100e-6
"""A task that ran for so long is worth a system call to see whether it, or what it has started, has
written past Python's own streams."""

OUTPUT_DRAIN_BYTES: Final = MIB
"""Of output that an agent reads before the outcome of the task that wrote it: far above what a pipe
holds, and a bound where others go on writing to it."""

OUTPUT_SHOWN_BYTES: Final = 2 * KIB
"""Of a task's last output that is shown beside its failure."""

NOTE_SECONDS: Final = 0.5
"""Between two messages of a task about its progress, and between two checkpoints: of what comes
faster, the last one goes."""

CHECKPOINT_FILE_SECONDS: Final = 10.0
"""Between two checkpoints of a task that are too large for a message."""

CHECKPOINT_BLOBS: Final = 10_000
"""Tasks of which the server remembers the blob of the last checkpoint; of others it is found by the
look through the folder of blobs once a later one has taken its place."""

PROGRESS_TASKS: Final = 20_000
"""Tasks whose progress the server keeps in memory, at 300 bytes each: more do not run at a time."""

CHECKPOINT_UNSTORED_BYTES: Final = 64 * MIB
"""Of checkpoints that are not on disk yet in the server's memory; further ones are passed over, for
the next one will do as well."""

CHECKPOINT_HOLDERS: Final = 10_000
"""Failed attempts to be tried again whose worker the server remembers, the newest: a large
checkpoint may be on its way still."""

# --- plugins as archives ------------------------------------------------------------------------

ARCHIVE_BYTES: Final = 256 * MIB
"""Bytes of a plugin's archive: code, and small data beside it. What is larger is an input."""

UNPACKED_BYTES: Final = 1024 * MIB
"""Bytes of all files in an archive together, and ARCHIVE_FILES of them: what a bomb stops at."""

ARCHIVE_FILES: Final = 20_000
"""Files in a plugin's archive; large projects with their dependencies have some thousands."""

MANIFEST_BYTES: Final = 256 * KIB
"""Bytes of the manifest in an archive: a thousand plugins and dependencies fit."""

PLUGIN_DEPENDENCIES: Final = 256
"""Dependencies that a plugin may have, those that are carried and those to be installed."""

SIGNATURE_FILE_BYTES: Final = 4 * KIB
"""Of a file with a key or a signature: they have some hundreds, and who names another file by
mistake is told so."""

ARCHIVE_LIST_BYTES: Final = 8 * MIB
"""Bytes of the list of files in an archive, which is read as a whole: ARCHIVE_FILES of them, with
names of 300 bytes."""

ARCHIVE_NAME_CHARS: Final = 200
"""Characters in the name of a file in an archive: with the folder before it, Windows takes 260."""

ARCHIVE_PART_BYTES: Final = 200
"""Bytes in the name of one file or folder in an archive: file systems take 255, and a little is
added to it for what is compiled."""

ARCHIVE_RATIO: Final = 100
"""Bytes that one byte of an archive may become on the whole, once it is ARCHIVE_RATIO_FROM_BYTES:
code becomes four, tables twenty, what was made to fill a disk a thousand."""

ARCHIVE_RATIO_FROM_BYTES: Final = 16 * MIB
"""Bytes of an unpacked archive from which on ARCHIVE_RATIO holds: what is smaller does no harm."""

TRUSTED_KEYS: Final = 64
"""Keys that a worker may be told to trust: it says all of them when it joins."""

HELD_PLUGINS: Final = 1000
"""Plugins of the server that a worker remembers, each with where it is, or why it cannot be had."""

PLUGIN_RETRY_SECONDS: Final = 300.0
"""That a worker remembers why a plugin cannot be had, before it tries again: somebody may have
installed what was missing."""

PLUGIN_LOAD_SECONDS: Final = 300.0
"""That the import of a plugin may take: large libraries from a slow disk take a minute."""

EXECUTOR_PLUGINS: Final = 20
"""Plugins of the server, or versions of one, that an executor imports before it is replaced: what
was imported cannot be given back."""

PLUGIN_AGAIN_SECONDS: Final = 86400.0
"""After which a worker looks again at a plugin that it has, once tasks of it come: it notes so that
the plugin is in use, and finds out if it is gone."""

UNUSED_PLUGIN_SECONDS: Final = 14 * 86400.0
"""That a worker keeps a plugin, and what was installed for it, after its last use: a holiday."""

PLUGIN_TIDY_SECONDS: Final = 3600.0
"""Between two looks of a worker for plugins that nobody has used for long."""

PLUGINS_AT_ONCE: Final = 4
"""Plugins that a worker fetches, unpacks and installs for at one time."""

INSTALL_SECONDS: Final = 1800.0
"""That the installation of dependencies may take: large ones, over a slow line, or compiled."""

INSTALL_LINES: Final = 30
"""The last lines of what installs that are told of when it fails."""

INSTALL_LINE_CHARS: Final = 500
"""Of each such line."""

SITE_LOCK_SECONDS: Final = 0.25
"""Between two looks whether another worker of this computer has made a site."""

PLUGINS_LOOK_SECONDS: Final = 1.0
"""Between two looks at whether plugins have changed: who edits one tries it a few seconds later."""

PLUGINS_LOOK_SHARE: Final = 20.0
"""Times what a look has taken: so looks at many files take a twentieth of a processor at most."""

PLUGINS_AGAIN_SECONDS: Final = 30.0
"""After which a plugin is packed again that the disk did not take: somebody may have made room."""

UNUSABLE_NOTED: Final = 16
"""Archives of which is noted why a worker could not use them, the newest; for people."""
