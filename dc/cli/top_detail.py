"""One job or worker as `python -m dc top` shows it when it is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from rich.text import Text

from dc.cli.screen import one_line
from dc.cli.top_state import Panel, View
from dc.cli.top_words import per_second, share, span
from dc.requirements import bytes_text, resources_text

NAME_CELLS = 12


def detail_lines(panel: Panel, one: View, width: int) -> list[Text]:
    """Return what is known of a job or a worker, names left and what they are right."""
    pairs = _job(one) if panel == "jobs" else _worker(one)
    lines: list[Text] = []
    for name, value in pairs:
        room = max(10, width - NAME_CELLS)
        parts = wrap(one_line(value), room, break_long_words=True) or [""]
        for at, part in enumerate(parts):
            lines.append(Text(f"{'' if at else name:<{NAME_CELLS}}", style="dim") + Text(part))
    return lines


def _job(job: View) -> Iterator[tuple[str, str]]:
    counts = job["counts"]
    yield "job", f"{job['job']} {job['name']}"
    yield "type", f"{job['type']} {job['version']}"
    yield "state", job["state"]
    if job["why"] or job["note"]:
        yield "why", job["why"] or job["note"]
    names = ("queued", "assigned", "running", "done", "failed", "cancelled")
    said = ", ".join(f"{counts[name]:,} {name}" for name in names if counts[name])
    yield "tasks", f"{counts['total']:,}: {said or 'none'}"
    if job.get("rate"):
        yield "rate", per_second(job["rate"])
    left = job.get("left")
    if left is not None and left["likely"] is not None:
        between = f"{span(left['low'])} to {span(left['high'])}"
        yield "left", f"about {span(left['likely'])} ({between}): {left['basis']}"
    elif left is not None:
        yield "left", left["basis"]
    yield "submitter", job["submitter"]
    yield "priority", f"{job['priority']}, weight {job['weight']:g}"
    limit = f"{span(job['timeout'])} each" if job["timeout"] else "without a time limit"
    yield "tries", f"{job['retries']} retries, {limit}"
    yield "needs", " or ".join(job["needs"]) or "nothing"
    yield "bytes", bytes_text(job["bytes"])


def _worker(one: View) -> Iterator[tuple[str, str]]:
    own = one.get("own_name", "")
    yield "worker", one["name"]
    if own not in ("", one["name"]):
        yield "own name", own
    yield "state", one["state"]
    if one["why"]:
        yield "why", one["why"]
    if one["note"]:
        yield "note", one["note"]
    yield "program", f"{one.get('software') or '?'} at {one['address'] or 'nowhere'}"
    yield "slots", f"{one['slots']}, {one['held']} tasks held"
    yield "done", f"{one['done']:,}, and {one['failed']:,} attempts failed"
    if one.get("rate"):
        yield "rate", per_second(one["rate"])
    if one.get("failing"):
        yield "failing", f"{share(one['failing'])} of the last hundred or so"
    for task in one["running"]:
        since = f" {task['type']}" if task.get("type") else ""
        progress = task["progress"]
        told = f", {share(progress['fraction'])} {progress['text']}" if progress else ""
        yield "runs", f"{task['job']}/{task['number']}{since}{told}"
    yield from vitals_fields(one)
    yield "labels", " ".join(f"{name}={value}" for name, value in one["labels"].items())
    yield "resources", resources_text(one["resources"])
    yield "types", ", ".join(f"{kind['name']} {kind['version']}" for kind in one["types"])


def vitals_fields(one: View) -> Iterator[tuple[str, str]]:
    """Yield how a worker's computer is, as names and values; nothing of what is not known."""
    vitals = one.get("vitals")
    if not vitals:
        return
    if vitals["processors"] is not None:
        yield "processors", f"{share(vitals['processors'])} busy"
    if vitals["memory_total"]:
        used, total = bytes_text(vitals["memory_used"] or 0), bytes_text(vitals["memory_total"])
        yield "memory", f"{used} of {total}"
    if vitals["disk_free"] is not None:
        yield "disk", f"{bytes_text(vitals['disk_free'])} free"
    if vitals["temperature"] is not None:
        yield "temperature", f"{vitals['temperature']:.0f} °C"
    if vitals["battery"] is not None:
        yield "battery", share(vitals["battery"]) + (", on mains" if vitals["mains"] else "")
    if vitals["dc_memory"] is not None:
        cpus = vitals["dc_processors"]
        more = f", {cpus:.2g} processors" if cpus is not None else ""
        yield "dc itself", bytes_text(vitals["dc_memory"]) + more
