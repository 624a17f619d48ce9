"""Rules about what the server decides, checked as it decides.

- The outcome of a task is recorded of the worker and the attempt that the task was given to last.
- A task that runs with a worker is not given to another while the first one's lease holds.
- A worker that an operator has paused or drained is given nothing.
- A task that has its outcome is given to nobody, unless it was set aside for it to run again.
- A task that waits for one of another job is not given before that one has its outcome.

The second rule, exactly. A task is given anew (to anybody) while an execution of its last attempt
is under way or has succeeded. That is a violation unless, since that attempt was given,

- the worker's process has died, was suspended, or another one with the same key was there, or
- its executor has died, or the server was told that the attempt failed or was returned, or
- the server had not heard of the worker for the grace of the job at some time, or
- the server was restarted and had not written down that the attempt was with the worker, or
- the server has itself stopped the attempt, or the job has a time limit.

An attempt that has not begun to run may be given again: nothing runs twice by that.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Final

from msgspec import Struct

from dc import limits
from dc.messages import Hello
from dc.messages_client import Options
from dc.messages_parts import Failure
from dc.messages_worker import Assign, Failed, Held, Returned, Stop
from dc.records import (
    Attempts,
    JobCancelled,
    JobEnded,
    Leases,
    NewJob,
    Outcomes,
    Record,
    Retried,
    Workers,
)
from dc.server.events import Action, Closed, Event, Received, Send, Write
from dc.server.events import Close as CloseAction
from dc.testing.ledger import Execution, Given, Ledger, Task
from dc.testing.process import Process

SLACK_SECONDS: Final = 2 * limits.TICK_SECONDS
"""Of a lease: the server looks at the clock once a second."""


class Contact(Struct):
    """What the server heard of a worker: last, and the last time that it had not for a while."""

    heard: float
    silences: list[tuple[float, float]] = []  # when it ended, and how long it was


class ServerRules:
    """See the module.

    Args:
        ledger: where everything is written down.
        leases: whether the second rule is checked.

    Attributes:
        doubled: how many copies run beside a worker.
    """

    def __init__(self, ledger: Ledger, *, leases: bool) -> None:
        self._ledger = ledger
        self._with_leases = leases
        self._peers: dict[tuple[int, int], str] = {}
        self._keys: dict[str, str] = {}
        self._contacts: dict[str, Contact] = {}
        self._free: dict[Task, float] = {}  # when something allowed the task to be given again
        self._leased: dict[Task, str] = {}
        self._options: dict[int, Options] = {}
        self._disturbed: dict[str, float] = {}
        self._peer_keys: dict[tuple[int, int], str] = {}
        self._resting: dict[str, str] = {}  # by key, what operators have decided
        self._resting_on_disk: dict[str, str] = {}
        self._shorts: dict[str, set[str]] = defaultdict(set)
        self._finished: set[Task] = set()
        self._on_disk: set[Task] = set()
        self._over: set[int] = set()  # jobs that were cancelled
        self._totals: dict[int, int] = {}
        self._server_began = -1.0
        self.doubled: Counter[str] = Counter()

    # --- what comes about -----------------------------------------------------------------------

    def server_started(self) -> None:
        """Note that a server begins: all leases run from now."""
        self._server_began = self._ledger.now
        self._resting = dict(self._resting_on_disk)
        self._finished = set(self._on_disk)
        for contact in self._contacts.values():
            contact.heard = self._ledger.now

    def disturbed(self, worker: str) -> None:
        """Note that a worker died, was suspended, or had a double."""
        self._disturbed[worker] = self._ledger.now

    def happened(self, server: Process, event: Event) -> None:
        """Take in what the server was told."""
        if isinstance(event, Received):
            for message in event.batch:
                if isinstance(message, Hello) and message.about is not None:
                    self._peers[server.run, event.peer] = message.about.name
                    self._peer_keys[server.run, event.peer] = message.about.key
                    self._keys[message.about.name] = message.about.key
                    self._shorts[message.about.name].add(message.about.key[:8])
                elif isinstance(message, Failed):
                    self._free[message.job, message.number] = self._ledger.now
                elif isinstance(message, Returned):
                    self._set_free(message)
            worker = self._peers.get((server.run, event.peer))
            if worker is not None:
                self._heard(worker)
        elif isinstance(event, Closed):
            self._peers.pop((server.run, event.peer), None)

    def decided(self, server: Process, action: Action) -> None:
        """Take in what the server does."""
        if isinstance(action, Send):
            message = action.message
            if isinstance(message, Assign):
                worker = self._peers[server.run, action.peer]
                if (
                    decided := self._resting.get(self._peer_keys[server.run, action.peer])
                ) is not None:
                    text = f"{worker} is {decided}, and is given a task"
                    self._ledger.violate(text, message.job, message.numbers[0])
                for number, attempt in zip(message.numbers, message.attempts, strict=True):
                    self._given(server, worker, message.job, number, attempt)
            elif isinstance(message, Stop):
                self._set_free(message)
        elif isinstance(action, Write):
            if isinstance(action.record, Outcomes):
                self._recorded(server, action.record)
            elif isinstance(action.record, Retried):
                self._ledger.retried.add(action.record.job)
                _note_finished(self._finished, action.record)
            elif isinstance(action.record, NewJob):
                self._options[action.record.job] = action.record.options
            elif isinstance(action.record, Workers):
                self._decided_of_workers(action.record)
        elif isinstance(action, CloseAction):
            self._peers.pop((server.run, action.peer), None)

    def committed(self, record: Record) -> None:
        """Take in what lasts."""
        if isinstance(record, Workers):
            _note_resting(self._resting_on_disk, record)
        elif isinstance(record, JobCancelled):
            self._over.add(record.job)
        elif isinstance(record, JobEnded):
            self._totals[record.job] = record.count
        elif isinstance(record, Retried):
            _note_finished(self._on_disk, record)
        elif isinstance(record, Leases):
            self._leased.update(((record.job, number), record.worker) for number in record.numbers)
        elif isinstance(record, (Attempts, Outcomes)):
            for number in record.numbers:
                self._leased.pop((record.job, number), None)
            if isinstance(record, Outcomes):
                _note_finished(self._on_disk, record)

    def _decided_of_workers(self, record: Workers) -> None:
        _note_resting(self._resting, record)
        for row in record.rows:
            if row.order or row.state == "deleted":
                self.disturbed(row.name)  # its tasks go to others, whatever it does

    def _heard(self, worker: str) -> None:
        now = self._ledger.now
        contact = self._contacts.setdefault(worker, Contact(now, []))
        if now - contact.heard > SLACK_SECONDS:
            contact.silences.append((now, now - contact.heard))
        contact.heard = now

    def _set_free(self, message: Returned | Stop | Held) -> None:
        for number in message.numbers:
            self._free[message.job, number] = self._ledger.now

    # --- the rules ------------------------------------------------------------------------------

    def _given(self, server: Process, worker: str, job: int, number: int, attempt: int) -> None:
        given = self._ledger.given[job, number]
        self._check_after(worker, job, number)
        if (job, number) in self._finished:
            self._ledger.violate(f"a finished task is given to {worker}", job, number)
        if self._with_leases and given:
            last = given[-1]
            for execution in self._ledger.executions[job, number]:
                if self._is_of(execution, last) and not self._may_be_given(execution, last):
                    text = (
                        f"a task is given to {worker} while the lease of {last.worker}, which runs "
                        "it, holds"
                    )
                    self._ledger.violate(text, job, number)
        given.append(Given(worker, attempt, server.run, self._ledger.now))

    def _check_after(self, worker: str, job: int, number: int) -> None:
        """See that the counterpart of a task is on disk, if it waits for one."""
        options = self._options.get(job)
        if options is None or not options.each or job in self._ledger.retried:
            return
        former = options.after[0]
        known = (former, number) in self._on_disk or former in self._ledger.retried
        lacking = number >= self._totals.get(former, number + 1)
        if not known and not lacking and former not in self._over:
            text = (
                f"a task is given to {worker} before its counterpart in job {former} has finished"
            )
            self._ledger.violate(text, job, number)

    def _is_of(self, execution: Execution, given: Given) -> bool:
        return (
            execution.process.name == given.worker
            and execution.attempt == given.attempt
            and execution.began >= given.at
        )

    def _may_be_given(self, execution: Execution, last: Given) -> bool:
        """Whether a task of which there was such an execution may be given once more."""
        task = execution.job, execution.number
        if execution.how not in ("", "done") or not execution.process.is_alive:
            return True
        if self.doubled[last.worker]:
            return True
        if self._disturbed.get(last.worker, -1.0) >= last.at or self._free.get(task, -1) >= last.at:
            return True
        options = self._options.get(execution.job)
        if options is None or options.timeout:
            return True
        if self._server_began >= last.at and self._leased.get(task) != self._keys.get(last.worker):
            return True
        return self._was_silent(last, grace_of(options) - SLACK_SECONDS)

    def _was_silent(self, last: Given, grace: float) -> bool:
        contact = self._contacts[last.worker]
        if self._ledger.now - contact.heard >= grace:
            return True
        return any(ended > last.at and length >= grace for ended, length in contact.silences)

    def _recorded(self, server: Process, record: Outcomes) -> None:
        _note_finished(self._finished, record)
        if not record.worker:  # it was ended by an operator
            return
        for number, attempt, outcome in zip(
            record.numbers, record.attempts, record.outcomes, strict=True
        ):
            given = self._ledger.given[record.job, number]
            here = [one for one in given if one.run == server.run]
            known = here[-1:] or given
            mine = [one for one in known if record.worker in self._names(one.worker)]
            if not any(one.attempt == attempt for one in mine):
                what = "failure" if isinstance(outcome, Failure) else "result"
                text = (
                    f"the {what} of attempt {attempt} by {record.worker} is recorded, but it is "
                    "not the one that the task was given to last"
                )
                self._ledger.violate(text, record.job, number)

    def _names(self, worker: str) -> set[str]:
        """Return how a worker is called: after a restart by its key, until it is back."""
        return {worker, *self._shorts[worker]}


def _note_resting(resting: dict[str, str], record: Workers) -> None:
    """Note which workers may be given nothing."""
    for row in record.rows:
        resting.pop(row.key, None)
        if row.state in ("paused", "draining"):
            resting[row.key] = row.state


def _note_finished(finished: set[Task], record: Outcomes | Retried) -> None:
    """Note which tasks have their outcome."""
    tasks = {(record.job, number) for number in record.numbers}
    if isinstance(record, Outcomes):
        finished |= tasks
    else:
        finished -= tasks


def grace_of(options: Options) -> float:
    """Return for how many seconds a worker that is away keeps the tasks of a job."""
    usual = limits.LONG_GRACE_SECONDS if options.long else limits.GRACE_SECONDS
    return options.grace or usual
