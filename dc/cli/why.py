"""`why`: for what a task waits, or why a worker has nothing to do."""

from __future__ import annotations

from argparse import Namespace
from typing import Any
from urllib.parse import quote

from dc.cli.screen import Screen
from dc.client.plain_client import Client

RUNS_OR_ENDED = "it does not wait"


def why(args: Namespace, client: Client, screen: Screen) -> int:
    """Print why a job, a task or a worker waits, in one sentence."""
    if args.worker is not None:
        found = client.get(f"/api/workers/{quote(args.worker, safe='')}")
        what = f"worker {found['name']}"
    elif args.task[1] is None:
        found = client.get(f"/api/jobs/{args.task[0]}")
        what = f"job {found['job']}"
    else:
        found = client.get(f"/api/jobs/{args.task[0]}/tasks/{args.task[1]}")
        what = f"task {found['number']} of job {found['job']}"
    if args.json:
        screen.json({"why": found["why"], "reason": found["reason"], "state": found["state"]})
    else:
        screen.write(f"{what} ({found['state']}): {_sentence(found)}\n")
    return 0


def _sentence(found: dict[str, Any]) -> str:
    return str(found["why"]) or RUNS_OR_ENDED
