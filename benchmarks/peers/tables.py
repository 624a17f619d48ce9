"""The tables, as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.peers.summary import figure, why_not

System = Mapping[str, Any]
OURS = "dc"
NAPS = "1 ms", "10 ms", "100 ms"


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [_row(titles), _row(["---"] * len(titles)), *map(_row, rows)]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def overview(results: Mapping[str, Any]) -> str:
    """Return the table that compares all systems in the main figures."""
    titles = (
        "system", "no-ops/s", "of dc", "one task p50 / p99, ms", "1 ms tasks, share of ideal",
        "100 MB there and back, MB/s", "bytes per queued task, server + client", "first result, s",
        "durable",
    )  # fmt: skip
    ours = _our_rate(results)
    rows = [_overview_row(system, ours) for system in results["systems"].values()]
    return table(titles, rows)


def _our_rate(results: Mapping[str, Any]) -> float | None:
    ours = results["systems"].get(OURS)
    return figure(ours, "throughput", "rate") if ours is not None else None


def _overview_row(system: System, ours: float | None) -> list[str]:
    if system["left_out"]:
        return [_name(system), f"left out: {system['left_out']}", *[""] * 7]
    size = min(_queues(system), key=_tasks, default="")
    rate = figure(system, "throughput", "rate")
    return [
        _name(system),
        _cell(system, "throughput", "{rate}", count),
        f"{rate / ours:.1%}" if rate and ours else "",
        _cell(system, _single(system), "{p50_ms} / {p99_ms}", three),
        _cell(system, "efficiency 1 ms", "{share}", two),
        _cell(system, "transfer", "{mb_s}", count),
        _cell(system, size, "{server_bytes} + {client_bytes}", count),
        _cell(system, "start", "{first_result_s}", two),
        system["durability"].partition(":")[0],
    ]


def _single(system: System) -> str:
    """Return the measure of one task at a time that is one call for each, as it is elsewhere."""
    opened = "latency in one open job"
    return opened if opened in system["medians"] else "latency"


def throughput(results: Mapping[str, Any]) -> str:
    """Return the table of no-ops a second, in each way there is."""
    rows = []
    for system in results["systems"].values():
        for measure, way in WAYS.items():
            rate = figure(system, measure, "rate")
            missing = why_not(system, measure)
            if rate is None and not missing:
                continue
            rows.append(
                [
                    f"{_name(system)}{way}",
                    missing or count(rate or 0.0),
                    _spread(system, measure, "rate", count),
                    _ratio(rate, _our_rate(results)),
                    count(figure(system, measure, "tasks") or 0.0),
                ]
            )
    return table(("system", "no-ops/s, median", "least to most", "of dc", "no-ops in a run"), rows)


WAYS = {"throughput": "", "futures": ", one call and future each", "chunked": ", in chunks of 256"}


def latency(results: Mapping[str, Any]) -> str:
    """Return the table of single tasks, one at a time."""
    rows = []
    for system in results["systems"].values():
        for measure in system["medians"]:
            if measure.startswith("latency"):
                way = measure.removeprefix("latency").strip()
                cells = [
                    _cell(system, measure, "{" + name + "}", three) for name in ("p50_ms", "p99_ms")
                ]
                spread = _spread(system, measure, "p50_ms", three)
                rows.append([_name(system) + (f", {way}" if way else ""), *cells, spread])
    return table(("system", "p50, ms", "p99, ms", "p50, least to most"), rows)


def efficiency(results: Mapping[str, Any]) -> str:
    """Return the table of tasks that take some time."""
    rows = [
        [_name(system), *(_cell(system, f"efficiency {nap}", "{share}", two) for nap in NAPS)]
        for system in _measured(results)
    ]
    return table(("system", *(f"{nap} tasks" for nap in NAPS)), rows)


def memory(results: Mapping[str, Any]) -> str:
    """Return the table of what a queued task takes."""
    rows = []
    for system in _measured(results):
        for measure in _queues(system):
            cells = [
                _cell(system, measure, "{" + name + "}", one if name == "seconds" else count)
                for name in ("server_bytes", "client_bytes", "disk_bytes", "seconds")
            ]
            rows.append([_name(system), f"{_tasks(measure):,}", *cells])
    titles = "system", "tasks", "server, bytes", "client, bytes", "disk, bytes", "submitted in, s"
    return table(titles, rows)


def _queues(system: System) -> list[str]:
    return [measure for measure in system["medians"] if measure.startswith("queue ")]


def _tasks(measure: str) -> int:
    return int(measure.removeprefix("queue "))


def transfer(results: Mapping[str, Any]) -> str:
    """Return the table of a large payload and result."""
    rows = [
        [
            _name(system),
            _cell(system, "transfer", "{mb_s}", count),
            _spread(system, "transfer", "mb_s", count),
            _cell(system, "transfer", "{server_peak_more_mb}", count),
        ]
        for system in _measured(results)
    ]
    return table(("system", "MB/s", "least to most", "server's memory grew by, MB"), rows)


def start(results: Mapping[str, Any]) -> str:
    """Return the table of the way from nothing to the first result."""
    rows = [
        [
            _name(system),
            _cell(system, "start", "{first_result_s}", two),
            _spread(system, "start", "first_result_s", two),
            two(ready) if (ready := figure(system, "start", "ready_s")) is not None else "",
        ]
        for system in _measured(results)
    ]
    titles = "system", "first result, s", "least to most", "the server serves after, s"
    return table(titles, rows)


def systems(results: Mapping[str, Any]) -> str:
    """Return the table of versions, set-up and durability."""
    rows = []
    for system in results["systems"].values():
        if system["left_out"]:
            rows.append([_name(system), "left out", system["left_out"], ""])
            continue
        versions = ", ".join(f"{name} {number}" for name, number in system["versions"].items())
        rows.append([_name(system), versions, system["configuration"], system["durability"]])
    return table(("system", "versions", "set up as", "durability"), rows)


def _measured(results: Mapping[str, Any]) -> list[System]:
    return [one for one in results["systems"].values() if not one["left_out"]]


def _name(system: System) -> str:
    return f"**{system['title']}**" if system["title"] == OURS else str(system["title"])


def _cell(system: System, measure: str, form: str, write: Callable[[float], str]) -> str:
    missing = why_not(system, measure)
    if missing:
        return missing
    medians = system["medians"].get(measure, {})
    numbers = {name: value for name, value in medians.items() if isinstance(value, float | int)}
    values = {name: write(value) for name, value in numbers.items()}
    try:
        return form.format(**values)
    except KeyError:
        return ""


def _spread(system: System, measure: str, name: str, write: Callable[[float], str]) -> str:
    span = system["medians"].get(measure, {}).get(f"{name}_range")
    return f"{write(span[0])} to {write(span[1])}" if span else ""


def _ratio(rate: float | None, ours: float | None) -> str:
    return f"{rate / ours:.3g}" if rate and ours else ""


def count(value: float) -> str:
    """Write a number of things: three figures, with commas."""
    size = abs(value)
    if size < 100:
        return f"{value:.0f}"
    digits = len(f"{size:.0f}") - 3
    return f"{round(value / 10**digits) * 10**digits:,}"


def one(value: float) -> str:
    """Write with one decimal."""
    return f"{value:.1f}"


def two(value: float) -> str:
    """Write with two decimals."""
    return f"{value:.2f}"


def three(value: float) -> str:
    """Write with three figures that say something."""
    return f"{value:.3g}" if abs(value) < 1000 else count(value)
