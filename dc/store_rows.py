"""Records as rows of the database, and back: no IO.

A batch of payloads or outcomes becomes one blob and a *head* (store_pieces.py). So a task costs a
few list elements and never a row of its own to bind or to fetch.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

from dc import limits_store as limits
from dc.messages_client import Counts, Options
from dc.messages_parts import Blob, Failure, Payload
from dc.portions import stored_size
from dc.records import (
    AttemptEnds,
    Attempts,
    JobCancelled,
    JobChanged,
    JobEnded,
    JobFigures,
    JobNumbers,
    JobRow,
    Leases,
    NewJob,
    NewPlugin,
    NewTasks,
    Outcomes,
    PluginRow,
    Record,
    Retried,
    SubmitterChanged,
    TaskCheckpoint,
    TaskOutput,
    TaskRow,
    WorkerRow,
    Workers,
)
from dc.records_access import AccessRecord
from dc.records_shown import Events, History, Presences, SettingChanged, ShownRecord
from dc.store_access import access_row
from dc.store_figures import ends_row, figures_row
from dc.store_pieces import (
    Batch,
    BatchHead,
    RecordHead,
    StoredOutcomes,
    cut,
    decoded,
    encoded,
    pack,
    size_of,
)
from dc.store_shown import shown_line

Row: TypeAlias = tuple[int | float | str | bytes | None, ...]

COLUMNS: Final = 11
"""Of the view `incoming`: kind, job, key, count, at, bytes, numbers, failed, blobs, head, body."""

NO_ROW: Final[Row] = (None,) * COLUMNS
"""A row that the view's triggers pass over."""

NO_TRIES: Final = (0, 0, 0)
"""Attempts, crashes and failures of a task that has had none."""

NONE: Final = "[]"
"""What json_group_array() gives for no rows."""


class Spec(Struct):
    """What was submitted, as `jobs.spec` holds it."""

    type: str
    version: str
    options: Options
    payload: str
    result: str
    submitter: str = ""
    plugin: str = ""


_encode = msgspec.json.Encoder().encode
_spec = msgspec.json.Decoder(Spec)
_batch_heads = msgspec.json.Decoder(list[BatchHead])
_record_heads = msgspec.json.Decoder(list[RecordHead])
_columns = msgspec.json.Decoder(list[list[int]])
_texts = msgspec.json.Decoder(list[str])
_workers = msgspec.json.Decoder(list[WorkerRow])
_names = msgspec.json.Decoder(list[str | None])
_leases = msgspec.json.Decoder(list[tuple[int, int, int, str]])
_integers = msgspec.json.Decoder(list[int])


def to_json(value: Any) -> str:
    """Return the value as JSON text."""
    return _encode(value).decode()


def integers(text: str) -> list[int]:
    """Return a JSON list of integers."""
    return _integers.decode(text)


def columns(text: str) -> list[list[int]]:
    """Return a JSON list of lists of integers."""
    return _columns.decode(text)


def texts(text: str) -> list[str]:
    """Return a JSON list of strings."""
    return _texts.decode(text)


def workers(text: str) -> list[WorkerRow]:
    """Return a JSON list of workers."""
    return _workers.decode(text)


def leases(text: str) -> list[tuple[int, int, int, str]]:
    """Return a JSON list of leases: job, number, attempt, and the worker's key."""
    return _leases.decode(text)


# --- to rows ------------------------------------------------------------------------------------


def rows(records: Iterable[Record]) -> list[Row]:
    """Return the records as rows of the view `incoming`, one each; empty batches give none."""
    found = []
    for record in records:
        row = _row(record)
        if row is not None:
            found.append(row)
    return found


def _row(record: Record) -> Row | None:
    if isinstance(record, Outcomes):
        return _outcomes_row(record) if record.numbers else None
    if isinstance(record, NewTasks):
        return _tasks_row(record) if record.payloads else None
    if isinstance(record, Attempts):
        return _attempts_row(record) if record.numbers else None
    if isinstance(record, Leases):
        return _leases_row(record) if record.numbers else None
    if isinstance(record, NewJob):
        return _job_row(record)
    if isinstance(record, AttemptEnds):
        return ends_row(record)
    if isinstance(record, JobFigures):
        return figures_row(record)
    if isinstance(record, Retried):
        return _retried_row(record) if record.numbers else None
    if isinstance(record, AccessRecord):
        return access_row(record)
    return _plain_row(record)


def _plain_row(
    record: JobEnded
    | JobNumbers
    | JobCancelled
    | JobChanged
    | SubmitterChanged
    | Workers
    | TaskOutput
    | TaskCheckpoint
    | NewPlugin
    | ShownRecord,
) -> Row:
    match record:
        case History() | Presences() | Events() | SettingChanged():
            kind, key, at, head = shown_line(record)
            return _line(kind, 0, key=key, at=at, head=head)
        case NewPlugin():
            return _plugin_row(record)
        case TaskOutput():
            return _output_row(record)
        case TaskCheckpoint():
            return _checkpoint_row(record)
        case JobEnded():
            return _line(3, record.job, count=record.count, at=record.at)
        case JobCancelled():
            return _line(4, record.job, at=record.at, head=record.why)
        case JobNumbers():
            return _line(8, record.job)
        case JobChanged():
            head = to_json(record.options)
            return _line(11, record.job, count=int(record.paused), head=head)
        case SubmitterChanged():
            return _line(13, 0, at=record.weight, head=record.name)
        case Workers(rows, forgotten):
            return _line(20, 0, numbers=to_json(forgotten), head=to_json(rows))


def _job_row(record: NewJob) -> Row:
    options = record.options
    codecs = (record.payload, record.result)
    spec = Spec(
        *(record.type, record.version, options, *codecs, options.submitter),
        record.plugin.hex(),
    )
    inputs = list(options.inputs.values())
    names = [blob.name for blob in inputs] + [spec.plugin] * bool(spec.plugin)
    blobs = to_json({"names": names, "size": stored_size(inputs)}) if names else None
    return (
        *(1, record.job, record.key, None, record.created, None, None, None),
        *(blobs, to_json(spec), None),
    )


def _plugin_row(record: NewPlugin) -> Row:
    texts = (record.name, record.manifest.decode(), record.types.decode())
    head = to_json([*texts, record.signer.hex(), record.signature.hex()])
    key, size = record.digest.hex(), record.size
    return _line(40, 0, key=key, count=size, at=record.added, head=head)


def _line(
    kind: int,
    job: int,
    *,
    key: str | None = None,
    count: int | None = None,
    at: float | None = None,
    numbers: str | None = None,
    head: str | None = None,
) -> Row:
    return (kind, job, key, count, at, None, numbers, None, None, head, None)


def _tasks_row(record: NewTasks) -> Row:
    ends, kinds, body = pack(record.payloads)
    head = to_json(BatchHead(ends, kinds))
    blobs = _blobs(record.payloads) if kinds else None
    count = len(record.payloads)
    return (2, record.job, record.first, count, None, None, None, None, blobs, head, body)


def _outcomes_row(record: Outcomes) -> Row:
    ends, kinds, body = pack(record.outcomes)
    failed, blobs = "[]", None
    if kinds:
        pairs = zip(record.numbers, kinds, strict=True)
        failed = to_json([number for number, kind in pairs if kind == "f"])
        blobs = _blobs(record.outcomes)
    head = RecordHead(record.worker, record.at, record.attempts, record.times, ends, kinds)
    size = len(body) + limits.TASK_BYTES * len(ends)
    return (
        *(5, record.job, record.sequence, max(record.numbers) + 1, record.at, size),
        *(to_json(record.numbers), failed, blobs, to_json(head), body),
    )


def _blobs(pieces: list[Any]) -> str:
    """Return which blobs are among pieces not all of which are bytes, and the size of all."""
    names = [piece.name for piece in pieces if isinstance(piece, Blob)]
    return to_json({"names": names, "size": stored_size(pieces)})


def _attempts_row(record: Attempts) -> Row:
    columns = (record.numbers, record.attempts, record.crashes, record.failures)
    lists = to_json(list(zip(*columns, strict=True)))
    return _line(6, record.job, count=max(record.numbers) + 1, numbers=lists)


def _retried_row(record: Retried) -> Row:
    lists = to_json(list(zip(record.numbers, record.attempts, strict=True)))
    return _line(12, record.job, count=len(record.numbers), numbers=lists)


def _leases_row(record: Leases) -> Row:
    lists = to_json(list(zip(record.numbers, record.attempts, strict=True)))
    return _line(7, record.job, count=max(record.numbers) + 1, numbers=lists, head=record.worker)


def _output_row(record: TaskOutput) -> Row:
    whole = record.whole
    blob = (None, 0) if whole is None else (whole.name, whole.size)
    head = to_json([record.attempt, record.total, len(record.head), *blob])
    body = record.head + record.tail
    return (30, record.job, record.number, None, None, None, None, None, None, head, body)


def _checkpoint_row(record: TaskCheckpoint) -> Row:
    data = record.data
    digest = data.name if isinstance(data, Blob) else None
    body = encoded(data) if isinstance(data, Blob) else data
    return (
        *(31, record.job, record.number, record.attempt),
        *(None, None, None, None, None, digest, body),
    )


# --- from rows ----------------------------------------------------------------------------------


def batches(row: Row) -> list[Batch]:
    """Return the batches in a row of the query `batches`."""
    firsts, heads, sizes, body = row
    if firsts == NONE:
        return []
    return [
        Batch(first, head, piece)
        for first, head, piece in zip(
            integers(str(firsts)), _batch_heads.decode(str(heads)), _split(sizes, body), strict=True
        )
    ]


def stored_outcomes(job: int, row: Row) -> list[StoredOutcomes]:
    """Return the records in a row of the query `records`, in the order of their sequences."""
    sequences, numbers, heads, sizes, body = row
    if sequences == NONE:
        return []
    parts = zip(
        integers(str(sequences)),
        columns(str(numbers)),
        _record_heads.decode(str(heads)),
        _split(sizes, body),
        strict=True,
    )
    found = [StoredOutcomes(s, job, n, h, piece) for s, n, h, piece in parts]
    return sorted(found, key=lambda record: record.sequence)


def _split(sizes: Any, body: Any) -> list[bytes]:
    ends = list(accumulate(integers(sizes)))
    return cut(ends, "", body, range(len(ends)))


def task_output(
    job: int, number: int, row: tuple[int, int, int, bytes, str | None, int] | None
) -> TaskOutput | None:
    """Return the output in a row of the query `output`."""
    if row is None:
        return None
    attempt, total, split, body, name, size = row
    whole = None if name is None else Blob(bytes.fromhex(name), size)
    return TaskOutput(job, number, attempt, body[:split], body[split:], total, whole)


def checkpoints(row: Row) -> dict[int, Payload]:
    """Return the checkpoints in a row of the query `checkpoints_among`, by number."""
    numbers, digests, sizes, body = row
    if numbers == NONE:
        return {}
    names = _names.decode(str(digests))
    rows = zip(integers(str(numbers)), names, _split(sizes, body), strict=True)
    return {n: piece if name is None else decoded(piece) for n, name, piece in rows}


def job_row(row: Row) -> JobRow:
    """Return the job in a row of the queries of jobs."""
    job, text, created, ended, cancelled_at, total, done, failed, key, *control = row
    spec = _spec.decode(str(text))
    return JobRow(
        job=int(job or 0),
        type=spec.type,
        version=spec.version,
        options=spec.options,
        payload=spec.payload,
        result=spec.result,
        created=float(created or 0),
        ended=bool(ended),
        cancelled_at=None if cancelled_at is None else float(cancelled_at),
        counts=counts(int(total or 0), int(done or 0), int(failed or 0), cancelled_at is not None),
        key=str(key),
        paused=bool(control[0]),
        why=str(control[1]),
        retried=int(control[2] or 0),
        plugin=bytes.fromhex(spec.plugin),
        bytes=int(control[3] or 0),
        finished_at=None if control[4] is None else float(control[4]),
    )


def plugin_row(row: Row) -> PluginRow:
    """Return the plugin in a row of the query `plugins`."""
    digest, size, name, manifest, types, added, signer, signature = row
    return PluginRow(
        digest=bytes.fromhex(str(digest)),
        size=int(size or 0),
        name=str(name),
        manifest=str(manifest).encode(),
        types=str(types).encode(),
        added=float(added or 0),
        signer=bytes.fromhex(str(signer)),
        signature=bytes.fromhex(str(signature)),
    )


def counts(total: int, done: int, failed: int, cancelled: bool) -> Counts:
    """Return a job's counts: what has no outcome is cancelled with the job, or queued."""
    rest = total - done - failed
    return Counts(
        total=total,
        queued=0 if cancelled else rest,
        done=done,
        failed=failed,
        cancelled=rest if cancelled else 0,
    )


def task_row(
    job: int,
    number: int,
    payload_size: int,
    finished: Outcomes | None,
    tries: tuple[int, int, int],
    with_outcome: bool,
) -> TaskRow:
    """Return a task.

    Args:
        job: its job.
        number: its number.
        payload_size: of its payload, in bytes.
        finished: a record of this task alone, if it has its outcome.
        tries: its attempts, crashes and failures, as Attempts has them.
        with_outcome: keep a result too; a failure is always kept.
    """
    row = TaskRow(
        job=job,
        number=number,
        payload_size=payload_size,
        finished=finished is not None,
        attempt=tries[0],
        crashes=tries[1],
    )
    if finished is None:
        return row
    (outcome,) = finished.outcomes
    failed = isinstance(outcome, Failure)
    return msgspec.structs.replace(
        row,
        failed=failed,
        attempt=finished.attempts[0],
        worker=finished.worker,
        at=finished.at,
        time=finished.times[0],
        outcome_size=size_of(outcome),
        outcome=outcome if failed or with_outcome else None,
    )
