"""How a worker's program comes to its end: by signals; and how it starts anew."""

from __future__ import annotations

import math
import signal
from collections.abc import Awaitable, Callable, Iterable, Sequence

import trio

from dc import program
from dc.worker.app import WorkerApp


async def run(
    app: WorkerApp, finish: float, beside: Iterable[Callable[[], Awaitable[None]]]
) -> None:
    """Run a worker to its end, which SIGINT and SIGTERM bring.

    Args:
        app: the worker.
        finish: seconds in which what has begun may still be finished then.
        beside: what runs for as long.
    """
    async with trio.open_nursery() as nursery:
        await nursery.start(_watch_signals, app, finish, nursery.cancel_scope)
        for one in beside:
            nursery.start_soon(one)
        await app.run()
        nursery.cancel_scope.cancel()


async def _watch_signals(
    app: WorkerApp,
    finish: float,
    everything: trio.CancelScope,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """End the worker: cleanly at the first signal, at once at the second."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        await anext(signals)
        app.leave(finish)
        # A shell, a wrapper and a terminal may each pass on the same Ctrl-C.
        asked = trio.current_time()
        async for _ in signals:
            if trio.current_time() - asked > program.SAME_SIGNAL_SECONDS:
                everything.cancel()


def again(argv: Sequence[str], until: float) -> list[str]:
    """Return the arguments of a worker that is started anew: the same worker, with the same end."""
    kept: list[str] = []
    at = 0
    while at < len(argv):
        option, equals, _ = argv[at].partition("=")
        if option.startswith("--li") and "--lifetime".startswith(option):
            at += not equals
        elif not (option.startswith("--ne") and "--new-key".startswith(option)):
            kept.append(argv[at])
        at += 1
    return [*kept, "--lifetime", f"@{until:.3f}"] if until < math.inf else kept
