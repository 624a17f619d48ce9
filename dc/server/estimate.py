"""How long it takes until what is left of a job has finished.

Theory of operation
-------------------
The time that is left has two parts. While there is a queue, all slots are busy: it empties after
the work that is in it, divided by the slots, or at the rate at which tasks have finished of late,
which knows of all that the model does not. Then what runs comes to its end, and the last of many
takes longer than the mean: the distribution of run times (run_times.py) says for how long what runs
at any moment goes on, and the longest of so many is found from that.

What is not known makes the range wide: how well few tasks tell the mean, how much the rate varies,
how many slots there will be when other jobs want some too.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

from msgspec import Struct

from dc.server.run_times import RunTimes
from dc.view_jobs import Left

RATE_TASKS = 50
"""Tasks that have finished of late from which on their rate tells more than the model."""

SURE = 1.645
"""Standard deviations within which nine of ten lie."""

DRIFT = 0.08
"""By how much later tasks differ from earlier ones, at the least."""

GROUPS = 8
"""So many groups of running tasks are told apart, by how long they have run."""

LONGEST = 1e9
"""Seconds: nothing is said to take longer."""


class Known(Struct, frozen=True):
    """What an estimate rests on.

    Attributes:
        queued: tasks that are to run.
        running: how long those have run that run now, in seconds.
        times: counts of run times, as Figures.times has them.
        slots: places in which the job's tasks are likely to run.
        fewest: places that it has if others take their share.
        shortest: run time of those that have finished, in seconds.
        longest: likewise.
        mean: likewise; 0 if it is to be taken from `times`.
        recent: how many of its tasks have finished of late, and in how many seconds: for some
            spans of time, the shortest first.
        whole: whether all its tasks are known.
    """

    queued: int
    running: Sequence[float]
    times: Sequence[int]
    slots: int
    fewest: int
    shortest: float = 0.0
    longest: float = 0.0
    mean: float = 0.0
    recent: Sequence[tuple[int, float]] = ()
    whole: bool = True


def unknown(tasks: int, why: str) -> Left:
    """Return that it cannot be told how long so many tasks take, and why."""
    return Left(tasks, None, None, None, None, why)


def estimate(known: Known) -> Left:
    """Return how long what is left takes: nine times of ten between `low` and `high`."""
    tasks = known.queued + len(known.running)
    if not tasks:
        return Left(0, 0.0, 0.0, 0.0, 0.0, "nothing is left")
    if not known.slots:
        return unknown(tasks, "no worker takes its tasks at present")
    model = _model(known, 1.0)
    if not model.count:
        return unknown(tasks, "no task of it has finished yet")
    groups = _groups(known.running)
    work = known.queued * _mean(known, model) + sum(n * model.left(e) for e, n in groups)
    doubt = DRIFT + SURE * (model.spread / model.mean + 0.1) / math.sqrt(model.count)
    low = _until(known, _model(known, 0.1), groups, 0.05, doubt)
    likely = _until(known, model, groups, 0.5, doubt)
    high = _until(known, _model(known, 8.0), groups, 0.95, doubt)
    return Left(tasks, work, min(low, likely), likely, max(likely, high), _basis(known, model))


def _model(known: Known, caution: float) -> RunTimes:
    return RunTimes(known.times, known.running, known.shortest, known.longest, caution)


def _until(
    known: Known, model: RunTimes, groups: list[tuple[float, int]], chance: float, doubt: float
) -> float:
    """Return the seconds after which all has finished with this chance."""
    sign = {0.05: -1, 0.5: 0, 0.95: 1}[chance]
    slots = known.fewest if sign > 0 else known.slots
    slots = max(1, min(slots, known.queued + len(known.running)))
    by = (1 + doubt) ** sign
    if known.queued < slots:
        return min(LONGEST, by * _end_of_few(known, model, groups, chance, slots))
    queue, vague = _queue(known, model, slots, sign)
    queue = max(0.0, queue * by + sign * vague)
    return min(LONGEST, queue + by * _quantile(lambda t: slots * _log1m(model.rest(t)), chance))


def _queue(known: Known, model: RunTimes, slots: int, sign: int) -> tuple[float, float]:
    """Return after how many seconds the queue is empty, and how far that may be off by chance.

    A rate that has changed of late may change back, or go on to: the range has both.
    """
    rates = [(count / seconds, count) for count, seconds in _rates(known)]
    if rates:
        rates.sort()
        rate, count = {-1: rates[-1], 0: rates[len(rates) // 2], 1: rates[0]}[sign]
        rate *= slots / known.slots
        return known.queued / rate, SURE * known.queued / rate / math.sqrt(count)
    vague = SURE * model.spread * math.sqrt(known.queued) / slots
    return known.queued * _mean(known, model) / slots, vague


def _rates(known: Known) -> list[tuple[int, float]]:
    return [one for one in known.recent if one[0] >= RATE_TASKS and one[1] > 0]


def _mean(known: Known, model: RunTimes) -> float:
    """Return the mean run time: the real one, where few tasks run of which it does not know."""
    few = len(known.running) * 10 <= model.count
    return known.mean if known.mean and few else model.mean


def _end_of_few(
    known: Known, model: RunTimes, groups: list[tuple[float, int]], chance: float, slots: int
) -> float:
    """Return when all has finished, where what is queued soon runs."""
    free = slots - len(known.running)
    wait = 0.0
    if known.queued > free:  # the first of those that run make place
        part = (known.queued - free) / max(1, len(known.running))
        wait = _wait(model, groups, part)

    def log_chance(seconds: float) -> float:
        found = 0.0
        for elapsed, n in groups:
            # Those that run for longer than any before are alike: it is one thing why.
            alike = 1 if elapsed >= model.longest else n
            found += alike * _log1m(model.goes_on(elapsed, seconds))
        if known.queued:
            fresh = model.survival(seconds - wait) if seconds > wait else 1.0
            found += known.queued * _log1m(fresh)
        return found

    return _quantile(log_chance, chance)


def _wait(model: RunTimes, groups: list[tuple[float, int]], part: float) -> float:
    """Return after how many seconds this part of what runs has ended."""
    total = sum(n for _, n in groups)

    def ended(seconds: float) -> float:
        gone = sum(n * (1 - model.goes_on(e, seconds)) for e, n in groups)
        return math.log(max(gone / total, 1e-300))

    return _quantile(ended, min(part, 0.9))


def _quantile(log_chance: Callable[[float], float], chance: float) -> float:
    """Return the time at which a chance that grows with it is reached."""
    wanted = math.log(chance)
    low, high = math.log(1e-4), math.log(LONGEST)
    for _ in range(20):
        middle = (low + high) / 2
        if log_chance(math.exp(middle)) < wanted:
            low = middle
        else:
            high = middle
    return math.exp(high)


def _log1m(share: float) -> float:
    """Return the logarithm of what a share leaves."""
    return math.log1p(-min(share, 1 - 1e-15))


def _groups(running: Sequence[float]) -> list[tuple[float, int]]:
    """Return some groups of running tasks: for how long each has run, and how many they are."""
    if len(running) <= GROUPS:
        return sorted(Counter(running).items())
    ordered = sorted(running)
    size = len(ordered) / GROUPS
    cuts = [round(at * size) for at in range(GROUPS + 1)]
    parts = [ordered[a:b] for a, b in pairwise(cuts)]
    return [(part[len(part) // 2], len(part)) for part in parts if part]


def _basis(known: Known, model: RunTimes) -> str:
    rates = _rates(known)
    if rates and known.queued:
        count, seconds = rates[-1]
        text = f"{count} tasks in the last {seconds:.0f} s"
    else:
        mean = _mean(known, model)
        text = f"the run times of {model.count} tasks, {mean:.3g} s in the mean"
    others = f", and as few as {known.fewest} with other jobs" * (known.fewest < known.slots)
    places = f"{known.slots} slot{'s' * (known.slots != 1)}"
    more = "" if known.whole else "; more tasks may be added to it"
    return f"from {text}, on {places}{others}{more}"
