"""Which blobs records name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from dc._columns import weigh
from dc.messages_parts import Blob
from dc.records import NewJob, NewPlugin, NewTasks, Outcomes, Record, TaskCheckpoint, TaskOutput


def named(records: Iterable[Record]) -> set[bytes]:
    """Return the digests of all blobs that these records name."""
    return {digest for record in records for digest in _named(record)}


def _named(record: Record) -> Iterator[bytes]:
    match record:
        case NewTasks():
            yield from _among(record.payloads)
        case Outcomes():
            yield from _among(record.outcomes)
        case NewJob():
            yield from _among(list(record.options.inputs.values()))
            yield from [record.plugin] * bool(record.plugin)
        case TaskCheckpoint():
            yield from _among([record.data])
        case TaskOutput():
            yield from _among([record.whole])
        case NewPlugin():
            yield record.digest


def _among(pieces: Sequence[Any]) -> Iterator[bytes]:
    if weigh(list(pieces)).others:
        yield from (piece.digest for piece in pieces if isinstance(piece, Blob))
