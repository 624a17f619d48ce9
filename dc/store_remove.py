"""Removing finished jobs from the SQLite store, in steps that each hold up commits but shortly.

The first step hides the job and sees to it that its numbers are never given again; the next ones
remove its rows, each in one statement that is a commit of its own; the last one removes the job.
Whatever is interrupted goes on with the next call. All of it blocks.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from dc import limits_store as limits
from dc.errors import StoreConflict
from dc.records import Removed
from dc.store_file import queries
from dc.store_rows import texts
from dc.store_write import Writer

STEPS: Final = (
    "remove_finished",
    "remove_failures",
    "remove_attempts",
    "remove_attempt_ends",
    "remove_attempt_end_count",
    "remove_figures",
    "remove_leases",
    "remove_checkpoints",
    "remove_outputs",
    "remove_output_size",
    "remove_batches",
    "remove_records",
)


class Remover:
    """Removes jobs over the writer's connection, in its turn."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._queries = queries()

    def remove(self, job: int, limit: int) -> Removed:
        """See Store.

        Raises:
            StoreConflict: the job has not finished.
            sqlite3.Error: it cannot be written.
        """
        values = {"job": job, "limit": limit, "bytes": limits.REMOVE_BYTES}
        found = self._ask("removing", values).fetchone()
        if found is None:
            return Removed(more=False, blobs=[])
        finished, hidden = found
        if not finished:
            raise StoreConflict(f"job {job} has not finished: it cannot be removed")
        if not hidden:
            self._ask("keep_numbers", {})
            self._ask("hide", values)
            return Removed(more=True, blobs=[])
        if any(self._ask(step, values).rowcount for step in STEPS):
            return Removed(more=True, blobs=[])
        return self._remove_last(values)

    def _remove_last(self, values: dict[str, int]) -> Removed:
        (names,) = self._ask("last_uses", values).fetchone()
        blobs = [bytes.fromhex(name) for name in texts(names)]
        if self._ask("remove_uses", values).rowcount > 0:
            return Removed(more=True, blobs=blobs)
        usage = self._ask("usage_of_job", values).fetchone()
        self._ask("remove_job", values)
        return Removed(False, blobs, *usage)

    def drop_plugins(self, before: float) -> list[bytes]:
        """See Store.

        Raises:
            sqlite3.Error: it cannot be written.
        """
        found = self._ask("drop_plugins", {"before": before}).fetchall()
        return sorted(bytes.fromhex(digest) for (digest,) in found)

    def _ask(self, name: str, values: dict[str, int] | dict[str, float]) -> sqlite3.Cursor:
        return self._writer.execute(self._queries[name], values)
