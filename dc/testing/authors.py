"""For authors of plugins: task types that are run in a test, with no server and no worker."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import trio

from dc.errors import TaskFailed
from dc.executor import Executor
from dc.messages import Failure
from dc.pipe import InFile, Ran, Retire, Run
from dc.plugins import load_plugins
from dc.tasktypes import Context, TaskType


def run(task_type: TaskType, payload: Any) -> Any:
    """Run one task as a worker does, but in this process, and return its result.

    The payload and the result go through bytes, so what does not fit its type is found.

    Args:
        task_type: the task type.
        payload: the payload, as a value.

    Raises:
        PayloadError: the payload does not have the declared type.
        PluginError: the result does not have the declared type.
        BaseException: whatever the function raises.
    """
    with TemporaryDirectory(prefix="dc-testing-") as folder:
        context = Context(1, 0, 1, Path(folder) / "scratch")
        data = task_type.run(task_type.encode_payload(payload), context)
    return task_type.decode_result(data)


def run_all(task_type: TaskType, *inputs: Any) -> Any:
    """Split the inputs, run each payload, merge the results; return the final answer."""
    results = (run(task_type, payload) for payload in task_type.split_inputs(*inputs))
    return task_type.merge_results(results)


def run_in_executor(folder: Path, name: str, payloads: Iterable[Any]) -> list[Any]:
    """Run tasks in a real executor process, which loads the plugin from its folder.

    Args:
        folder: the plugin's folder, as given to `--plugins`.
        name: the task type's name.
        payloads: values.

    Returns:
        The results, in the order of the payloads.

    Raises:
        TaskFailed: a task failed, or the executor died.
        UnknownTaskType: the folder has no such type, or is broken; the text says why.
    """
    return trio.run(_run_in_executor, folder, name, list(payloads))


async def _run_in_executor(folder: Path, name: str, payloads: Sequence[Any]) -> list[Any]:
    types = load_plugins([folder], entry_points=False)
    task_type = types.get(name)
    executor = await Executor.start([folder], entry_points=False)
    try:
        with TemporaryDirectory(prefix="dc-testing-") as scratch:
            results: list[Any] = []
            while len(results) < len(payloads):
                data = task_type.encode_payload(payloads[len(results)])
                run = Run(1, task_type.name, task_type.version, scratch, [0], [1], [data])
                outcome = await _outcome(executor, run)
                if outcome is None:  # the task before has left something behind
                    await executor.aclose()
                    executor = await Executor.start([folder], entry_points=False)
                else:
                    results.append(await _result(task_type, outcome))
            return results
    finally:
        await executor.aclose()


async def _outcome(executor: Executor, run: Run) -> bytes | InFile | Failure | None:
    """Return the outcome of a task; None if the executor is to be replaced before it."""
    await executor.send(run)
    while True:
        message = await executor.receive()
        if message is None:
            raise TaskFailed(f"the executor died: {executor.exit_text}", kind="crashed")
        if isinstance(message, Retire):
            return None
        if isinstance(message, Ran):
            return message.outcomes[0]


async def _result(task_type: TaskType, outcome: bytes | InFile | Failure) -> Any:
    if isinstance(outcome, Failure):
        raise TaskFailed(outcome.error, kind=outcome.kind, traceback=outcome.traceback)
    if isinstance(outcome, InFile):
        outcome = await trio.Path(outcome.path).read_bytes()
    return task_type.decode_result(outcome)
