"""What a worker has to report: drafts of this turn, and reports not yet on the server's disk.

Outcomes are gathered per job while a turn of the loop lasts and become as few messages as their
size allows. Each message gets the next sequence and is kept until the server has recorded it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from msgspec import Struct

from dc import limits
from dc._columns import total
from dc.errors import ProtocolError
from dc.messages import Report
from dc.messages_parts import Blob, Failure
from dc.messages_worker import Done, Failed, Returned
from dc.portions import portions
from dc.worker.tasks import Job

BLOB_BYTES = 64
"""What a Blob counts for in a message."""


class Draft(Struct):
    """Results of one job that are not in a message yet; `size` is about their bytes."""

    numbers: list[int]
    attempts: list[int]
    times: list[float]
    results: list[bytes | Blob]
    size: int


class FailedDraft(Struct, frozen=True):
    """A failure that is not in a message yet."""

    job: Job
    number: int
    attempt: int
    time: float
    failure: Failure


class Reports:
    """The reports of one worker to one server."""

    def __init__(self) -> None:
        self.sequence = 0
        self.recorded = 0
        self._done: dict[int, Draft] = {}
        self._failed: list[FailedDraft] = []
        self._returned: dict[int, tuple[list[int], list[int]]] = {}
        self._returns = 0  # of those not recorded, how many are Returned
        self._unrecorded: deque[tuple[Report, int]] = deque()

    def __len__(self) -> int:
        """The number of reports that the server has not recorded, drafts aside."""
        return len(self._unrecorded)

    def __iter__(self) -> Iterator[tuple[Report, int]]:
        """All reports not yet recorded, in order, each with about its bytes."""
        return iter(self._unrecorded)

    @property
    def has_drafts(self) -> bool:
        """Whether `flush` would make reports."""
        return bool(self._done or self._failed or self._returned)

    @property
    def has_returns(self) -> bool:
        """Whether attempts go back that the server has not recorded as returned."""
        return bool(self._returned or self._returns)

    @property
    def has_outcomes(self) -> bool:
        """Whether results or failures are not recorded."""
        if self._done or self._failed:
            return True
        return any(not isinstance(report, Returned) for report, _ in self._unrecorded)

    @property
    def outcomes(self) -> int:
        """The number of results and failures that are not recorded, drafts aside."""
        reports = (report for report, _ in self._unrecorded if not isinstance(report, Returned))
        return sum(len(one.numbers) if isinstance(one, Done) else 1 for one in reports)

    def restore(self, recorded: int, reports: list[tuple[Report, int]]) -> None:
        """Go on from another process: `reports` are those after `recorded`, without a gap."""
        self.recorded = recorded
        self.sequence = recorded + len(reports)
        self._returns = sum(isinstance(report, Returned) for report, _ in reports)
        self._unrecorded.extend(reports)

    # --- drafts ---------------------------------------------------------------------------------

    def add_results(
        self,
        job: Job,
        numbers: list[int],
        attempts: list[int],
        times: list[float],
        results: list[bytes | Blob],
    ) -> None:
        """Take results; of the lists, copies are kept."""
        size = total(results, 0, _blob_size)
        draft = self._done.get(job.number)
        if draft is None:
            self._done[job.number] = Draft(
                list(numbers), list(attempts), list(times), list(results), size
            )
            return
        draft.numbers += numbers
        draft.attempts += attempts
        draft.times += times
        draft.results += results
        draft.size += size

    def add_failure(
        self, job: Job, number: int, attempt: int, time: float, failure: Failure
    ) -> None:
        """Take the failure of one attempt after `time` seconds."""
        self._failed.append(FailedDraft(job, number, attempt, max(0.0, time), failure))

    def add_returned(self, job: Job, numbers: list[int], attempts: list[int]) -> None:
        """Take attempts that go back to the server."""
        if numbers:
            columns = self._returned.setdefault(job.number, ([], []))
            columns[0].extend(numbers)
            columns[1].extend(attempts)

    def flush(self) -> list[tuple[Report, int]]:
        """Make messages of all drafts; return the new ones, each with about its bytes."""
        made: list[tuple[Report, int]] = []
        for job, draft in self._done.items():
            made += self._done_reports(job, draft)
        for failed in self._failed:
            made.append((self._failed_report(failed), 4 * limits.KIB))
        for job, (numbers, attempts) in self._returned.items():
            for start in range(0, len(numbers), limits.BATCH_TASKS):
                part = slice(start, start + limits.BATCH_TASKS)
                made.append((Returned(self._next(), job, numbers[part], attempts[part]), 0))
                self._returns += 1
        self._done, self._failed, self._returned = {}, [], {}
        self._unrecorded.extend(made)
        return made

    def _done_reports(self, job: int, draft: Draft) -> Iterator[tuple[Report, int]]:
        if draft.size <= limits.BATCH_BYTES and len(draft.numbers) <= limits.BATCH_TASKS:
            columns = draft.numbers, draft.attempts, draft.times, draft.results
            yield Done(self._next(), job, *columns), draft.size
            return
        start = 0
        for stop, size in portions(draft.results, 0, _blob_size):
            part = slice(start, stop)
            start = stop
            yield (
                Done(
                    self._next(),
                    job,
                    draft.numbers[part],
                    draft.attempts[part],
                    draft.times[part],
                    draft.results[part],
                ),
                size,
            )

    def _failed_report(self, draft: FailedDraft) -> Failed:
        return Failed(
            self._next(), draft.job.number, draft.number, draft.attempt, draft.time, draft.failure
        )

    def _next(self) -> int:
        self.sequence += 1
        return self.sequence

    # --- recorded -------------------------------------------------------------------------------

    def forget_up_to(self, sequence: int) -> list[Report]:
        """Forget the reports up to a sequence; return them.

        Raises:
            ProtocolError: no report of that sequence was made.
        """
        if sequence > self.sequence:
            text = f"the server recorded report {sequence}, of {self.sequence} made"
            raise ProtocolError(text)
        self.recorded = max(self.recorded, sequence)
        gone: list[Report] = []
        while self._unrecorded and self._unrecorded[0][0].sequence <= sequence:
            gone.append(self._unrecorded.popleft()[0])
            self._returns -= isinstance(gone[-1], Returned)
        return gone

    # --- looking --------------------------------------------------------------------------------

    def attempts(self) -> set[tuple[int, int, int]]:
        """Return (job, number, attempt) of all drafts and reports."""
        found = {(one.job.number, one.number, one.attempt) for one in self._failed}
        for job, draft in self._done.items():
            found.update(_keys(job, draft.numbers, draft.attempts))
        for job, (numbers, attempts) in self._returned.items():
            found.update(_keys(job, numbers, attempts))
        for report, _ in self._unrecorded:
            if isinstance(report, Failed):
                found.add((report.job, report.number, report.attempt))
            else:
                found.update(_keys(report.job, report.numbers, report.attempts))
        return found

    def reported(self, job: int) -> set[tuple[int, int]]:
        """Return (number, attempt) of all drafts and reports of a job."""
        return {(number, attempt) for one, number, attempt in self.attempts() if one == job}

    def validate(self) -> None:
        """Check that the sequences have no gap and end where they should."""
        sequences = [report.sequence for report, _ in self._unrecorded]
        assert sequences == list(range(self.recorded + 1, self.sequence + 1)), sequences
        returns = sum(isinstance(report, Returned) for report, _ in self._unrecorded)
        assert returns == self._returns, "what goes back is counted wrongly"


def _blob_size(_: object) -> int:
    return BLOB_BYTES


def _keys(job: int, numbers: list[int], attempts: list[int]) -> Iterator[tuple[int, int, int]]:
    return ((job, number, attempt) for number, attempt in zip(numbers, attempts, strict=True))
