"""The commands that have jobs in hand."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from dc.cli.control_arguments import Target
from dc.cli.progress import Pace, describe
from dc.cli.screen import Screen
from dc.client.plain_client import Client
from dc.errors import OptionsError

NONE_LEFT = {
    "cancelled": "none of these is unfinished",
    "queued again": "none of these has failed (cancelled ones are to be named: J/T)",
}
CHANGES = ("name", "priority", "weight", "not_before", "deadline")


def cancel(args: Namespace, client: Client, screen: Screen) -> int:
    """Cancel jobs, or tasks of jobs."""
    if bool(args.targets) + (args.type is not None) + (args.submitter is not None) != 1:
        raise OptionsError("say what is to be cancelled: jobs or tasks, --type, or --submitter")
    if args.type is not None:
        name, _, version = args.type.partition("@")
        path = f"/api/types/{quote(name, safe='')}/cancel"
        _say_jobs(args, screen, client.request("POST", path, {"version": version}))
    elif args.submitter is not None:
        path = f"/api/submitters/{quote(args.submitter, safe='')}/cancel"
        _say_jobs(args, screen, client.request("POST", path))
    for one in args.targets:
        if one.tasks:
            path = f"/api/jobs/{one.job}/tasks/cancel"
            _say_tasks(args, screen, one, "cancelled", client.request("POST", path, _tasks(one)))
        else:
            _say_job(args, screen, client.job(one.job).cancel())
    return 0


def retry(args: Namespace, client: Client, screen: Screen) -> int:
    """Queue failed tasks again."""
    for one in args.targets:
        body = _tasks(one) if one.tasks else None
        answer = client.request("POST", f"/api/jobs/{one.job}/retry", body)
        _say_tasks(args, screen, one, "queued again", answer)
    return 0


def pause(args: Namespace, client: Client, screen: Screen) -> int:
    """Hand nothing of jobs out until they are resumed."""
    for job in args.jobs:
        _say(args, screen, client.request("POST", f"/api/jobs/{job}/pause", {"now": args.now}))
    return 0


def resume(args: Namespace, client: Client, screen: Screen) -> int:
    """Hand paused jobs out again."""
    for job in args.jobs:
        _say(args, screen, client.request("POST", f"/api/jobs/{job}/resume"))
    return 0


def change(args: Namespace, client: Client, screen: Screen) -> int:
    """Change options of jobs."""
    said = {name: getattr(args, name) for name in CHANGES if getattr(args, name) is not None}
    if not said:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in CHANGES)
        raise OptionsError(f"say what is to be changed: {options}")
    for job in args.jobs:
        _say(args, screen, client.request("PATCH", f"/api/jobs/{job}", said))
    return 0


def submitter(args: Namespace, client: Client, screen: Screen) -> int:
    """List submitters, or give one a weight."""
    if args.weight is not None:
        if not args.name:
            raise OptionsError("say whose weight: python -m dc submitter NAME --weight W")
        path = f"/api/submitters/{quote(args.name, safe='')}"
        answer = client.request("PATCH", path, {"weight": args.weight})
        if args.json:
            screen.json(answer)
        else:
            screen.write(f"{answer['name']} has the weight {answer['weight']:g}\n")
        return 0
    answer = client.get("/api/submitters")
    rows = [one for one in answer["submitters"] if args.name in (None, one["name"])]
    if args.json:
        screen.json({"submitters": rows})
    else:
        table = ((one["name"], f"{one['weight']:g}", one["jobs"]) for one in rows)
        screen.table(("submitter", "weight", "unfinished jobs"), table)
    return 0


def _tasks(one: Target) -> dict[str, Any]:
    return {"tasks": [list(pair) for pair in one.tasks]}


def _say(args: Namespace, screen: Screen, job: Mapping[str, Any]) -> None:
    if args.json:
        screen.json(job)
        return
    note = f": {job['note']}" if job["note"] else ""
    name = f" ({job['name']})" if job["name"] else ""
    screen.write(
        f"job {job['job']}{name} is {job['state']}, "
        f"priority {job['priority']}, weight {job['weight']:g}{note}\n"
    )


def _say_job(args: Namespace, screen: Screen, status: Any) -> None:
    if args.json:
        screen.json({name: getattr(status, name) for name in status.__struct_fields__})
    else:
        screen.write(describe(status, Pace()) + "\n")


def _say_tasks(
    args: Namespace, screen: Screen, one: Target, what: str, answer: Mapping[str, Any]
) -> None:
    if args.json:
        screen.json(answer)
        return
    count = answer["tasks"]
    if not count:
        screen.write(f"no task of job {one.job} is {what}: {NONE_LEFT[what]}\n")
        return
    tasks = "1 task" if count == 1 else f"{count} tasks"
    screen.write(f"{tasks} of job {one.job} {'is' if count == 1 else 'are'} {what}\n")


def _say_jobs(args: Namespace, screen: Screen, answer: Mapping[str, Any]) -> None:
    if args.json:
        screen.json(answer)
    elif answer["jobs"]:
        screen.write(f"cancelled: {', '.join(f'job {job}' for job in answer['jobs'])}\n")
    else:
        screen.write("there is no such unfinished job\n")
