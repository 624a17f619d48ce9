"""What `python -m dc top` knows, and what a key or an answer makes of it. No terminal, no clock.

A key goes in; what is to be asked of the server comes out. What the server has answered goes in as
well. How that looks is in top_frame.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import quote, urlencode

from msgspec import Struct

View: TypeAlias = Mapping[str, Any]
Panel: TypeAlias = Literal["jobs", "workers", "attention"]

PANELS: Final[Sequence[Panel]] = ("jobs", "workers", "attention")
UNFINISHED: Final = "open,waiting,paused,queued,running"
ROWS: Final = 200  # of a list that is asked for, at most
PAGE: Final = 10  # rows that the keys for pages move by
RATES: Final = 60  # seconds of throughput that are shown
FILTER_CHARS: Final = 100

SORTS: Final[Mapping[Panel, Sequence[tuple[str, str, str]]]] = MappingProxyType(
    {
        "jobs": (("newest", "job", "desc"), ("oldest", "job", "asc"), ("name", "name", "asc")),
        "workers": (
            ("name", "name", "asc"),
            ("most failing", "failing", "desc"),
            ("most failed", "failed", "desc"),
            ("busiest", "held", "desc"),
            ("quickest", "rate", "desc"),
        ),
        "attention": (("gravest", "", ""),),
    }
)
"""By panel, what it can be sorted by: in words, and as the API knows it."""


class Ask(Struct, frozen=True):
    """Something to be asked of the server; `done` is said when it is done."""

    method: str
    path: str
    body: dict[str, Any] = {}
    done: str = ""


class Confirm(Struct, frozen=True):
    """A question, and what is asked of the server if the answer is yes."""

    question: str
    ask: Ask


class Top:
    """All that is shown.

    Attributes:
        overview, jobs, workers: as the server said last; None before it has.
        detail: the job or worker that is looked at, as the server said last.
        rates: tasks a second, second by second, as far as they were seen.
        trouble: why there is nothing newer, or empty.
        focus: the panel whose rows the keys move over.
        selected: by panel, what is marked there: its key.
        looking: whether the marked one is looked at by itself.
        helping: whether the keys are explained.
        confirm: what is to be confirmed first.
        note: how the last thing went that was asked.
        filter: by panel, what its rows are to contain.
        typing: whether keys go into the filter.
        all_jobs: whether finished ones are shown, too.
        over: whether it is at its end.
    """

    def __init__(self) -> None:
        self.overview: View | None = None
        self.jobs: Sequence[View] = ()
        self.workers: Sequence[View] = ()
        self.detail: View | None = None
        self.rates: list[float] = []
        self.trouble = ""
        self.focus: Panel = "jobs"
        self.selected: dict[Panel, object] = {}
        self.looking = False
        self.scroll = 0
        self.helping = False
        self.confirm: Confirm | None = None
        self.note = ""
        self.filter: dict[Panel, str] = dict.fromkeys(PANELS, "")
        self.typing = False
        self.sorted: dict[Panel, int] = dict.fromkeys(PANELS, 0)
        self.all_jobs = False
        self.over = False

    # --- what is asked of the server ------------------------------------------------------------

    def paths(self) -> dict[str, str]:
        """Return what to ask for each second, by what it is for."""
        jobs = self._query("jobs") | ({} if self.all_jobs else {"state": UNFINISHED})
        found = {
            "overview": "/api/overview",
            "jobs": f"/api/jobs?{urlencode(jobs)}",
            "workers": f"/api/workers?{urlencode(self._query('workers'))}",
        }
        if self.looking and (path := self._path()):
            found["detail"] = path
        return found

    def _query(self, panel: Panel) -> dict[str, str]:
        _, sort, order = SORTS[panel][self.sorted[panel]]
        query = {"limit": str(ROWS), "sort": sort, "order": order}
        return query | ({"search": self.filter[panel]} if self.filter[panel] else {})

    def _path(self) -> str:
        """Return the path of what is marked, if it has one."""
        key = self.selected.get(self.focus)
        if key is None or self.focus == "attention":
            return ""
        return f"/api/{self.focus}/{quote(str(key), safe='')}"

    # --- what it has answered -------------------------------------------------------------------

    def answered(self, answers: Mapping[str, Any]) -> None:
        """Take what the server said of each path of `paths`."""
        self.trouble = ""
        self.overview = answers["overview"]
        self.jobs = answers["jobs"]["jobs"]
        self.workers = answers["workers"]["workers"]
        self.detail = answers.get("detail")
        self.rates = [*self.rates, float(self.overview["status"]["rate"])][-RATES:]
        for panel in PANELS:
            self._mark(panel)

    def failed(self, text: str) -> None:
        """Note that the server cannot be asked."""
        self.trouble = text

    def refused(self, text: str) -> None:
        """Note that the server will not answer; what is looked at by itself has gone."""
        if self.looking:
            self.looking, self.note = False, text
        else:
            self.trouble = text

    def _mark(self, panel: Panel) -> None:
        """Have a row marked that is there, if one is: the same as before as far as can be."""
        keys = self.keys(panel)
        if self.selected.get(panel) not in keys and not (self.looking and panel == self.focus):
            self.selected[panel] = keys[0] if keys else None

    # --- rows -----------------------------------------------------------------------------------

    def rows(self, panel: Panel) -> Sequence[View]:
        """Return what is in a panel."""
        if panel == "attention":
            return self.overview["attention"] if self.overview is not None else ()
        return self.jobs if panel == "jobs" else self.workers

    def keys(self, panel: Panel) -> list[object]:
        """Return by what the rows of a panel are told apart."""
        if panel == "jobs":
            return [job["job"] for job in self.jobs]
        if panel == "workers":
            return [worker["name"] for worker in self.workers]
        return [(one["kind"], one["text"]) for one in self.rows("attention")]

    def place(self, panel: Panel) -> int:
        """Return which row of a panel is marked; -1 if none is."""
        keys = self.keys(panel)
        key = self.selected.get(panel)
        return keys.index(key) if key in keys else -1

    def marked(self) -> View | None:
        """Return the marked row of the panel in focus."""
        place = self.place(self.focus)
        return self.rows(self.focus)[place] if place >= 0 else None

    # --- keys -----------------------------------------------------------------------------------

    def key(self, name: str) -> Ask | None:
        """Take a key by its name (see keys.py); return what is to be asked of the server."""
        if self.confirm is not None:
            return self._answer(name)
        if self.typing:
            self._type(name)
            return None
        self.note = ""
        if self.helping:
            self.helping = False
            return None
        if name in MOVES:
            self._move(name)
            return None
        return self._command(name)

    def _answer(self, name: str) -> Ask | None:
        confirm, self.confirm = self.confirm, None
        if confirm is not None and name in ("y", "Y"):
            return confirm.ask
        self.note = "nothing was done"
        return None

    def _type(self, name: str) -> None:
        text = self.filter[self.focus]
        if name in ("enter", "escape"):
            self.typing = False
            self.filter[self.focus] = "" if name == "escape" else text
        elif name == "backspace":
            self.filter[self.focus] = text[:-1]
        elif len(name) == 1 and len(text) < FILTER_CHARS:
            self.filter[self.focus] = text + name

    def _move(self, name: str) -> None:
        if self.looking:
            self.scroll = max(0, self.scroll + MOVES[name])
            return
        keys = self.keys(self.focus)
        if keys:
            place = max(0, min(self.place(self.focus) + MOVES[name], len(keys) - 1))
            self.selected[self.focus] = keys[place]

    def _command(self, name: str) -> Ask | None:
        match name:
            case "q":
                self.over = True
            case "escape" | "left" | "backspace":
                self._go_back()
            case "?" | "h":
                self.helping = True
            case "tab":
                self._turn_to(PANELS[(PANELS.index(self.focus) + 1) % len(PANELS)])
            case "1" | "2" | "3":
                self._turn_to(PANELS[int(name) - 1])
            case "enter" | "right":
                self.looking, self.scroll = self.marked() is not None, 0
            case "s":
                self.sorted[self.focus] = (self.sorted[self.focus] + 1) % len(SORTS[self.focus])
            case "a":
                self.all_jobs = not self.all_jobs
            case "/" if self.focus != "attention":
                self.looking, self.typing = False, True
            case "p":
                return self._pause()
            case "c" | "d" | "r":
                self._ask_first(name)
        return None

    def _go_back(self) -> None:
        """Leave what is looked at, or else the filter."""
        if self.looking:
            self.looking = False
        else:
            self.filter[self.focus] = ""

    def _turn_to(self, panel: Panel) -> None:
        self.focus, self.looking = panel, False

    # --- commands -------------------------------------------------------------------------------

    def _pause(self) -> Ask | None:
        """Pause what is marked, or resume it."""
        one = self._one()
        if one is None:
            return None
        action = "resume" if one["state"] in ("paused", "draining") else "pause"
        if self.focus == "jobs":
            done = f"job {one['job']} is {action}d"
            return Ask("POST", f"/api/jobs/{one['job']}/{action}", {}, done)
        which = {"names": [one["name"]], "exact": True}
        return Ask("POST", f"/api/workers/{action}", which, f"{one['name']} is {action}d")

    def _ask_first(self, name: str) -> None:
        """Have what cannot be taken back confirmed."""
        one = self._one()
        if one is None:
            return
        if self.focus == "workers" and name == "d":
            which = {"names": [one["name"]], "exact": True}
            text = f"Drain {one['name']}: it finishes what it runs, and takes no more?"
            done = f"{one['name']} drains"
            self.confirm = Confirm(text, Ask("POST", "/api/workers/drain", which, done))
        elif self.focus == "jobs" and name == "c":
            left = one["counts"]["total"] - one["counts"]["done"] - one["counts"]["failed"]
            text = f"Cancel job {one['job']} {one['name']}: {left:,} tasks will not be run?"
            done = f"job {one['job']} is cancelled"
            self.confirm = Confirm(text, Ask("POST", f"/api/jobs/{one['job']}/cancel", {}, done))
        elif self.focus == "jobs" and name == "r" and one["counts"]["failed"]:
            text = f"Run the {one['counts']['failed']:,} failed tasks of job {one['job']} again?"
            ask = Ask("POST", f"/api/jobs/{one['job']}/retry", {}, "they are queued again")
            self.confirm = Confirm(text, ask)

    def _one(self) -> View | None:
        """Return the job or worker that a command is about."""
        if self.looking and self.detail is not None:
            return self.detail
        return self.marked() if self.focus != "attention" else None


MOVES: Final = MappingProxyType(
    {
        "up": -1, "k": -1, "down": 1, "j": 1, "pageup": -PAGE, "pagedown": PAGE, " ": PAGE,
        "home": -ROWS, "g": -ROWS, "end": ROWS, "G": ROWS,
    }
)  # fmt: skip
"""By key, how many rows it moves."""
