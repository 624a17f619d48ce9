"""Failures of tasks in the log, for those who have asked for more (`--verbose`).

They are read from the records that go to the store: the thought that makes these logs nothing.
"""

from __future__ import annotations

import logging

from dc.log_fields import about
from dc.messages_parts import Failure
from dc.records import Attempts, Outcomes, Record

log = logging.getLogger("dc.server")


def log_record(record: Record) -> None:
    """Log what a record says of tasks that did not come to a result."""
    if isinstance(record, Outcomes):
        for at, outcome in enumerate(record.outcomes):
            if isinstance(outcome, Failure):
                where = about(
                    job=record.job,
                    task=record.numbers[at],
                    attempt=record.attempts[at],
                    worker=record.worker,
                )
                log.debug("failed for good: %s: %s", outcome.kind, outcome.error, extra=where)
    elif isinstance(record, Attempts):
        for task, attempt in zip(record.numbers, record.attempts, strict=True):
            where = about(job=record.job, task=task, attempt=attempt)
            log.debug("waits for another attempt", extra=where)
