"""Running one task in an executor: from its payload to its outcome, whatever the task does."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from dc import limits
from dc.errors import PayloadError
from dc.messages import Failure
from dc.pipe import InFile
from dc.tasktypes import Context, TaskType
from dc.worker.former import fetch_result

Outcome: TypeAlias = bytes | InFile | Failure

OWN_FOLDER: Final = str(Path(__file__).parent.parent) + os.sep
CUT: Final = "\n… (the middle is cut out) …\n"


@dataclass(frozen=True, eq=False)
class Batch:
    """What the tasks of one Run share. `scratch` is the folder for their files."""

    job: int
    task_type: TaskType
    scratch: Path


def run_task(batch: Batch, number: int, attempt: int, payload: bytes | InFile) -> Outcome:
    """Run one task and return its outcome. Never raises: what a task raises is its failure."""
    context = None
    try:
        data = payload if type(payload) is bytes else Path(payload.path).read_bytes()  # type: ignore[union-attr]
        if batch.task_type.takes_context:
            folder = batch.scratch / f"scratch-{batch.job}-{number}-{attempt}"
            context = Context(batch.job, number, attempt, folder, fetch=fetch_result)
        result = batch.task_type.run(data, context)
        if len(result) <= limits.INLINE_BYTES:
            return result
        return _into_file(batch.scratch / f"result-{batch.job}-{number}-{attempt}", result)
    except BaseException as error:
        return failure_of(error)
    finally:
        if context is not None and context.used_scratch:
            shutil.rmtree(context.scratch, ignore_errors=True)


def _into_file(path: Path, result: bytes) -> InFile:
    """Write a large result to a file; nothing stays of it when that fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    hashing = threading.Thread(target=digest.update, args=(result,))
    try:
        hashing.start()
    except RuntimeError:  # no further thread may be started here
        digest.update(result)
    try:
        path.write_bytes(result)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        if hashing.ident is not None:
            hashing.join()
    return InFile(path=str(path), size=len(result), digest=digest.digest())


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
    kind = "payload" if isinstance(error, PayloadError) else "error"
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
