"""Running one task in an executor: from its payload to its outcome, whatever the task does."""

from __future__ import annotations

import os
import traceback
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from dc import limits
from dc.context import Context
from dc.errors import PayloadError
from dc.messages import Environment, Failure, Limits
from dc.pipe import InFile
from dc.removal import remove_folder
from dc.tasktypes import TaskType
from dc.worker.files import into_file
from dc.worker.former import fetch_result
from dc.worker.notes import Desk

Outcome: TypeAlias = bytes | InFile | Failure

OWN_FOLDER: Final = str(Path(__file__).parent.parent) + os.sep
CUT: Final = "\n… (the middle is cut out) …\n"


@dataclass(eq=False)
class Batch:
    """What the tasks of one Run share.

    Attributes:
        job: its number.
        task_type: what runs them.
        scratch: the folder for their files.
        limits: of each of them.
        environment: variables that are set for them.
        stops: where an attempt is named that is to stop.
        checkpoints: by number, what an earlier attempt has saved last.
        desk: takes what tasks tell of themselves; None where nobody listens.
        resources: what each of them may use, empty for one cpu.
        plugin: the folder of the code, where it came from the server; see Child.
        site: the folder of what was installed for it.
    """

    job: int
    task_type: TaskType
    scratch: Path
    limits: Limits = field(default_factory=dict)
    environment: Environment = field(default_factory=dict)
    stops: Collection[tuple[int, int, int]] = ()
    checkpoints: Mapping[int, bytes | InFile] = field(default_factory=dict)
    desk: Desk | None = None
    resources: dict[str, float] = field(default_factory=dict)
    plugin: str = ""
    site: str = ""

    def context(self, number: int, attempt: int) -> Context:
        """Return what a task may know of itself, and its way to say something."""
        key = self.job, number, attempt
        folder = self.scratch / f"scratch-{self.job}-{number}-{attempt}"
        saved = self.checkpoints.get(number)
        before = Path(saved.path) if isinstance(saved, InFile) else saved
        notes = None if self.desk is None else self.desk.notes(key, self.scratch)
        context = Context(*key, folder, self.stops, notes, before, fetch_result)
        context.resources = self.resources or context.resources
        return context


def run_task(batch: Batch, number: int, attempt: int, payload: bytes | InFile) -> Outcome:
    """Run one task and return its outcome. Never raises: what a task raises is its failure."""
    context = None
    try:
        data = payload if type(payload) is bytes else Path(payload.path).read_bytes()  # type: ignore[union-attr]
        if batch.task_type.takes_context:
            context = batch.context(number, attempt)
        result = batch.task_type.run(data, context)
        if len(result) <= limits.INLINE_BYTES:
            return result
        return into_file(batch.scratch / f"result-{batch.job}-{number}-{attempt}", result)
    except BaseException as error:
        return failure_of(error)
    finally:
        if context is not None and context.used_scratch:
            remove_folder(context.scratch)


def failure_of(error: BaseException) -> Failure:
    """Return an exception as a failure, without the frames of dc itself, and bounded."""
    try:
        first = error.__traceback__
        while first is not None and first.tb_frame.f_code.co_filename.startswith(OWN_FOLDER):
            first = first.tb_next
        lines = traceback.format_exception(type(error), error, first)
        text, trace = _one_line(error), "".join(lines)
    except BaseException as second:
        text = f"{type(error).__name__} (and its text cannot be had: {type(second).__name__})"
        trace = ""
    kind = "error"
    if isinstance(error, PayloadError | MemoryError):
        kind = "payload" if isinstance(error, PayloadError) else "memory"
    return Failure(kind=kind, error=_bounded(text), traceback=_bounded(trace))


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _bounded(text: str) -> str:
    """Return a text that can travel: of UTF-8, and of ERROR_CHARS at most."""
    if len(text) > limits.ERROR_CHARS:
        half = (limits.ERROR_CHARS - len(CUT)) // 2
        text = text[:half] + CUT + text[-half:]
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode()
    return text


def size_of(outcome: Outcome) -> int:
    """Return about how many bytes an outcome takes on the pipe."""
    if isinstance(outcome, bytes):
        return len(outcome)
    if isinstance(outcome, Failure):
        return 4 * (len(outcome.error) + len(outcome.traceback))
    return 4 * len(outcome.path)
