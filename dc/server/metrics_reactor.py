"""Metrics of what the server decides on: tasks, jobs, workers, the scheduler.

They are made of the state as it is at the scrape. What is there for each worker or job is gone
through, a fraction of a microsecond each; no task is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import Metric

from dc.server.counters import DONE, KINDS, OTHER
from dc.server.health import SICK, TRIAL, WELL
from dc.server.jobs import job_state
from dc.server.metric_families import counter, counters, gauge, gauges, histograms
from dc.server.reactor import Reactor
from dc.server.roster import RESTING, Worker
from dc.server.workers import WorkerSide

JOB_STATES = "open", "paused", "queued", "running", "waiting"
WORKER_STATES = "away", "connected", "draining", "paused", RESTING, SICK, TRIAL
ENDS = "cancelled", "done", "failed"
"""States of jobs that have come to their end."""


def of_reactor(reactor: Reactor) -> Iterator[Metric]:
    """Yield the families of a reactor."""
    yield from _of_tasks(reactor)
    yield from _of_jobs(reactor)
    yield from _of_workers(reactor)
    yield from _of_scheduler(reactor)


def _of_tasks(reactor: Reactor) -> Iterator[Metric]:
    board = reactor.board
    counted, found = board.counters, board.scheduler.statistics()
    tails = sum(job.tail.count for job in board.jobs.values() if not job.cancelled)
    states = {
        "queued": found.queued + tails,
        "delayed": found.delayed,
        "assigned": found.assigned,
        "running": found.running,
    }
    yield gauges("tasks", "Unfinished tasks by state.", "state", states)
    yield counter("tasks_submitted", "Tasks that came in.", counted.submitted)
    outcomes = dict.fromkeys((DONE, OTHER, *KINDS), 0) | counted.outcomes
    text = "Tasks that got an outcome: done, or the kind of their failure."
    yield counters("tasks_finished", text, "outcome", outcomes)
    again = dict.fromkeys((OTHER, "crashed", "error", "memory", "timeout"), 0) | counted.again
    text = "Attempts that failed and are tried again, by the kind of failure."
    yield counters("attempts_retried", text, "kind", again)
    text = "Run times of attempts that brought an outcome, by task type."
    yield histograms("task_run_seconds", text, "type", counted.times)
    yield counter("result_bytes", "Bytes of results.", counted.result_bytes)


def _of_jobs(reactor: Reactor) -> Iterator[Metric]:
    board = reactor.board
    states = Counter(dict.fromkeys(JOB_STATES, 0))
    oldest = board.wall
    for job in board.jobs.values():
        if not job.finished and not job.cancelled:
            counts = board.counts(job)
            states[job_state(job.ended, False, counts, job.holds.state)] += 1
            oldest = min(oldest, job.row.created)
    for state in ENDS:  # all outcomes are there, and not on disk yet
        del states[state]
    yield gauges("jobs", "Unfinished jobs by state.", "state", states)
    text = "Age of the oldest unfinished job."
    yield gauge("oldest_job_age_seconds", text, board.wall - oldest)
    yield counter("jobs_submitted", "Jobs that came in.", board.counters.begun)
    ends = dict.fromkeys(ENDS, 0) | board.counters.jobs
    yield counters("jobs_finished", "Jobs that came to their end, by state.", "state", ends)


def _of_workers(reactor: Reactor) -> Iterator[Metric]:
    side, scheduler = reactor.workers, reactor.board.scheduler
    yield gauges("workers", "Workers by state.", "state", _worker_states(side))
    slots = sum([worker.about.slots for worker in side.roster.by_peer.values()])
    yield gauge("slots", "Slots of the workers that are connected.", slots)
    yield gauge("slots_busy", "Slots that are taken by a task.", scheduler.slots_taken())
    text = "Answers of workers that were not taken, by the code of the error."
    yield counters("answers_refused", text, "code", reactor.board.refusals)


def _worker_states(side: WorkerSide) -> dict[str, int]:
    """Count workers by the word of their state; only the odd ones are looked at."""
    states = dict.fromkeys(WORKER_STATES, 0)
    roster = side.roster
    odd = {key for key, _ in side.health.unwell()}.union(side.register.commanded())
    odd.update([one.key for one in roster.by_peer.values() if one.resting])
    for worker in [roster.by_key[key] for key in odd if key in roster.by_key]:
        if worker.peer >= 0:
            states[_state_of(side, worker)] += 1
    states["connected"] += len(roster.by_peer) - sum(states.values())
    states["away"] = len(roster.away)
    return states


def _state_of(side: WorkerSide, worker: Worker) -> str:
    """Return the state of a connected worker in a word: what `state_of` says in a sentence."""
    row = side.register.get(worker.key)
    if row is not None and (row.order or row.state):
        return "paused" if row.state == "paused" and not row.order else "draining"
    if worker.resting:
        return RESTING
    state = side.health.state(worker.process)
    return "connected" if state == WELL else state


def _of_scheduler(reactor: Reactor) -> Iterator[Metric]:
    board = reactor.board
    found = board.scheduler.statistics()
    entries = {
        "class": found.classes,
        "group": found.groups,
        "job": found.jobs,
        "task": found.queued + found.delayed + found.assigned + found.running,
        "worker": found.workers,
    }
    yield gauges("scheduler_entries", "What the scheduler keeps in memory.", "kind", entries)
    text = "Bytes of payloads of queued tasks in memory."
    yield gauge("payload_window_bytes", text, board.window.used)
    yield gauge("kept_bytes", "Bytes of all jobs, as quotas count them.", board.usage.all)
    yield gauge("clients", "Clients that are connected.", len(reactor.clients.by_peer))
    text = "Subscriptions of clients to results."
    yield gauge("subscriptions", text, len(reactor.streams))
