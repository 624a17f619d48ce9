"""How many bytes there may be, of a task, a job, a submitter and in all; and how many there are.

What counts is payloads, results, common inputs and output, inline or in blobs, as they come: a blob
each time that something names it. The store counts the same of each job, so that a server that
starts goes on with these figures. A step costs the same however much there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from msgspec import Struct

from dc import limits_store as limits
from dc._columns import weigh
from dc.errors import QuotaExceeded
from dc.messages_client import Options
from dc.messages_parts import Blob
from dc.portions import stored_size
from dc.requirements import bytes_text


class Quotas(Struct, frozen=True):
    """Bytes, 0 for as many as there is room for.

    Attributes:
        task: of one payload, one result, one checkpoint or the output of one task.
        job: of all tasks of a job together.
        submitter: of all jobs of one submitter.
        all: of all jobs.
    """

    task: int = 0
    job: int = 0
    submitter: int = 0
    all: int = 0


NONE: Final = Quotas()


def reserve_of(wanted: int | None, disk: int) -> int:
    """Return the bytes of a disk that are left to the database, of those that were asked for.

    Args:
        wanted: so many, or None for the usual ones.
        disk: bytes of the whole.
    """
    return min(limits.RESERVE_BYTES, disk // 20) if wanted is None else wanted


class Counted(Protocol):
    """What is counted of: a job."""

    number: int
    bytes: int

    @property
    def options(self) -> Options:
        """Its options, of which the submitter is one."""


class Usage:
    """Counts bytes, and says what is too much.

    Attributes:
        quotas: how much there may be.
        all: how many bytes are counted in all.
    """

    def __init__(self) -> None:
        self.quotas = NONE
        self.all = 0
        self._submitters: dict[str, int] = {}

    def restore(self, usage: Mapping[str, int]) -> None:
        """Begin with what the store has counted of the jobs of each submitter."""
        self._submitters = {name: size for name, size in usage.items() if size}
        self.all = sum(self._submitters.values())

    def count(self, job: Counted, size: int) -> None:
        """Count bytes that a job has more of from now on."""
        job.bytes += size
        self._add(job.options.submitter, size)

    def free(self, submitter: str, size: int) -> None:
        """Note that a job of a submitter was removed, of which so many bytes were counted."""
        self._add(submitter, -size)

    def _add(self, submitter: str, size: int) -> None:
        self.all += size
        left = self._submitters.get(submitter, 0) + size
        if left:
            self._submitters[submitter] = left
        else:
            self._submitters.pop(submitter, None)

    def of(self, submitter: str) -> int:
        """Return how many bytes are counted of a submitter's jobs."""
        return self._submitters.get(submitter, 0)

    def submitters(self) -> dict[str, int]:
        """Return how many bytes are counted of whom, of those of whom there are any."""
        return dict(self._submitters)

    # --- what is too much -----------------------------------------------------------------------

    def check(self, job: Counted, column: list[Any]) -> None:
        """Check that payloads or outcomes of a job fit, before they are counted.

        Raises:
            QuotaExceeded: they do not.
        """
        if self.quotas is not NONE:
            self._check_each(column)
            self.check_more(job, stored_size(column))

    def check_more(self, job: Counted, size: int) -> None:
        """Check that so many bytes more of a job fit.

        Raises:
            QuotaExceeded: they do not.
        """
        self._check_more(f"job {job.number}", job.bytes, job.options.submitter, size)

    def check_new(self, submitter: str, inputs: list[Any]) -> None:
        """Check that a new job of a submitter may have these inputs.

        Raises:
            QuotaExceeded: they do not fit.
        """
        if self.quotas is not NONE:
            self._check_each(inputs)
            self._check_more("the new job", 0, submitter, stored_size(inputs))

    def _check_more(self, job: str, have: int, submitter: str, size: int) -> None:
        quotas = self.quotas
        _check(job, "job", have, size, quotas.job)
        whose = f"submitter {submitter}" if submitter else "whoever gives no name"
        _check(whose, "submitter", self.of(submitter), size, quotas.submitter)
        _check("all jobs", "all", self.all, size, quotas.all)

    def _check_each(self, column: list[Any]) -> None:
        most = self.quotas.task
        if not most:
            return
        weight = weigh(column)
        largest = weight.longest
        if weight.others:
            sizes = [item.size for item in column if isinstance(item, Blob)]
            largest = max(largest, *sizes, 0)
        self.check_one(largest)

    def check_one(self, size: int) -> None:
        """Check that a payload, a result or an output may have so many bytes.

        Raises:
            QuotaExceeded: it is too large.
        """
        if 0 < self.quotas.task < size:
            raise QuotaExceeded(
                f"{bytes_text(size)} are too much for one task: the quota of a task "
                f"(--quota-task) is {bytes_text(self.quotas.task)}; split it, or ask the "
                "operator for more"
            )

    def check_upload(self, size: int) -> None:
        """Check that a blob of so many bytes may be put, whatever will name it.

        Raises:
            QuotaExceeded: nothing may.
        """
        self.check_one(size)
        quotas = self.quotas
        for name, most in (("job", quotas.job), ("submitter", quotas.submitter)):
            _check(f"any {name}", name, 0, size, most)
        _check("all jobs", "all", self.all, size, quotas.all)

    def validate(self) -> None:
        """Check that the figures add up; AssertionError says what does not."""
        assert self.all == sum(self._submitters.values()), "bytes in all are not those of all"
        assert all(size > 0 for size in self._submitters.values()), "a submitter has no bytes"


def _check(whose: str, name: str, used: int, size: int, most: int) -> None:
    if not most or used + size <= most:
        return
    help_ = {
        "job": "have less in one job",
        "submitter": "wait until earlier jobs are removed",
        "all": "wait until finished jobs are removed",
    }[name]
    raise QuotaExceeded(
        f"{bytes_text(size)} more are too much for {whose}: {bytes_text(used)} are used, and the "
        f"quota (--quota-{name}) is {bytes_text(most)}; {help_}, or ask the operator for more"
    )
