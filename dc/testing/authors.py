"""For authors of plugins: task types that are run in a test, with no server and no worker."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import trio

from dc.context import Context
from dc.errors import TaskFailed
from dc.executor import Executor
from dc.inputs import Input
from dc.messages_parts import Failure
from dc.pipe import InFile, Ran, Retire, Run, Wrote
from dc.plugins import load_plugins
from dc.tasktypes import TaskType

Inputs: TypeAlias = Mapping[str, bytes | Path]
"""What tasks find as `context.inputs`, by name: bytes, or files."""


class Told:
    """What a task has told of itself in a test: give it to `run`.

    Attributes:
        progressed: each fraction and message.
        saved: each checkpoint.
    """

    def __init__(self) -> None:
        self.progressed: list[tuple[float, str]] = []
        self.saved: list[bytes] = []

    def progress(self, fraction: float, text: str) -> None:
        """Take how far the task is."""
        self.progressed.append((fraction, text))

    def save(self, data: bytes) -> None:
        """Take a checkpoint."""
        self.saved.append(data)


def run(
    task_type: TaskType,
    payload: Any,
    *,
    checkpoint: bytes | None = None,
    told: Told | None = None,
    inputs: Inputs | None = None,
) -> Any:
    """Run one task as a worker does, but in this process, and return its result.

    The payload and the result go through bytes, so what does not fit its type is found.

    Args:
        task_type: the task type.
        payload: the payload, as a value.
        checkpoint: what an earlier attempt has saved, as `context.checkpoint` has it.
        told: takes what the task tells of its progress, and what it saves.
        inputs: what it finds as `context.inputs`: bytes, or files.

    Raises:
        PayloadError: the payload does not have the declared type.
        PluginError: the result does not have the declared type.
        BaseException: whatever the function raises.
    """
    with TemporaryDirectory(prefix="dc-testing-") as folder:
        context = Context(1, 0, 1, Path(folder) / "scratch", (), told, checkpoint)
        files = _input_files(inputs or {}, Path(folder) / "inputs")
        context.inputs = {name: Input(Path(file.path), file.size) for name, file in files.items()}
        data = task_type.run(task_type.encode_payload(payload), context)
    return task_type.decode_result(data)


def run_all(task_type: TaskType, *inputs: Any) -> Any:
    """Split the inputs, run each payload, merge the results; return the final answer."""
    results = (run(task_type, payload) for payload in task_type.split_inputs(*inputs))
    return task_type.merge_results(results)


def _input_files(inputs: Inputs, folder: Path) -> dict[str, InFile]:
    """Return the inputs as files; those that were given as bytes are made in `folder`."""
    files: dict[str, InFile] = {}
    for number, (name, given) in enumerate(inputs.items()):
        path = given if isinstance(given, Path) else folder / str(number)
        if isinstance(given, bytes):
            folder.mkdir(exist_ok=True)
            path.write_bytes(given)
        files[name] = InFile(str(path.absolute()), path.stat().st_size)
    return files


def run_in_executor(
    folder: Path, name: str, payloads: Iterable[Any], *, inputs: Inputs | None = None
) -> list[Any]:
    """Run tasks in a real executor process, which loads the plugin from its folder.

    Args:
        folder: the plugin's folder, as given to `--plugins`.
        name: the task type's name.
        payloads: values.
        inputs: what the tasks find as `context.inputs`: bytes, or files.

    Returns:
        The results, in the order of the payloads.

    Raises:
        TaskFailed: a task failed, or the executor died.
        UnknownTaskType: the folder has no such type, or is broken; the text says why.
    """
    return trio.run(_run_in_executor, folder, name, list(payloads), inputs or {})


async def _run_in_executor(
    folder: Path, name: str, payloads: Sequence[Any], inputs: Inputs
) -> list[Any]:
    types = load_plugins([folder], entry_points=False)
    task_type = types.get(name)
    executor = await Executor.start([folder], entry_points=False)
    try:
        with TemporaryDirectory(prefix="dc-testing-") as scratch:
            results: list[Any] = []
            files = _input_files(inputs, Path(scratch) / "inputs")
            while len(results) < len(payloads):
                data = task_type.encode_payload(payloads[len(results)])
                what = task_type.name, task_type.version
                run = Run(1, *what, scratch, [0], [1], [data], inputs=files)
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
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_show_output, executor)
        while not isinstance(message := await executor.receive(), Ran | Retire | None):
            if isinstance(message, Wrote):
                _show(message)
        nursery.cancel_scope.cancel()
    if message is None:
        raise TaskFailed(f"the executor died: {executor.exit_text}", kind="crashed")
    return message.outcomes[0] if isinstance(message, Ran) else None


async def _show_output(executor: Executor) -> None:
    """Print what the tasks of an executor print."""
    while (wrote := await executor.receive_output()) is not None:
        _show(wrote)


def _show(wrote: Wrote) -> None:
    sys.stdout.write(wrote.data.decode("utf-8", "replace"))


async def _result(task_type: TaskType, outcome: bytes | InFile | Failure) -> Any:
    if isinstance(outcome, Failure):
        raise TaskFailed(outcome.error, kind=outcome.kind, traceback=outcome.traceback)
    if isinstance(outcome, InFile):
        outcome = await trio.Path(outcome.path).read_bytes()
    return task_type.decode_result(outcome)
