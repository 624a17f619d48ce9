"""The log of events: what operators and the system did, as sentences.

Theory of operation
-------------------
Who does something notes it here. What was noted waits until the next tick and is then written down,
all in one record, while none before it is still on its way: so a disk that is full holds up what
is in memory, and no more. An event has its number, and is shown, once it is on disk.

Many events of one kind must neither cost much nor wash the others out of the log. Of each kind some
may be told for themselves, and one more every few seconds. What comes faster is counted, without
any sentence being made, and told as one event in the end: "1,203 jobs of 3 submitters finished".
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from dc import limits_shown
from dc.server.event_kinds import KINDS
from dc.view_server import EventView, Level

SERVER = "server"
OPERATOR = "operator"

_CONTROL = dict.fromkeys((*range(32), *range(127, 160)), "�")


class Flow(Struct):
    """How fast events of one kind come.

    Attributes:
        left: how many may be told for themselves, at the time `at`.
        count: how many were only counted, the first of them at `since`, by `whos`.
    """

    left: float
    at: float
    count: int = 0
    since: float = 0.0
    whos: set[str] = set()


class EventLog:
    """Takes events.

    Args:
        clock: gives the seconds on a clock that never goes back, and the Unix time.

    Attributes:
        next: the number of the next event.
        on_event: is told of each event once it is on disk, in the order of their numbers.
    """

    def __init__(self, clock: Callable[[], tuple[float, float]]) -> None:
        self.next = 1
        self.on_event: Callable[[EventView], None] = _nobody
        self._clock = clock
        self._flows: dict[str, Flow] = {}
        self._waiting: list[EventView] = []
        self._writing = False

    def note(
        self,
        kind: str,
        who: str,
        text: Callable[[], str],
        *,
        job: int | None = None,
        task: int | None = None,
        worker: str = "",
        level: Level | None = None,
    ) -> None:
        """Note an event.

        Args:
            kind: one of KINDS.
            who: did it: `operator`, `server`, a submitter or a worker's name.
            text: gives the sentence; not called where the event is only counted.
            job, task, worker: what it is about.
            level: how grave it is, if that is not what the kind says.
        """
        now, wall = self._clock()
        if self._is_counted(kind, who, now):
            return
        self._waiting.append(
            EventView(
                event=0,
                at=round(wall, 3),
                level=level or KINDS[kind].level,
                kind=kind,
                who=who or "somebody",
                text=plain(text()),
                job=job,
                task=task,
                worker=worker,
            )
        )

    def _is_counted(self, kind: str, who: str, now: float) -> bool:
        """Count an event, if it is not to be told for itself; return whether that was done."""
        most = float(KINDS[kind].at_once)
        flow = self._flows.get(kind)
        if flow is None:
            flow = self._flows[kind] = Flow(most, now)
        if not flow.count:
            flow.left = min(most, flow.left + (now - flow.at) / limits_shown.EVENT_SECONDS)
            flow.at = now
            if flow.left >= 1.0 and len(self._waiting) < limits_shown.EVENTS_WAITING:
                flow.left -= 1.0
                return False
            flow.since = now
        flow.count += 1
        if len(flow.whos) < limits_shown.EVENT_NAMES:
            flow.whos.add(who)
        return True

    # --- writing down ---------------------------------------------------------------------------

    def take(self, *, all_: bool = False) -> list[EventView]:
        """Return the events that are to be written down now, with their numbers.

        Nothing while those before are on their way; `written` says that they have arrived.

        Args:
            all_: tell what was counted, too, though it has not been for long.
        """
        if self._writing:
            return []
        self._tell_counted(all_)
        rows = [
            replace(row, event=event) for event, row in enumerate(self._waiting, start=self.next)
        ]
        self._waiting = []
        self.next += len(rows)
        self._writing = bool(rows)
        return rows

    def written(self, rows: list[EventView]) -> None:
        """Note that events are on disk, and show them."""
        self._writing = False
        for row in rows:
            self.on_event(row)

    def _tell_counted(self, all_: bool) -> None:
        now, wall = self._clock()
        for kind, flow in self._flows.items():
            if flow.count and (all_ or now - flow.since >= limits_shown.EVENTS_COUNTED_SECONDS):
                who = next(iter(flow.whos)) if len(flow.whos) == 1 else SERVER
                self._waiting.append(
                    EventView(
                        event=0,
                        at=round(wall, 3),
                        level=KINDS[kind].level,
                        kind=kind,
                        who=who or "somebody",
                        text=_many(kind, flow),
                    )
                )
                flow.count, flow.whos = 0, set()


def _many(kind: str, flow: Flow) -> str:
    names = len(flow.whos)
    whole = names < limits_shown.EVENT_NAMES
    who = f"{names:,}{'' if whole else ' or more'} submitters"
    if names == 1:
        who = "the " + who_ if (who_ := next(iter(flow.whos))) == OPERATOR else who_ or "somebody"
    text = KINDS[kind].many.format(count=f"{flow.count:,}", who=plain(who))
    return f"{text}, beside those told before" if KINDS[kind].at_once else text


def plain(text: str) -> str:
    """Return a text without control characters, cut where it is long."""
    text = text[: limits_shown.EVENT_CHARS].translate(_CONTROL)
    return text[:-1] + "…" if len(text) == limits_shown.EVENT_CHARS else text


def named(name: str) -> str:
    """Return a name as it stands in a sentence behind a number, if there is one."""
    return f" ({plain(name)})" if name else ""


def counted(count: int, noun: str) -> str:
    """Return a number of things in words."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _nobody(_: EventView) -> None:
    """Stand in for who shows events."""
