"""Jobs that come after others: what they wait for, and what becomes of them if it cannot come.

The jobs that a job comes after have lower numbers than it, so there is no circle. One that is not
in memory is looked up in the store; if it is not there either, the new job is refused, and after a
restart taken to have failed. A job that finishes has those looked at that come after it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from dc.errors import DcError, OptionsError
from dc.server.board import Board, named_jobs
from dc.server.jobs import Job
from dc.server.submissions import Find

GONE = "gone"
"""The state of a job that is not there any more."""


class Cancel(Protocol):
    """Cancels a job, as ClientSide.cancel does."""

    def __call__(
        self, job: Job, then: Callable[[], None], why: str = "", error: DcError | None = None
    ) -> None:
        """Cancel it."""


class Dependencies:
    """Holds jobs back that come after others.

    Args:
        board: where jobs are.
        find: finds jobs.
        cancel: cancels them.
        known: told of a new job once it is known that those which it comes after are there.

    Attributes:
        on_settled: told of a job that waits task by task for one that has finished before.
    """

    def __init__(
        self, board: Board, find: Find, cancel: Cancel, known: Callable[[Job], None]
    ) -> None:
        self._board = board
        self._find = find
        self._cancel = cancel
        self._known = known
        self._behind: dict[int, set[int]] = defaultdict(set)
        self._states: dict[int, dict[int, str]] = {}
        self.on_settled: Callable[[Job], None] = _nobody

    def needed(self) -> Iterable[int]:
        """Return the jobs that others come after which have not finished."""
        return self._behind.keys()

    def behind(self, number: int) -> Iterable[int]:
        """Return the unfinished jobs that come after one."""
        return self._behind.get(number, ())

    def state(self, job: Job, former: int) -> str:
        """Return how a job ended which `job` comes after; an empty text while it has not."""
        return self._states.get(job.number, {}).get(former, "")

    def added(self, job: Job, *, new: bool) -> None:
        """Take in an unfinished job, which is new or was found at the start."""
        after = job.options.after
        if not after:
            return
        self._states[job.number] = dict.fromkeys(after, "")
        job.holds.unknown = frozenset(after) if new else frozenset()
        if not job.options.each:
            job.holds.after = after
            self._board.hold(job)
        for former in after:
            self._behind[former].add(job.number)
        for former in after:
            self._find(former, partial(self._found, job.number, former, new))

    def _found(self, number: int, former: int, new: bool, found: Job | None) -> None:
        job = self._board.jobs.get(number)
        if job is None or number not in self._states:
            return
        job.holds.unknown -= {former}
        if found is not None and job.own_only and _is_foreign(job, found):
            found = None
        if found is None and new:
            text = f"after: there is no job {former}{self._board.kept}"
            self._cancel(
                job,
                _nothing,
                f"job {former}, which it came after, is not there",
                OptionsError(text),
            )
            return
        state = GONE if found is None else _final_state(found)
        self._states[number][former] = state
        self._judge(job)
        if state and job.options.each:
            self.on_settled(job)
        if new and not job.holds.unknown:
            self._known(job)

    def finished(self, job: Job) -> None:
        """Look at those that come after a job that has finished; it waits for none any more."""
        for number in list(self._behind.get(job.number, ())):
            later = self._board.jobs.get(number)
            if later is not None and not later.cancelled:
                self._states[number][job.number] = _final_state(job)
                self._judge(later)
        for former in self._states.pop(job.number, {}):
            self._behind[former].discard(job.number)
            if not self._behind[former]:
                del self._behind[former]

    def _judge(self, job: Job) -> None:
        """Let a job be handed out if what it waits for has come, or cancel it if it never will."""
        states = self._states[job.number]
        if not job.holds.after or job.cancelled:
            return
        what = job.options.after_what
        bad = [former for former, state in states.items() if state not in ("", "done")]
        if what == "done" and bad:
            why = f"{named_jobs(bad[:1])}, which it came after, {_became(states[bad[0]])}"
            self._cancel(job, _nothing, why)
            return
        left = tuple(former for former, state in states.items() if not state)
        job.holds.after = () if what == "any" and len(left) < len(states) else left
        self._board.hold(job)


def _is_foreign(job: Job, former: Job) -> bool:
    """Whether a job comes after one of another submitter: its tasks may read what came of that."""
    return job.options.submitter != former.options.submitter


def _final_state(job: Job) -> str:
    """Return how a job has ended; an empty text if it has not."""
    if not job.finished:
        return ""
    if job.cancelled:
        return "cancelled"
    return "failed" if job.failed else "done"


def _became(state: str) -> str:
    return {"failed": "has failed tasks", "cancelled": "was cancelled", GONE: "is gone"}[state]


def _nobody(_: Job) -> None:
    """Stand in for who is not there."""


def _nothing() -> None:
    """Nobody waits for that."""
