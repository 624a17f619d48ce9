"""What a server would say to `python -m dc top`."""

from __future__ import annotations

from typing import Any

from tests.client.test_cli import JOB as LISTED
from tests.client.test_cli import WORKER as SICK

NOTHING = dict.fromkeys(("queued", "assigned", "running", "done", "failed", "cancelled"), 0)


def job(number: int, state: str = "running", **counts: int) -> dict[str, Any]:
    told = {"total": 100, **NOTHING, **counts}
    more = {"counts": told, "rate": 12.5, "left": None, "bytes": 2048, "note": "", "why": ""}
    return {**LISTED, "job": number, "name": f"job-{number}", "state": state, **more}


def worker(name: str, state: str = "connected", **more: Any) -> dict[str, Any]:
    vitals = dict.fromkeys(
        ("processors", "memory_used", "memory_total", "disk_free", "temperature", "battery",
         "mains", "dc_memory", "dc_processors")
    )  # fmt: skip
    vitals |= {"processors": 0.5, "memory_used": 3.8e9, "memory_total": 4e9, "temperature": 61.0}
    return {
        **SICK, "name": name, "state": state, "why": "", "note": "", "rate": 3.0, "failing": 0.0,
        "vitals": vitals, "software": "dc 0.1.0", "own_name": "box", **more,
    }  # fmt: skip


def overview(**more: Any) -> dict[str, Any]:
    status = {
        "software": "dc 0.1.0", "address": "http://127.0.0.1:8220", "started": 1e9,
        "tasks": {"total": 0, **NOTHING, "queued": 1234, "running": 7, "done": 2_500_000},
        "rate": 480.0, "workers": 2, "away": 1, "sick": 0, "slots": 8, "busy": 7, "trouble": "",
    }  # fmt: skip
    left = {"tasks": 1241, "work": 10.0, "low": 60.0, "likely": 150.0, "high": 4000.0,
            "basis": "of 100 tasks"}  # fmt: skip
    return {
        "now": 1e9 + 7500,
        "status": status,
        "left": left,
        "attention": [],
        "failures": [],
    } | more


def answers(
    jobs: list[dict[str, Any]], workers: list[dict[str, Any]], **more: Any
) -> dict[str, Any]:
    return {
        "overview": overview(**more),
        "jobs": {"jobs": jobs, "next": None},
        "workers": {"workers": workers, "next": None},
    }
