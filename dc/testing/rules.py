"""What must hold in the end: the store against the ledger."""

from __future__ import annotations

from collections import Counter
from typing import Final

from dc.messages_parts import Blob, Failure, Outcome
from dc.records import JobRow, Outcomes
from dc.testing.ledger import Execution, Ledger, Told
from dc.testing.sim_world import SimWorld, payload_of

ALL: Final = 1 << 40
LAST_JOBS: Final = 10_000


async def check_end(world: SimWorld) -> None:
    """Compare what the store has with what was told and done; the ledger gets what is wrong."""
    ledger = world.ledger
    rows = await world.store.jobs(None, LAST_JOBS)
    by_number = {row.job: row for row in rows}
    for key, count in Counter(row.key for row in rows).items():
        if count > 1:
            ledger.violate(f"{count} jobs were made of {key}")
    for told in ledger.told.values():
        row = by_number.get(told.job)
        if told.stored and row is None:
            ledger.violate("an acknowledged job is not in the store", told.job)
        elif row is not None and told.complete:
            _check_told(ledger, told, row)
    for row in rows:
        await _check_job(world, row)
    world.app.reactor.validate()


def _check_told(ledger: Ledger, told: Told, row: JobRow) -> None:
    if row.counts.total < told.stored:
        ledger.violate(f"{told.stored} tasks were acknowledged, {row.counts.total} stored", row.job)
    if told.ended and not row.ended:
        ledger.violate("the end of a submission was acknowledged, but is not stored", row.job)
    if row.ended and row.counts.total != len(told.plan.tasks):
        text = f"{len(told.plan.tasks)} tasks were submitted, {row.counts.total} are stored"
        ledger.violate(text, row.job)
    if row.job in ledger.cancelled_at and row.cancelled_at is None:
        ledger.violate("a cancel was acknowledged, but is not stored", row.job)


async def _check_job(world: SimWorld, row: JobRow) -> None:
    ledger = world.ledger
    submission = ledger.told[ledger.submission_of[row.job]]
    numbers = list(range(row.counts.total))
    payloads = await world.store.payloads(row.job, numbers)
    for number, payload in enumerate(payloads):
        plan = submission.plan
        wanted = number < len(plan.tasks) and payload_of(plan.number, number, plan.tasks[number])
        size = payload.size if isinstance(payload, Blob) else len(payload)
        if wanted is False or (
            payload != wanted if isinstance(payload, bytes) else size != len(wanted)
        ):
            ledger.violate("a task has another payload than was submitted", row.job, number)
    records = await world.store.outcomes_after(row.job, 0, ALL)
    counts = Counter(number for record in records for number in record.numbers)
    for number, count in counts.items():
        if count > 1:
            ledger.violate(f"a task has {count} outcomes", row.job, number)
    if row.cancelled_at is None and row.job not in ledger.retried:
        for number in numbers:
            if number not in counts:
                ledger.violate("a task has no outcome", row.job, number)
    for record in records:
        for at, number in enumerate(record.numbers):
            _check_outcome(ledger, record, at)
            if submission.job == row.job and submission.complete:
                _check_result(ledger, submission, record, at, number)


def _check_outcome(ledger: Ledger, record: Outcomes, at: int) -> None:
    """Check that an outcome is what an execution came to."""
    number, attempt, outcome = record.numbers[at], record.attempts[at], record.outcomes[at]
    executions = [
        one
        for one in ledger.executions[record.job, number]
        if one.attempt == attempt
        and one.process.name == record.worker
        and one.submission == ledger.submission_of[record.job]
    ]
    if isinstance(outcome, Failure) and outcome.kind != "error":
        return  # the server or the agent has made it, of something that did not end
    if not any(_is_of(outcome, one) for one in executions):
        text = f"attempt {attempt} by {record.worker} is recorded, which never came to that"
        ledger.violate(text, record.job, number)


def _is_of(outcome: Outcome, execution: Execution) -> bool:
    if isinstance(outcome, Failure):
        return execution.how == "error"
    if isinstance(outcome, Blob):
        return execution.how == "done" and outcome.size == len(execution.result)
    return execution.how == "done" and outcome == execution.result


def _check_result(ledger: Ledger, told: Told, record: Outcomes, at: int, number: int) -> None:
    """Check that a client was given what is stored."""
    got = told.results.get(number)
    if got is None:
        if record.job not in ledger.cancelled_at and not told.cancelling:
            ledger.violate("a result is stored that its client was not given", record.job, number)
        return
    if got.failed and record.job in ledger.retried:
        return  # it had read all before the task ran again
    outcome = record.outcomes[at]
    same = got.attempt == record.attempts[at] and got.worker == record.worker
    if isinstance(outcome, Failure):
        same = same and got.failed
    elif isinstance(outcome, bytes):
        same = same and got.result == outcome
    if not same:
        ledger.violate("a client was given another result than is stored", record.job, number)
