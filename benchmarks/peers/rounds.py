"""The rounds: in each, every system has its turn; so what the machine does meanwhile hits all."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.peers.catalogue import Entry
from benchmarks.peers.echo import loopback_echo_us
from benchmarks.peers.environments import CannotInstall, Environments
from benchmarks.peers.session import LeftOut, Session

MEASURES = "latency", "throughput", "efficiency", "transfer"
SESSION_SECONDS = 240.0
PLACE = re.compile(r"/(?:tmp|home|root|Users)/\S*")
"""Paths of this computer say nothing to readers of the tables."""


@dataclass
class Outcome:
    """All that was found out about one system."""

    name: str
    title: str
    left_out: str = ""
    said: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)


class Rounds:
    """Runs all systems, several times each, one after the other in each round.

    Args:
        entries: the systems.
        environments: theirs.
        seconds: that one measurement shall take, about.
        limit: seconds after which a measurement is given up.
        queue: how many tasks are queued to weigh them.
        note: is told what happens.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        environments: Environments,
        *,
        seconds: float,
        limit: float,
        queue: Sequence[int],
        note: Callable[[str], None],
    ) -> None:
        self._note = note
        self._plan = {"seconds": seconds, "limit": limit}
        self._queue = list(queue)
        self._entries = entries
        self.outcomes = {one.name: Outcome(one.name, one.title) for one in entries}
        self.echo_us: list[float] = []
        self._pythons: dict[str, Path] = {}
        for entry in entries:
            self._prepare(entry, environments)

    def _prepare(self, entry: Entry, environments: Environments) -> None:
        self._note(f"environment of {entry.title}")
        try:
            self._pythons[entry.name] = environments.python(entry)
        except CannotInstall as error:
            self._leave_out(entry, f"cannot be installed: {error}")

    def run(self, repeat: int, measures: Sequence[str] = MEASURES) -> None:
        """Run all rounds; the queues are weighed once, after them."""
        for number in range(repeat):
            self.echo_us.append(loopback_echo_us())
            for entry in self._entries:
                self._turn(entry, f"round {number + 1} of {repeat}", measures, [])
        if self._queue:
            for entry in self._entries:
                self._turn(entry, "queued tasks", [], self._queue)

    def _turn(self, entry: Entry, what: str, measures: Sequence[str], queue: Sequence[int]) -> None:
        outcome = self.outcomes[entry.name]
        if outcome.left_out:
            return
        begun = time.monotonic()
        plan = {**self._plan, "measures": list(measures), "queue": list(queue)}
        session = Session(entry, self._pythons[entry.name], plan, SESSION_SECONDS)
        try:
            for event in session.events():
                self._take(outcome, event)
        except LeftOut as error:
            self._leave_out(entry, str(error))
        self._note(f"{what}: {entry.title} took {time.monotonic() - begun:.0f} s")

    def _take(self, outcome: Outcome, event: dict[str, Any]) -> None:
        match event["event"]:
            case "figures":
                outcome.figures.setdefault(event["measure"], []).append(event["figures"])
                for kind in ("error", "unfinished_s"):
                    if kind in event["figures"]:
                        said = f"{event['measure']}: {kind} {event['figures'][kind]}"
                        self._trouble(outcome, said)
            case "started":
                outcome.said.update({k: v for k, v in event.items() if k != "event"})
            case "failed":
                self._trouble(outcome, event["error"])
                for line in event.get("log", []):
                    self._note(f"    {line}")

    def _trouble(self, outcome: Outcome, text: str) -> None:
        text = PLACE.sub("…", text)
        outcome.troubles.append(text)
        self._note(f"  {outcome.title}: {text}")

    def _leave_out(self, entry: Entry, why: str) -> None:
        self.outcomes[entry.name].left_out = why
        self._note(f"  {entry.title} is left out: {why}")
