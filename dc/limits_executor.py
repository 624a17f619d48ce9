"""What bounds executors and what goes through their pipes, with units and reasons."""

from __future__ import annotations

from typing import Final

from dc.limits import KIB, MIB

# --- executors -----------------------------------------------------------------------------------

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

# --- from inside a task --------------------------------------------------------------------------

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
