"""What bounds the store, with units and reasons."""

from __future__ import annotations

from typing import Final

from dc.limits import KIB, MIB

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
