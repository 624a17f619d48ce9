"""From what was typed to a job's payloads."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from dc.client.handles import Handle
from dc.client.plain_client import Client
from dc.errors import DcError, PluginError
from dc.tasktypes import TaskType

SHA256: Final = re.compile("[0-9a-f]{64}")


def payloads_of(
    task_type: TaskType | None,
    codec: str,
    inputs: Sequence[str],
    file: str | None,
    client: Client,
) -> Iterator[Any]:
    """Yield the payloads of a job.

    Args:
        task_type: as the plugin here has it; None if there is none.
        codec: of its payloads, `bytes` or `msgpack`.
        inputs: from the command line.
        file: of further inputs, one a line; `-` for standard input.
        client: that knows what was put.

    Raises:
        OSError: a file cannot be read.
        PluginError: the plugin's split failed.
        PayloadError: an input is no payload of the type.
    """
    if task_type is not None and task_type.has_split:
        yield from _split(task_type, [*inputs, *_lines(file)])
        return
    for text in inputs:
        if text.startswith("@") and codec == "bytes":
            yield bytes_of(client, text[1:])
        else:
            yield _payload(task_type, codec, _read(text[1:]) if text.startswith("@") else text)
    for line in _lines(file):
        yield _payload(task_type, codec, line)


def bytes_of(client: Client, text: str) -> Path | Handle:
    """Return what a file, or a SHA-256 of bytes that the server has, stands for.

    Raises:
        OSError: there is no such file.
        UnknownBlob: it is a SHA-256, and the server has nothing of it.
    """
    path = Path(text)
    if SHA256.fullmatch(text) and not path.exists():
        return client.blob(text)
    path.stat()
    return path


def _read(path: str) -> str:
    return Path(path).read_text("utf-8", errors="replace")


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


def _payload(task_type: TaskType | None, codec: str, text: str) -> Any:
    if codec == "bytes":
        return text.encode()
    if task_type is not None:
        return next(task_type.split_inputs(text))
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
