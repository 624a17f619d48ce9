"""Pieces: the payloads or outcomes of many tasks, joined as one blob. No IO.

Beside the joined bytes stands a *head*: a JSON object of columns, one element a task, which tells
where each piece ends and what it is. The name of a blob and a failure are JSON among the pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

import msgspec
from msgspec import Struct

from dc.messages_parts import Blob, Failure, Outcome, Payload
from dc.records import Outcomes


class BatchHead(Struct):
    """Where the pieces of a batch's blob end, and of what kind each is; see 0001_first.sql."""

    ends: list[int]
    kinds: str = ""


class RecordHead(Struct):
    """The columns of an Outcomes record."""

    worker: str
    at: float
    attempts: list[int]
    times: list[float]
    ends: list[int]
    kinds: str = ""


_encode = msgspec.json.Encoder().encode
_special: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Blob | Failure)


def encoded(piece: Blob | Failure) -> bytes:
    """Return a blob's name or a failure as it is stored."""
    return _encode(piece)


def decoded(piece: bytes) -> Any:
    """Return the blob's name or the failure that a stored piece stands for."""
    return _special.decode(piece)


def blob_name(piece: bytes) -> str | None:
    """Return the SHA-256, in hexadecimal, of the blob that a stored piece names, or None."""
    found = decoded(piece)
    return found.name if isinstance(found, Blob) else None


def pack(pieces: Sequence[Outcome]) -> tuple[list[int], str, bytes]:
    """Return where each piece ends, the kind of each, and the pieces joined.

    The kinds are an empty string when every piece is bytes.
    """
    kinds = ""
    if set(map(type, pieces)) - {bytes}:
        kinds = "".join(map(_kind, pieces))
        pieces = [encoded(p) if isinstance(p, Blob | Failure) else p for p in pieces]
    return list(accumulate(map(len, pieces))), kinds, b"".join(pieces)  # type: ignore[arg-type]


def _kind(piece: Outcome) -> str:
    return "b" if isinstance(piece, Blob) else "f" if isinstance(piece, Failure) else "v"


class Batch:
    """A batch of payloads as it is stored. `first` is the number of its first task."""

    def __init__(self, first: int, head: BatchHead, body: bytes) -> None:
        self.first = first
        self.count = len(head.ends)
        self._head = head
        self._body = body

    def payloads(self, numbers: Iterable[int]) -> list[Payload]:
        """Return the payloads of these tasks, all of which are in the batch."""
        first = self.first
        return cut(self._head.ends, self._head.kinds, self._body, [n - first for n in numbers])

    def sizes(self, numbers: Iterable[int]) -> list[int]:
        """Return the sizes of these payloads in bytes; of a bare batch as well."""
        if self._head.kinds:
            return [size_of(payload) for payload in self.payloads(numbers)]
        first, ends = self.first, [0, *self._head.ends]
        return [ends[n - first + 1] - ends[n - first] for n in numbers]


class StoredOutcomes:
    """A record of outcomes as it is stored."""

    def __init__(
        self, sequence: int, job: int, numbers: list[int], head: RecordHead, body: bytes
    ) -> None:
        self.sequence = sequence
        self.numbers = numbers
        self._job = job
        self._head = head
        self._body = body
        self._places: dict[int, int] = {}
        self._asked = False

    def whole(self) -> Outcomes:
        """Return the record as it was committed."""
        return self.part(range(len(self.numbers)))

    def of(self, numbers: Iterable[int]) -> Outcomes:
        """Return the record with these of its tasks only.

        Of most records one task is wanted: a search costs less than an index, which is made for
        those that come after.
        """
        wanted = list(numbers)
        if not self._asked and len(wanted) == 1:
            self._asked = True
            return self.part([self.numbers.index(wanted[0])])
        if not self._places:
            self._places = {number: place for place, number in enumerate(self.numbers)}
        return self.part([self._places[number] for number in wanted])

    def part(self, places: Sequence[int]) -> Outcomes:
        """Return the record with the tasks at these places only."""
        head = self._head
        return Outcomes(
            sequence=self.sequence,
            job=self._job,
            worker=head.worker,
            at=head.at,
            numbers=[self.numbers[place] for place in places],
            attempts=[head.attempts[place] for place in places],
            times=[head.times[place] for place in places],
            outcomes=cut(head.ends, head.kinds, self._body, places),
        )


def cut(ends: list[int], kinds: str, body: bytes, places: Sequence[int]) -> list[Any]:
    """Return the pieces at these places: what `pack` was given."""
    found: list[Any] = [body[ends[p - 1] if p else 0 : ends[p]] for p in places]
    if kinds:
        for at, place in enumerate(places):
            if kinds[place] != "v":
                found[at] = decoded(found[at])
    return found


def size_of(piece: Outcome | None) -> int:
    """Return the bytes of a payload or result; a failure has none."""
    if piece is None or isinstance(piece, Failure):
        return 0
    return piece.size if isinstance(piece, Blob) else len(piece)
