"""From what was typed to a job's payloads."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from dc.errors import DcError, PluginError
from dc.tasktypes import TaskType


def payloads_of(
    task_type: TaskType | None, codec: str, inputs: Sequence[str], file: str | None
) -> Iterator[Any]:
    """Yield the payloads of a job.

    Args:
        task_type: as the plugin here has it; None if there is none.
        codec: of its payloads, `bytes` or `msgpack`.
        inputs: from the command line.
        file: of further inputs, one a line; `-` for standard input.

    Raises:
        OSError: a file cannot be read.
        PluginError: the plugin's split failed.
        PayloadError: an input is no payload of the type.
    """
    if task_type is not None and task_type.has_split:
        yield from _split(task_type, [*inputs, *_lines(file)])
        return
    for text in inputs:
        data: str | bytes = Path(text[1:]).read_bytes() if text.startswith("@") else text
        yield _payload(task_type, codec, data)
    for line in _lines(file):
        yield _payload(task_type, codec, line)


def _split(task_type: TaskType, inputs: Sequence[str]) -> Iterator[Any]:
    try:
        yield from task_type.split_inputs(*inputs)
    except DcError:
        raise
    except Exception as error:
        text = f"the split of {task_type.name} failed: {type(error).__name__}: {error}"
        raise PluginError(text) from error


def _lines(file: str | None) -> Iterator[str]:
    if file == "-":
        yield from (line.rstrip("\r\n") for line in sys.stdin)
    elif file is not None:
        with Path(file).open(encoding="utf-8") as lines:
            yield from (line.rstrip("\r\n") for line in lines)


def _payload(task_type: TaskType | None, codec: str, given: str | bytes) -> Any:
    if codec == "bytes":
        return given if isinstance(given, bytes) else given.encode()
    text = given if isinstance(given, str) else given.decode(errors="replace")
    if task_type is not None:
        return next(task_type.split_inputs(text))
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
