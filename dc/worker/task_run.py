"""Running one task in an executor: from its payload to its outcome, whatever the task does."""

from __future__ import annotations

import os
import traceback
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from msgspec import Struct

from dc import limits, limits_worker
from dc.context import Context, Former
from dc.errors import PayloadError
from dc.inputs import Input
from dc.messages_parts import Environment, Failure, Limits
from dc.pipe import MISSING, InFile
from dc.removal import remove_folder
from dc.tasktypes import TaskType
from dc.worker.files import into_file, result_of
from dc.worker.notes import Desk

Outcome: TypeAlias = bytes | InFile | Failure

OWN_FOLDER: Final = str(Path(__file__).parent.parent) + os.sep
CUT: Final = "\n… (the middle is cut out) …\n"


class Batch(Struct, eq=False):
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
        inputs: files that all of them may read, by name.
        former: has results of other jobs.
        traceparent: the parent of what they do; `traced` if whoever submitted the job has said it.
        span: the trace context of the one that runs, where that is more than what follows from it.
    """

    job: int
    task_type: TaskType
    scratch: Path
    limits: Limits = {}
    environment: Environment = {}
    stops: Collection[tuple[int, int, int]] = ()
    checkpoints: Mapping[int, bytes | InFile] = {}
    desk: Desk | None = None
    resources: dict[str, float] = {}
    plugin: str = ""
    site: str = ""
    inputs: Mapping[str, InFile] = {}
    former: Former | None = None
    traceparent: str = ""
    traced: bool = False
    span: str = ""

    def context(self, number: int, attempt: int) -> Context:
        """Return what a task may know of itself, and its way to say something."""
        key = self.job, number, attempt
        folder = self.folder(number, attempt)
        saved = self.checkpoints.get(number)
        before = Path(saved.path) if isinstance(saved, InFile) else saved
        notes = None if self.desk is None else self.desk.notes(key, self.scratch)
        context = Context(*key, folder, self.stops, notes, before, self.former)
        context.resources = self.resources or context.resources
        context.trace_in(self.traceparent, self.span)
        if self.inputs:
            files = self.inputs.items()
            context.inputs = {name: Input(Path(file.path), file.size) for name, file in files}
        return context

    def folder(self, number: int, attempt: int) -> Path:
        """Return the scratch folder of an attempt."""
        return self.scratch / f"scratch-{self.job}-{number}-{attempt}"

    def result_path(self, number: int, attempt: int) -> Path:
        """Return where a large result of an attempt is to be."""
        return self.scratch / f"result-{self.job}-{number}-{attempt}"

    def missing(self, number: int, payload: bytes | InFile) -> str:
        """Return which file of a task is not there as it should be, or nothing."""
        saved = self.checkpoints.get(number)
        for file in (payload, saved, *self.inputs.values()):
            if isinstance(file, InFile) and not _is_there(file):
                return file.path
        return ""


def run_task(batch: Batch, number: int, attempt: int, payload: bytes | InFile) -> Outcome:
    """Run one task and return its outcome. Never raises: what a task raises is its failure."""
    context = None
    try:
        task_type = batch.task_type
        if task_type.takes_context:
            context = batch.context(number, attempt)
        if type(payload) is not bytes or batch.inputs or batch.checkpoints:
            return _run_with_files(batch, number, attempt, payload, context)
        if not task_type.is_plain:
            return _run_large(batch, number, attempt, payload, context)
        result = task_type.run(payload, context)
        if len(result) <= limits.INLINE_BYTES:
            return result
        return into_file(batch.result_path(number, attempt), result)
    except BaseException as error:
        return failure_of(error)
    finally:
        if context is not None and context.used_scratch:
            remove_folder(context.scratch)


def _run_with_files(
    batch: Batch, number: int, attempt: int, payload: bytes | InFile, context: Context | None
) -> Outcome:
    """Run a task that is to have files; should one be gone, say so and do not begin."""
    if missing := batch.missing(number, payload):
        return Failure(MISSING, _bounded(f"{missing} is gone, or was changed"))
    source = payload if isinstance(payload, bytes) else Path(payload.path)
    return _run_large(batch, number, attempt, source, context)


def _run_large(
    batch: Batch, number: int, attempt: int, payload: bytes | Path, context: Context | None
) -> Outcome:
    """Run a task whose payload is in a file, or whose type wants files or gives them."""
    task_type, folder = batch.task_type, batch.folder(number, attempt)
    to = batch.result_path(number, attempt)
    try:
        if task_type.is_plain:
            data = payload if isinstance(payload, bytes) else payload.read_bytes()
            result = task_type.run(data, context)
            return result if len(result) <= limits.INLINE_BYTES else into_file(to, result)
        value = task_type.run_raw(payload, context, folder)
        return result_of(task_type, value, to, [folder, Path()])
    finally:
        if folder.exists() and (context is None or not context.used_scratch):
            remove_folder(folder)


def _is_there(file: InFile) -> bool:
    """Whether a file of the cache is as it was when it was fetched."""
    try:
        status = Path(file.path).stat()
    except OSError:
        return False
    is_old = not file.digest or status.st_mtime == limits_worker.CACHED_TIME
    return is_old and status.st_size == file.size


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
