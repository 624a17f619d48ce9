"""Measure the codec of batches: nanoseconds of processor time for each task in them.

    python -m benchmarks.messages

Each case is a batch of one message with a thousand tasks of 64 bytes, as they are between a busy
server and its peers. To build it from columns is part of encoding it; to check that its columns are
equally long is part of decoding it.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.figures import least_cpu, show
from dc import messages, messages_parts
from dc.messages import Codec
from dc.messages_client import Finished, Payloads
from dc.messages_worker import Assign, Done

TASKS = 1000
ROUNDS = 200
VALUE = bytes(range(64))

NUMBERS = list(range(10_000, 10_000 + TASKS))
ONES = [1] * TASKS
TIMES = [0.000123] * TASKS


def payloads() -> messages_parts.Message:
    return Payloads(1, 10_000, [VALUE] * TASKS)


def assign() -> messages_parts.Message:
    return Assign(7, "noop", "1", 0.0, NUMBERS, ONES, [VALUE] * TASKS)


def done() -> messages_parts.Message:
    return Done(9, 7, NUMBERS, ONES, TIMES, [VALUE] * TASKS)


def finished() -> messages_parts.Message:
    outcomes: list[messages_parts.Outcome] = [VALUE] * TASKS
    return Finished(1, 9, "worker", 1.5e9, 64 * TASKS, NUMBERS, ONES, TIMES, outcomes)


CASES: list[tuple[Callable[[], messages_parts.Message], object]] = [
    (payloads, messages.FromClient),
    (assign, messages.ToWorker),
    (done, messages.FromWorker),
    (finished, messages.ToClient),
]


def main() -> None:
    for make, kinds in CASES:
        codec = Codec(kinds)
        data = codec.encode([make()])

        def encode(codec: Codec = codec, make: Callable[[], messages_parts.Message] = make) -> None:
            for _ in range(ROUNDS):
                codec.encode([make()])

        def decode(codec: Codec = codec, data: bytes = data) -> None:
            for _ in range(ROUNDS):
                (message,) = codec.decode(data)
                if hasattr(message, "numbers"):
                    messages.check_columns(message)

        tasks = ROUNDS * TASKS
        show(f"encode {make.__name__}, a task", least_cpu(encode) / tasks * 1e9, "ns")
        show(f"decode {make.__name__}, a task", least_cpu(decode) / tasks * 1e9, "ns")
        show(f"{make.__name__}, a task", len(data) / TASKS, "B")


if __name__ == "__main__":
    main()
