"""The attempts that a worker holds: by job, and those that wait in the order of their assignment.

A job's `held` names every attempt from its assignment until its report is on the server's disk; it
is what the worker tells the server that it holds, and what any late news about an attempt is
compared with. An attempt that is not there any more was stopped or replaced.

Tasks wait in *chunks*: columns as they came in a message. A chunk is cut where a batch ends, and
tasks that come back from an executor become chunks again. Each task has a place in the order of
assignment, `order`, which it keeps: so what comes back is in front by itself.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from itertools import repeat
from typing import TypeAlias

from msgspec import Struct

from dc import limits, limits_worker
from dc.messages_parts import Blob, Environment, Limits, Plugin
from dc.pipe import InFile
from dc.worker.code import Code

LocalPayload = bytes | InFile
Setting: TypeAlias = tuple[int | tuple[str, str], ...]
"""The niceness and the variables of a job's tasks."""


class Job:
    """What a worker knows of a job.

    Args:
        number: the job's number.
        type_: the name of its task type.
        version: the version of its task type.
        timeout: the time limit of each task in seconds, 0 for none.

    Attributes:
        held: the attempt of each task that the worker holds, by the task's number.
        mean: the moving mean of its tasks' run times in seconds; negative while unknown.
        limits: of each of its tasks.
        environment: variables that are set for its tasks.
        checkpoints: by number, what an earlier attempt has saved last; of some also when the
            attempt is not held any more.
        plugin: the one that its code is in, for a type of which the worker has no code itself.
        code: where that is, once it is here.
        keep_output: whether all that its tasks write is kept.
        traceparent: the parent of what its tasks do, `traced` if the submitter has said it.
        setting: what an executor cannot put back once it was set: jobs may share one if equal.
        inputs: what all its tasks may read, by name, while attempts of it are held.
        files: the same as files, once all are here.
        foreign: whether it is of another server than the present one.
    """

    __slots__ = (
        "checkpoints",
        "code",
        "environment",
        "files",
        "foreign",
        "held",
        "inputs",
        "keep_output",
        "limits",
        "mean",
        "number",
        "plugin",
        "setting",
        "timeout",
        "traced",
        "traceparent",
        "type",
        "version",
    )

    def __init__(self, number: int, type_: str, version: str, timeout: float) -> None:
        self.number = number
        self.type = type_
        self.version = version
        self.timeout = timeout
        self.held: dict[int, int] = {}
        self.mean = -1.0
        self.limits: Limits = {}
        self.environment: Environment = {}
        self.setting: Setting = (0,)
        self.checkpoints: dict[int, LocalPayload] = {}
        self.plugin: Plugin | None = None
        self.code: Code | None = None
        self.inputs: dict[str, Blob] = {}
        self.files: dict[str, InFile] = {}
        self.foreign = False
        self.keep_output = False
        self.traceparent, self.traced = "", False

    def confine(self, limits: Limits, environment: Environment) -> None:
        """Take what the server says of each of its tasks."""
        self.limits, self.environment = limits, environment
        self.setting = (limits.get("nice", 0), *sorted(environment.items()))

    def input_digests(self) -> set[bytes]:
        """Return the digests of what all its tasks may read."""
        return {blob.digest for blob in self.inputs.values()}

    def learn(self, times: list[float]) -> None:
        """Take the run times of finished tasks in seconds.

        The mean moves by three tenths of the way with each batch, as the server's does.
        """
        mean = sum(times) / len(times)
        self.mean = mean if self.mean < 0 else self.mean + 0.3 * (mean - self.mean)

    @property
    def is_short(self) -> bool:
        """Whether several of its tasks fit one batch for an executor."""
        return 0 <= 2 * self.mean <= limits_worker.EXECUTOR_BATCH_SECONDS

    def batch_size(self) -> int:
        """Return how many of its tasks one executor gets at a time."""
        if self.mean < 0:
            return 1
        fitting = limits_worker.EXECUTOR_BATCH_SECONDS / max(self.mean, 1e-9)
        return max(1, min(int(fitting), limits_worker.EXECUTOR_BATCH_TASKS))

    def forget(self, numbers: list[int], attempts: list[int]) -> None:
        """Forget attempts, where they are still the ones held."""
        held = self.held
        if list(map(held.get, numbers)) == attempts:
            deque(map(held.pop, numbers, repeat(None)), maxlen=0)
            return
        for number, attempt in zip(numbers, attempts, strict=True):
            if held.get(number) == attempt:
                del held[number]


class Chunk(Struct):
    """Tasks of one job that follow each other in the order of assignment.

    `size` is about the bytes of their payloads. `alone` marks tasks that may have crashed an
    executor: each of them gets one to itself, so that the next crash has one culprit. `resources`
    are the amounts that each uses while it runs, empty for one cpu.
    """

    job: Job
    order: int
    numbers: list[int]
    attempts: list[int]
    payloads: list[LocalPayload]
    size: int
    alone: bool = False
    resources: dict[str, float] = {}

    def cut(self, count: int) -> Chunk:
        """Take the first `count` tasks out, as a chunk of their own."""
        share = self.size * count // max(1, len(self.numbers))
        head = Chunk(
            self.job,
            self.order,
            self.numbers[:count],
            self.attempts[:count],
            self.payloads[:count],
            share,
            self.alone,
            self.resources,
        )
        del self.numbers[:count], self.attempts[:count], self.payloads[:count]
        self.order += count
        self.size -= share
        return head

    def split(self, count: int) -> tuple[Chunk, Chunk]:
        """Return the first `count` tasks and the rest; leave this chunk as it is."""
        columns = self.numbers.copy(), self.attempts.copy(), self.payloads.copy()
        rest = Chunk(self.job, self.order, *columns, self.size, self.alone, self.resources)
        return rest.cut(count), rest

    def join(self, other: Chunk) -> None:
        """Add another chunk's tasks behind."""
        self.numbers += other.numbers
        self.attempts += other.attempts
        self.payloads += other.payloads
        self.size += other.size

    def pick(self, positions: list[int]) -> Chunk:
        """Return a chunk of the tasks at these positions."""
        share = self.size * len(positions) // max(1, len(self.numbers))
        return Chunk(
            self.job,
            self.order,
            [self.numbers[at] for at in positions],
            [self.attempts[at] for at in positions],
            [self.payloads[at] for at in positions],
            share,
            self.alone,
            self.resources,
        )

    def live(self) -> Chunk:
        """Return the tasks whose attempts are still held."""
        held = self.job.held
        if list(map(held.get, self.numbers)) == self.attempts:
            return self
        rows = enumerate(zip(self.numbers, self.attempts, strict=True))
        alive = [at for at, (number, attempt) in rows if held.get(number) == attempt]
        return self.pick(alive)

    def files(self) -> list[InFile]:
        """Return the payloads that are in files."""
        if InFile not in set(map(type, self.payloads)):
            return []
        return [payload for payload in self.payloads if isinstance(payload, InFile)]

    def dead_files(self) -> list[InFile]:
        """Return those of attempts that are not held any more."""
        if InFile not in set(map(type, self.payloads)):
            return []
        held = self.job.held.get
        rows = zip(self.numbers, self.attempts, self.payloads, strict=True)
        return [
            file
            for number, attempt, file in rows
            if isinstance(file, InFile) and held(number) != attempt
        ]


class Queue:
    """The tasks that wait for an executor, in the order of their assignment."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Chunk]] = []
        self._pushed = 0
        self.count = 0

    def __bool__(self) -> bool:
        return bool(self.count)

    def __iter__(self) -> Iterator[Chunk]:
        return (chunk for _, _, chunk in self._heap)

    def push(self, chunk: Chunk) -> None:
        """Put tasks at their place."""
        if chunk.numbers:
            self._pushed += 1
            heapq.heappush(self._heap, (chunk.order, self._pushed, chunk))
            self.count += len(chunk.numbers)

    def head(self) -> Chunk:
        """Return the first chunk. The queue must not be empty."""
        return self._heap[0][2]

    def pop(self) -> Chunk:
        """Take the first chunk out. The queue must not be empty."""
        chunk = heapq.heappop(self._heap)[2]
        self.count -= len(chunk.numbers)
        return chunk

    def in_order(self) -> Iterator[Chunk]:
        """Yield the chunks, the first one first."""
        return (chunk for _, _, chunk in sorted(self._heap))

    def take_behind(self, chunk: Chunk) -> Chunk:
        """Take out what one executor gets at a time of a chunk that need not be the first."""
        self._heap = [row for row in self._heap if row[2] is not chunk]
        heapq.heapify(self._heap)
        self.count -= len(chunk.numbers)
        count = self._fitting(chunk, chunk.job.batch_size())
        if count >= len(chunk.numbers):
            return chunk
        head = chunk.cut(count)
        self.push(chunk)
        return head

    def take_batch(self) -> Chunk:
        """Take out what one executor gets at a time. The queue must not be empty."""
        batch = self._take(self.head().job.batch_size())
        job, alone = batch.job, batch.alone
        while self and (head := self.head()).job is job and not (alone or head.alone):
            room = job.batch_size() - len(batch.numbers)
            if room <= 0 or batch.size >= limits.BATCH_BYTES or head.resources != batch.resources:
                break
            batch.join(self._take(room))
        return batch

    def _take(self, most: int) -> Chunk:
        """Take up to `most` tasks out of the first chunk."""
        chunk = self.head()
        count = self._fitting(chunk, most)
        if count >= len(chunk.numbers):
            return self.pop()
        self.count -= count
        head = chunk.cut(count)
        heapq.heapreplace(self._heap, (chunk.order, self._heap[0][1], chunk))
        return head

    def _fitting(self, chunk: Chunk, most: int) -> int:
        """Return how many tasks of a chunk, `most` at most, fit one batch."""
        per_task = chunk.size // len(chunk.numbers)
        return 1 if chunk.alone else min(most, max(1, limits.BATCH_BYTES // max(1, per_task)))

    def take_all(self, plugin: Plugin) -> list[Chunk]:
        """Take out all tasks whose code is in a plugin."""
        mine = [row for row in self._heap if row[2].job.plugin == plugin]
        self._heap = [row for row in self._heap if row[2].job.plugin != plugin]
        heapq.heapify(self._heap)
        self.count -= sum(len(chunk.numbers) for _, _, chunk in mine)
        return [chunk for _, _, chunk in mine]

    def drop_dead(self, job: Job) -> list[InFile]:
        """Take out the tasks of a job whose attempts are not held any more; return their files."""
        files: list[InFile] = []
        kept: list[tuple[int, int, Chunk]] = []
        for order, pushed, chunk in self._heap:
            alive = chunk.live() if chunk.job is job else chunk
            if alive is not chunk:
                files += chunk.dead_files()
            if alive.numbers:
                kept.append((order, pushed, alive))
        self._heap = kept
        heapq.heapify(kept)
        self.count = sum(len(chunk.numbers) for _, _, chunk in kept)
        return files
