"""The commands that show what the server has."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from dc.cli.lists import rows
from dc.cli.plugins_list import one_type
from dc.cli.progress import duration
from dc.cli.screen import Screen
from dc.client.plain_client import Client
from dc.requirements import bytes_text, resources_text

COUNTS = ("queued", "assigned", "running", "done", "failed", "cancelled")


def jobs(args: Namespace, client: Client, screen: Screen) -> int:
    """List jobs, the newest first."""
    found = rows(
        client,
        "/api/jobs",
        "jobs",
        None if args.all else args.limit,
        before=args.before,
        state=",".join(args.state),
        type=args.type,
        submitter=args.submitter,
        search=args.search,
    )
    if args.json:
        screen.json({"jobs": found})
        return 0
    titles = ("job", "name", "type", "state", "tasks", "done", "failed", "created")
    screen.table(titles, (_job_row(job) for job in found))
    return 0


def job(args: Namespace, client: Client, screen: Screen) -> int:
    """Show a job."""
    answer = client.get(f"/api/jobs/{args.job}")
    if args.json:
        screen.json(answer)
    else:
        screen.fields(_job_fields(answer))
    return 0


def tasks(args: Namespace, client: Client, screen: Screen) -> int:
    """List the tasks of a job."""
    state = "failed" if args.failed else None
    path = f"/api/jobs/{args.job}/tasks"
    found = rows(client, path, "tasks", args.limit, first=args.first, state=state)
    if args.json:
        screen.json({"tasks": found})
        return 0
    titles = ("task", "state", "attempt", "worker", "seconds", "payload", "result", "error")
    screen.table(titles, (_task_row(task) for task in found))
    return 0


def workers(args: Namespace, client: Client, screen: Screen) -> int:
    """List the workers: those that are here, away, or gone and remembered."""
    found = rows(client, "/api/workers", "workers")
    if args.json:
        screen.json({"workers": found})
        return 0
    titles = (
        *("worker", "state", "address", "slots", "held", "done", "failed"),
        *("types", "resources", "labels", "note"),
    )
    screen.table(titles, (_worker_row(worker) for worker in found))
    for worker in found:
        if worker["why"]:
            screen.note(f"{worker['name']}: {worker['why']}")
    _broken(screen, {worker["name"]: worker["broken"] for worker in found})
    return 0


def types(args: Namespace, client: Client, screen: Screen) -> int:
    """List the server's task types, or show those of one name."""
    answer = client.get("/api/types")
    if args.name is not None:
        return one_type(args.name, answer["types"], args.json, screen)
    if args.json:
        screen.json(answer)
        return 0
    rows = (
        (kind["name"], kind["version"], kind["plugin"], _first_line(kind["doc"]))
        for kind in answer["types"]
    )
    screen.table(("type", "version", "plugin", "what it does"), rows)
    _broken(screen, {"the server": answer["broken"]})
    return 0


def _bytes(answer: dict[str, Any]) -> str:
    """Return how many bytes of jobs there are, and how many there may be."""
    most = answer.get("quotas", {}).get("all")
    return bytes_text(answer.get("bytes", 0)) + (f" of {bytes_text(most)}" if most else "")


def status(args: Namespace, client: Client, screen: Screen) -> int:
    """Show how the server is doing."""
    answer = client.get("/api/status")
    if args.json:
        screen.json(answer)
        return 0
    jobs_by_state = ", ".join(f"{count} {state}" for state, count in answer["jobs"].items())
    refused = ", ".join(f"{count} {code}" for code, count in answer["refused"].items())
    screen.fields(
        [
            ("server", f"{answer['software']} at {answer['address']}"),
            ("data", answer["data"]),
            ("started", when(answer["started"])),
            (
                "workers",
                f"{answer['workers']} with {answer['busy']} of {answer['slots']} slots busy, "
                f"{answer['away']} away, {answer['sick']} set aside",
            ),
            ("jobs", jobs_by_state or "none unfinished"),
            ("tasks", _counts(answer["tasks"])),
            ("rate", f"{answer['rate']:,.3g} tasks/s"),
            ("bytes", _bytes(answer)),
            ("refused", refused or "no answers"),
            ("trouble", answer["trouble"] or "none"),
        ]
    )
    _broken(screen, {"the server": answer["broken"]})
    return 0


def _job_row(job: Mapping[str, Any]) -> tuple[Any, ...]:
    counts = job["counts"]
    return (
        job["job"],
        job["name"],
        job["type"],
        job["state"],
        counts["total"],
        counts["done"],
        counts["failed"],
        when(job["created"]),
    )


def _job_fields(job: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "job", job["job"]
    yield "name", job["name"]
    yield "type", f"{job['type']} {job['version']}"
    yield "state", job["state"]
    if job["note"] or job["why"]:
        yield "why", job["note"] or job["why"]
    yield "tasks", f"{job['counts']['total']}: {_counts(job['counts'])}"
    yield "created", when(job["created"])
    if job["submitter"]:
        yield "submitter", job["submitter"]
    yield "priority", job["priority"]
    if job["weight"] != 1:
        yield "weight", f"{job['weight']:g}"
    if job["after"]:
        yield "after", _after(job)
    for name in ("not_before", "deadline"):
        if job[name]:
            yield name.replace("_", " "), when(job[name])
    yield "retries", job["retries"]
    yield "timeout", duration(job["timeout"]) if job["timeout"] else "none"
    yield "requires", " or ".join(job["needs"]) or "nothing"
    for name in ("limits", "environment"):
        if job.get(name):
            yield name, pairs(job[name])


def _after(job: Mapping[str, Any]) -> str:
    numbers = ", ".join(str(number) for number in job["after"])
    return f"{numbers} ({'each task ' if job['each'] else ''}{job['after_what']})"


def _task_row(task: Mapping[str, Any]) -> tuple[Any, ...]:
    failure = task["failure"]
    return (
        task["number"],
        task["state"],
        task["attempt"],
        task["worker"],
        task["time"],
        task["payload_size"],
        task["result_size"],
        f"{failure['kind']}: {_first_line(failure['error'])}" if failure else "",
    )


def _worker_row(worker: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        worker["name"],
        worker["state"],
        worker["address"],
        worker["slots"],
        worker["held"],
        worker["done"],
        worker["failed"],
        ", ".join(kind["name"] for kind in worker["types"]),
        resources_text(worker["resources"]),
        pairs(worker["labels"]),
        worker["note"],
    )


def _broken(screen: Screen, by_place: Mapping[str, Mapping[str, str]]) -> None:
    for place, broken in by_place.items():
        for why in broken.values():
            screen.note(f"broken on {place}: {why}")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{counts[name]} {name}" for name in COUNTS if counts[name]) or "none"


def pairs(labels: Mapping[str, str]) -> str:
    """Return labels in one line."""
    return " ".join(f"{label}={value}" for label, value in labels.items())


def when(unix: float) -> str:
    """Return a Unix time as date and time of this computer."""
    return datetime.fromtimestamp(unix).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _first_line(text: str) -> str:
    lines: Iterable[str] = text.strip().splitlines()
    return next(iter(lines), "")
