"""How `python -m dc top` looks: from its state and a size to lines of text that fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct
from rich.cells import cell_len, set_cell_size
from rich.text import Text

from dc.cli.screen import one_line
from dc.cli.top_detail import detail_lines
from dc.cli.top_state import SORTS, Panel, Top, View
from dc.cli.top_words import big, colour, load, per_second, share, span, sparkline

GAP: Final = "  "
BAR_CELLS: Final = 10
LEAST_FLEX: Final = 8

TITLES: Final[Mapping[Panel, str]] = MappingProxyType(
    {"jobs": "Jobs", "workers": "Workers", "attention": "Attention"}
)
EMPTY: Final[Mapping[Panel, str]] = MappingProxyType(
    {
        "jobs": "none unfinished: submit one by `python -m dc submit`, or press a for all",
        "workers": "none is connected: start one by `python -m dc.worker`",
        "attention": "nothing: all is well",
    }
)
KEYS: Final = "? help  q quit  ↑↓ move  tab panel  enter look  p pause  c cancel  s sort  / filter"
HELP: Final = """\
↑ ↓ or k j     move; page up, page down, home and end too
tab, 1 2 3     go to jobs, workers, attention
enter          look at the marked job or worker; escape goes back
p              pause it, or resume it
c              cancel the marked job; asks first
r              run the failed tasks of the marked job again; asks first
d              drain the marked worker; asks first
s              sort by something else
a              show all jobs, or unfinished ones alone
/              show only what has a text in its name; escape takes that back
q or Ctrl-C    leave

In colours: green goes on, yellow waits or was told to, red has failed.
Press any key."""


class Column(Struct, frozen=True):
    """A column of a panel. The one without width takes what is left.

    Attributes:
        title: what stands above it; `>` before it has it stand right.
        width: in cells.
        text: what it says of a row.
        weight: those with the least are left out first where there is no room.
    """

    title: str
    width: int
    text: Callable[[View], Text | str]
    weight: int = 9


def frame(top: Top, width: int, height: int) -> list[Text]:
    """Return the whole screen, line by line: `height` lines, none wider than `width` cells."""
    head = list(_head(top, width))
    foot = _foot(top, width)
    room = max(0, height - len(head) - 1)
    if top.helping:
        body = [Text(line) for line in HELP.splitlines()]
    elif top.overview is None:
        body = []
    elif top.looking and top.detail is not None:
        body = detail_lines(top.focus, top.detail, width)[top.scroll :]
    else:
        body = _panels(top, width, room)
    lines = [*head, *body[:room]]
    lines += [Text("")] * (height - 1 - len(lines))
    return [_fit(line, width) for line in [*lines[: max(0, height - 1)], foot]][:height]


def plain(top: Top, width: int) -> list[Text]:
    """Return all that there is to show, as many lines as it takes, with nothing marked."""
    lines = list(_head(top, width))
    for panel in ("attention", "jobs", "workers"):
        lines += [Text(""), *_panel(top, panel, width, len(top.rows(panel)) + 2, marks=False)]
    return [_fit(line, width) for line in lines]


# --- above and below --------------------------------------------------------------------------


def _head(top: Top, width: int) -> Iterator[Text]:
    if top.overview is None:
        yield Text(top.trouble or "asking the server …", style="bold red" if top.trouble else "")
        return
    status, now = top.overview["status"], top.overview["now"]
    up = f"up {span(now - status['started'])}"
    title = f"{status['software']} at {status['address']}"
    yield _ends(Text(one_line(title), style="bold"), Text(up), width)
    tasks = status["tasks"]
    words = [f"{big(tasks[name])} {name}" for name in ("queued", "running", "done", "failed")]
    yield Text("tasks  ", style="dim") + Text(" · ".join(words))
    rate = Text("rate   ", style="dim") + Text(f"{per_second(status['rate']):<12}")
    yield rate + Text(sparkline(top.rates, max(0, min(60, width - 20))), style="cyan")
    yield Text("slots  ", style="dim") + Text(_slots(status))
    yield Text("left   ", style="dim") + Text(_left(top.overview["left"]))
    trouble = top.trouble or status["trouble"]
    yield Text(one_line(trouble), style="bold red")


def _slots(status: View) -> str:
    away = [f"{status[name]} {word}" for name, word in (("away", "away"), ("sick", "set aside"))
            if status[name]]  # fmt: skip
    workers = f"{status['workers']:,} worker{'s' if status['workers'] != 1 else ''}"
    return ", ".join([f"{status['busy']:,} of {status['slots']:,} busy on {workers}", *away])


def _left(left: View) -> str:
    """Return how long it will be in words, with what it may be."""
    if not left["tasks"]:
        return "nothing to do"
    if left["likely"] is None:
        return one_line(left["basis"])
    between = f"{span(left['low'])} to {span(left['high'])}"
    return f"about {span(left['likely'])} ({between}) for {big(left['tasks'])} tasks"


def _foot(top: Top, width: int) -> Text:
    if top.confirm is not None:
        return Text(f"{one_line(top.confirm.question)} y/n", style="bold reverse")
    if top.typing:
        return Text(f"/{top.filter[top.focus]}▏", style="bold")
    if top.note:
        return Text(one_line(top.note), style="bold")
    keys = KEYS
    while cell_len(keys) > width and GAP in keys:  # whole ones, as many as there is room for
        keys = keys.rpartition(GAP)[0]
    return Text(keys, style="dim")


# --- panels -----------------------------------------------------------------------------------


def _panels(top: Top, width: int, room: int) -> list[Text]:
    """Return all panels, the one in focus with the most lines; it alone where room is scarce."""
    attention = len(top.rows("attention"))
    if room < 10:
        return _panel(top, top.focus, width, room)
    lines: list[Text] = []
    first = min(room // 3 if top.focus == "attention" else 4, attention + 1) if attention else 0
    if attention or top.focus == "attention":
        lines = _panel(top, "attention", width, max(first, 2))
    rest = room - len(lines)
    wanted = {panel: max(1, len(top.rows(panel))) + 2 for panel in ("jobs", "workers")}
    main: Panel = "workers" if top.focus == "workers" else "jobs"
    other: Panel = "jobs" if main == "workers" else "workers"
    least = min(wanted[other], max(rest // 3, rest - wanted[main]))
    sizes = {other: least, main: rest - least}
    for panel in ("jobs", "workers"):
        lines += _panel(top, panel, width, sizes[panel])
    return lines


def _panel(top: Top, panel: Panel, width: int, height: int, *, marks: bool = True) -> list[Text]:
    """Return a panel: its title, the titles of its columns, and rows around the marked one."""
    rows = top.rows(panel)
    lines = [_title(top, panel, len(rows), marks=marks)]
    if not rows:
        return [*lines, Text(f"  {EMPTY[panel]}", style="dim")][:height]
    if panel == "attention":
        shown = _around(top.place(panel), len(rows), height - 1)
        lines += [_attention(rows[at]) for at in shown]
    else:
        columns = fitting(JOBS if panel == "jobs" else WORKERS, width)
        lines.append(_row([(one, Text(one.title.lstrip(">"), "dim")) for one in columns], width))
        shown = _around(top.place(panel), len(rows), height - 2)
        for at in shown:
            cells = [(one, _text(one.text(rows[at]))) for one in columns]
            lines.append(_row(cells, width))
    if marks and panel == top.focus and top.place(panel) in shown:
        at = len(lines) - len(shown) + shown.index(top.place(panel))
        lines[at] = _fit(lines[at], width)
        lines[at].stylize("reverse")
    return lines[:height]


def _title(top: Top, panel: Panel, count: int, *, marks: bool) -> Text:
    focused = marks and panel == top.focus
    title = Text(f"{TITLES[panel]}", style="bold underline" if focused else "bold")
    words = [f"{count:,}"] if count else []
    if panel != "attention":
        words.append(SORTS[panel][top.sorted[panel]][0])
    if top.filter[panel]:
        words.append(f"with “{top.filter[panel]}”")
    return title + Text("  " + ", ".join(words), style="dim")


def _around(place: int, count: int, room: int) -> range:
    """Return which rows are shown: the marked one is among them."""
    room = max(0, room)
    start = max(0, min(place - room // 2, count - room))
    return range(start, min(count, start + room))


def _attention(one: View) -> Text:
    style = {"error": "bold red", "warning": "yellow"}.get(one["level"], "")
    return Text("  ") + Text(one_line(one["text"]), style=style)


# --- columns ----------------------------------------------------------------------------------


def fitting(columns: Sequence[Column], width: int) -> list[Column]:
    """Return as many columns as there is room for."""
    kept = list(columns)
    while len(kept) > 1 and _used(kept) + LEAST_FLEX > width:
        kept.remove(min(reversed(kept), key=lambda one: one.weight if one.width else 99))
    return kept


def _used(columns: Sequence[Column]) -> int:
    return sum(one.width for one in columns) + len(GAP) * (len(columns) - 1)


def _row(cells: Sequence[tuple[Column, Text]], width: int) -> Text:
    flex = width - _used([column for column, _ in cells])
    parts = []
    for column, text in cells:
        size = column.width or max(flex, 1)
        if column.title.startswith(">"):
            text = Text(" " * max(0, size - text.cell_len)) + text
        parts.append(_fit(text, size))
    return Text(GAP).join(parts)


def _fit(text: Text, width: int) -> Text:
    """Return a text of exactly so many cells, its end cut off with a mark if it was longer."""
    if text.cell_len > width:
        kept = set_cell_size(text.plain, max(0, width - 1)) + "…"
        cut = Text(set_cell_size(kept, width), style=text.style, no_wrap=True)
        cut.spans = [span.right_crop(len(cut)) for span in text.spans if span.start < len(cut)]
        return cut
    padded = text.copy()
    padded.no_wrap = True
    padded.append(" " * (width - text.cell_len))
    return padded


def _ends(left: Text, right: Text, width: int) -> Text:
    """Return a line with something at both ends, the first cut if there is no room."""
    room = max(0, width - right.cell_len - 1)
    return _fit(left, room) + Text(" ") + right


def _text(value: Text | str) -> Text:
    return value if isinstance(value, Text) else Text(one_line(value))


def _bar(job: View) -> Text:
    """Return how much of a job has ended, as a bar: what has failed in red at its end."""
    counts = job["counts"]
    total, ended = counts["total"], counts["done"] + counts["failed"]
    full = BAR_CELLS * ended // total if total else 0
    red = min(full, -(-BAR_CELLS * counts["failed"] // total)) if total else 0
    bar = Text("█" * (full - red), style="green") + Text("█" * red, style="red")
    return bar + Text("░" * (BAR_CELLS - full), style="dim")


def _ended(job: View) -> str:
    counts = job["counts"]
    return f"{big(counts['done'] + counts['failed'])}/{big(counts['total'])}"


def _failed(count: int) -> Text:
    return Text(big(count), style="red" if count else "dim")


def _state(one: View) -> Text:
    return Text(one_line(one["state"]), style=colour(one["state"]))


def _vital(name: str) -> Callable[[View], Text | str]:
    return lambda worker: share((worker.get("vitals") or {}).get(name))


def _warmth(worker: View) -> str:
    degrees = (worker.get("vitals") or {}).get("temperature")
    return "" if degrees is None else f"{degrees:.0f}°"


def _memory(worker: View) -> Text | str:
    vitals: Mapping[str, Any] = worker.get("vitals") or {}
    used, total = vitals.get("memory_used"), vitals.get("memory_total")
    return load(used / total) if used is not None and total else ""


def _runs(worker: View) -> str:
    found = [f"{one['job']}/{one['number']}" for one in worker["running"]]
    return " ".join(found)


def _failing(worker: View) -> Text:
    part = worker.get("failing", 0.0)
    return Text(share(part) if part else "", style="red" if part >= 0.1 else "")


JOBS: Final = (
    Column(">job", 6, lambda job: str(job["job"])),
    Column("name", 0, lambda job: job["name"] or job["type"]),
    Column("type", 14, lambda job: job["type"], 3),
    Column("submitter", 16, lambda job: job["submitter"], 1),
    Column("state", 9, _state, 8),
    Column("progress", BAR_CELLS, _bar, 5),
    Column(">ended", 13, _ended, 7),
    Column(">failed", 7, lambda job: _failed(job["counts"]["failed"]), 6),
    Column(">rate", 9, lambda job: per_second(job["rate"]) if job.get("rate") else "", 2),
)
WORKERS: Final = (
    Column("worker", 0, lambda worker: worker["name"]),
    Column("state", 9, _state, 8),
    Column(">slots", 7, lambda w: f"{min(w['held'], w['slots'])}/{w['slots']}", 7),
    Column(">rate", 9, lambda w: per_second(w["rate"]) if w.get("rate") else "", 6),
    Column(">load", 5, _vital("processors"), 5),
    Column(">mem", 5, _memory, 4),
    Column(">temp", 5, _warmth, 2),
    Column(">done", 8, lambda worker: big(worker["done"]), 5),
    Column(">failing", 7, _failing, 6),
    Column("runs", 14, _runs, 1),
)
