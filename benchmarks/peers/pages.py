"""The page of results, and the table in the README between its two marks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.peers import tables

BEGIN = "<!-- benchmark table: made by make bench, from here -->"
END = "<!-- benchmark table: to here -->"
PLOTS = {
    "throughput": "No-op tasks a second",
    "latency": "One task at a time",
    "efficiency": "Tasks that take some time",
    "memory": "Memory of a queued task",
    "transfer": "100 MB there and back",
}

INTRO = """\
# How fast it is, beside others

This page is made by `make bench`, in one run, from [the figures](benchmarks/results.json). All
systems do the same work on the same computer: one client, one server or broker, two workers with
one slot each, everything over loopback. In each of {repeat} rounds every system has its turn, one
after the other; the figures are medians of the rounds. Every result is checked at the client
(HyperQueue's tasks are programs and send none back: there it is their exit status). Each system is
set up as its documentation recommends for many small tasks or, where that is silent, as was
quickest here; the last table says how, and what is durable.

{machine}. A raw echo of 64 bytes over loopback TCP took {echo_us:.0f} µs in the median, in the same
run.
{gaps}
"""
SOAK = """\
## Twenty million tasks

`python -m benchmarks.fleet soak` runs 20 million no-ops through one server, in jobs of 500,000, by
workers that only answer; here are its memory, its open files and its threads meanwhile
([figures](benchmarks/soak.json)).

![Memory, files and threads of the server](benchmarks/soak.svg)
"""
TEXTS = {
    "overview": "## In one table\n\n",
    "throughput": """\
## No-op tasks

Payloads of 64 bytes, each different, all of them given back. The number of tasks follows each
system's rate, so that a run takes about {seconds:g} s. Where a way is named, tasks are submitted in
that way.

""",
    "latency": """\
## One task at a time

From the call that submits it to its result, in the client.

""",
    "efficiency": """\
## Tasks that take some time

Each task sleeps for so long. With N tasks on two slots the ideal is N / 2 times that; the figure is
the ideal's share of the time it took.

""",
    "memory": """\
## Queued tasks

No worker runs. What memory grows by for each queued task of 64 bytes: in the server (or broker),
and in the client with what it must keep to get at the results. PSS, so that shared pages count
once. One run. HyperQueue's server is part of the client here.

""",
    "transfer": """\
## A large payload

One task with a payload of 100 MB that gives it back: 200 MB moved, over the time until the client
has the result.

""",
    "start": """\
## From nothing to the first result

All programs of the system and the client are started, Python's own start included.

""",
    "systems": "## What was measured\n\n",
}


def write_all(results: Mapping[str, Any], root: Path) -> None:
    """Write the page, the figures as JSON, and the table of the README.

    Args:
        results: of a run, as `__main__` makes them.
        root: the project's folder.
    """
    folder = root / "docs" / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
    (folder / "results.json").write_text(text, "utf-8")
    (root / "docs" / "benchmarks.md").write_text(page(results), "utf-8")
    readme = root / "README.md"
    readme.write_text(with_table(readme.read_text("utf-8"), results), "utf-8")


def page(results: Mapping[str, Any]) -> str:
    """Return the page."""
    parts = [INTRO.format(**_facts(results))]
    for name, text in TEXTS.items():
        parts.append(text.format(**_facts(results)) + getattr(tables, name)(results))
        if name in PLOTS:
            parts.append(f"![{PLOTS[name]}](benchmarks/{name}.svg)\n")
    return "\n".join([*parts, SOAK])


def with_table(readme: str, results: Mapping[str, Any]) -> str:
    """Return the README with a new table between its marks.

    Raises:
        SystemExit: the marks are not there.
    """
    head, begin, rest = readme.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"README.md has no place for the table: {BEGIN} … {END}")
    facts = _facts(results)
    echo = f"loopback echo {facts['echo_us']:.0f} µs"
    said = f"{facts['machine']}; {echo}; medians of {results['repeat']} rounds."
    versions = "; ".join(
        ", ".join(f"{name} {number}" for name, number in system["versions"].items())
        for system in results["systems"].values()
        if system["versions"]
    )
    table = tables.overview(results)
    return f"{head}{begin}\n{table}\n{said} {versions}.{facts['gaps']}\n{end}{tail}"


def _facts(results: Mapping[str, Any]) -> dict[str, Any]:
    here = results["machine"]
    machine = (
        f"Measured on {here['date']}: {here['processor']}, {here['cores']} cores, "
        f"{here['memory']}, {here['system']}, {here['filesystem']}, Python {here['python']}"
    )
    gaps = "".join(
        f"\n{system['title']}: {'; '.join(dict.fromkeys(system['troubles']))}."
        for system in results["systems"].values()
        if system["troubles"] and not system["left_out"]
    )
    return {**results, "machine": machine, "gaps": gaps}
