"""What a server might show, made up: one of each kind of view, as the page gets it."""

from __future__ import annotations

import math
from typing import Any, Final

from dc.view_jobs import (
    AttemptView,
    CountsView,
    FailureGroup,
    FailureView,
    FiguresView,
    Histogram,
    JobView,
    JobWorker,
    Left,
    OutputView,
    ProgressView,
    ReasonView,
    TaskView,
)
from dc.view_server import Attention, HistoryView, OverviewView, RecentFailure, StatusView
from dc.view_workers import RunningView, TypeName, VitalsView, WorkerView

NOW: Final = 1_790_000_000.0

TRACEBACK: Final = """Traceback (most recent call last):
  File "render.py", line 41, in frame
    return camera.shoot(scene, number)
  File "camera.py", line 112, in shoot
    raise ValueError(f"no light in scene {scene!r}")
ValueError: no light in scene 'attic'
"""


def status(**changes: Any) -> StatusView:
    values: dict[str, Any] = {
        "software": "dc 0.1.0",
        "version": "0.1.0",
        "protocol": 7,
        "started": NOW - 300_000,
        "address": "http://127.0.0.1:8600",
        "data": "dc-data",
        "tasks": CountsView(10_402_113, 884_020, 36, 124, 9_517_204, 729, 0),
        "jobs": {"running": 2, "queued": 1, "waiting": 1, "paused": 1},
        "workers": 31,
        "away": 2,
        "sick": 1,
        "slots": 128,
        "busy": 124,
        "rate": 412.4,
        "types": 6,
        "broken": {},
        "refused": {},
        "trouble": "",
        "retention": {},
        "bytes": 48_318_382_080,
        "quotas": {},
        "reserve": 1 << 30,
        "disk_free": 181_000_000_000,
    }
    return StatusView(**values | changes)


def left(**changes: Any) -> Left:
    values: dict[str, Any] = {
        "tasks": 884_180,
        "work": 281_000.0,
        "low": 1_930.0,
        "likely": 2_150.0,
        "high": 2_600.0,
        "basis": "9,517,204 finished tasks of these types, 124 slots that can run them",
    }
    return Left(**values | changes)


def group(**changes: Any) -> FailureGroup:
    values: dict[str, Any] = {
        "kind": "error",
        "error": "ValueError: no light in scene 'attic'",
        "count": 412,
        "first": 1_048,
        "last": 880_110,
        "last_at": NOW - 45,
        "workers": {"old-laptop": 390, "lab-04": 22},
    }
    return FailureGroup(**values | changes)


def overview(**changes: Any) -> OverviewView:
    values: dict[str, Any] = {
        "now": NOW,
        "status": status(),
        "left": left(),
        "attention": [
            Attention(
                "impossible",
                "error",
                "Job 9 needs gpu >= 2, and no worker has that: start one that does, or cancel it",
                "/jobs/9",
                NOW - 4_000,
            ),
            Attention(
                "sick",
                "warning",
                "Worker old-laptop is set aside: 390 of its last 400 tasks failed",
                "/workers/old-laptop",
                NOW - 400,
            ),
        ],
        "failures": [
            RecentFailure(7, "Winter film, reel 2", "render_frame", group()),
            RecentFailure(
                6,
                "",
                "prime_gaps",
                group(kind="memory", error="above 2.0 GiB of memory", count=12, first=5, last=90),
            ),
        ],
    }
    return OverviewView(**values | changes)


def history(since: float = NOW - 10_800, until: float = NOW, points: int = 300) -> HistoryView:
    step = max(10.0, (until - since) / points)
    at = [since + step * i for i in range(int((until - since) / step))]
    done: list[float | None] = [
        None if 60 < i < 75 else step * (400 + 90 * math.sin(i / 9) + 40 * math.sin(i / 2.3))
        for i in range(len(at))
    ]
    failed: list[float | None] = [
        None if value is None else (step * 22.0 if i % 37 < 4 else step * 1.5)
        for i, value in enumerate(done)
    ]
    return HistoryView(step, at, {"done": done, "failed": failed})


def job(number: int = 7, **changes: Any) -> JobView:
    values: dict[str, Any] = {
        "job": number,
        "name": "Winter film, reel 2",
        "type": "render_frame",
        "version": "2.1",
        "payload": "Frame",
        "result": "bytes",
        "state": "running",
        "note": "",
        "why": "",
        "reason": None,
        "counts": CountsView(1_000_000, 884_020, 36, 124, 115_091, 729, 0),
        "priority": 0,
        "retries": 2,
        "timeout": 600.0,
        "requires": {"blender": ">=4"},
        "resources": {"memory": 2.0 * (1 << 30)},
        "alternatives": [],
        "needs": ["blender >=4, memory 2 GiB"],
        "limits": {},
        "environment": {},
        "submitter": "ada",
        "weight": 1.0,
        "after": [],
        "after_what": "done",
        "each": False,
        "not_before": None,
        "deadline": None,
        "created": NOW - 3_600,
        "started_at": NOW - 3_598,
        "bytes": 48_318_382_080,
        "inputs": {},
        "keep_output": False,
        "rate": 31.2,
        "left": left(),
    }
    return JobView(**values | changes)


def jobs() -> list[JobView]:
    return [
        job(),
        job(
            9,
            name="Denoise",
            type="denoise",
            state="queued",
            why="no worker has what it needs: gpu >= 2",
            reason=ReasonView("impossible", {}),
            counts=CountsView(5_000, 5_000),
            rate=None,
            left=None,
        ),
        job(
            8,
            name="Reel 3",
            state="waiting",
            note="waiting for job 7 to be done",
            counts=CountsView(240_000, 240_000),
            rate=None,
        ),
        job(
            6,
            name="",
            type="prime_gaps",
            state="failed",
            counts=CountsView(4_096, 0, 0, 0, 4_084, 12, 0),
            finished_at=NOW - 900,
            rate=None,
            left=None,
        ),
        job(
            5,
            name="Reel 1",
            state="done",
            counts=CountsView(960_000, 0, 0, 0, 960_000, 0, 0),
            finished_at=NOW - 86_400,
            rate=None,
            left=None,
        ),
    ]


def figures(number: int = 7) -> FiguresView:
    bounds = [0.01 * 10 ** (i / 4) for i in range(17)]
    counts = [0, 0, 4, 12, 80, 411, 1_904, 7_120, 21_003, 38_812, 28_420, 12_090, 4_402, 902, 61, 0]
    return FiguresView(
        number,
        412_009.0,
        Histogram(bounds, [*counts, 2, 0]),
        [
            group(),
            group(kind="timeout", error="ran for more than 600 s", count=211, first=90, last=77),
            group(kind="crashed", error="ended by signal 9", count=106, first=12, last=901),
        ],
        0,
        [
            JobWorker("lab-01", 41_000, 12, 150_000.0),
            JobWorker("lab-04", 39_800, 98, 149_000.0),
            JobWorker("old-laptop", 1_200, 619, 9_000.0),
        ],
        0,
    )


def task(number: int = 1_048, **changes: Any) -> TaskView:
    values: dict[str, Any] = {
        "job": 7,
        "number": number,
        "state": "failed",
        "attempt": 3,
        "crashes": 0,
        "worker": "old-laptop",
        "began": None,
        "finished_at": NOW - 45,
        "time": 4.21,
        "payload_size": 210,
        "result_size": None,
        "failure": FailureView("error", "ValueError: no light in scene 'attic'", TRACEBACK),
        "why": "",
        "reason": None,
        "progress": None,
        "output_size": 230,
        "attempts": [
            AttemptView(
                attempt=1,
                worker="lab-04",
                end="lost",
                began=NOW - 400,
                ended=NOW - 300,
                seconds=None,
            ),
            AttemptView(
                attempt=2,
                worker="old-laptop",
                end="error",
                began=NOW - 200,
                ended=NOW - 196,
                seconds=4.1,
                failure=FailureView("error", "ValueError: no light in scene 'attic'", TRACEBACK),
            ),
            AttemptView(
                attempt=3,
                worker="old-laptop",
                end="error",
                began=NOW - 50,
                ended=NOW - 45,
                seconds=4.21,
                failure=FailureView("error", "ValueError: no light in scene 'attic'", TRACEBACK),
            ),
        ],
    }
    return TaskView(**values | changes)


def tasks() -> list[TaskView]:
    plain: dict[str, Any] = {"failure": None, "attempts": None, "output_size": None}
    return [
        task(0, state="done", attempt=1, worker="lab-01", result_size=48_210, time=3.6, **plain),
        task(1, state="done", attempt=1, worker="lab-01", result_size=48_019, time=3.4, **plain),
        task(
            2,
            state="running",
            attempt=1,
            worker="lab-04",
            began=NOW - 12,
            finished_at=None,
            time=None,
            progress=ProgressView(0.4, "sample 40 of 100", NOW - 1),
            **plain,
        ),
        task(
            3,
            state="queued",
            attempt=0,
            worker="",
            finished_at=None,
            time=None,
            why="14,020 tasks are before it, and all 124 slots that can run it are busy",
            reason=ReasonView("busy", {}),
            **plain,
        ),
        task(4),
    ]


def output() -> OutputView:
    text = "\n".join(f"sample {i} of 100" for i in range(12)) + "\n"
    return OutputView(7, 1_048, 3, 0, text, len(text), len(text), False)


def worker(name: str = "lab-01", **changes: Any) -> WorkerView:
    values: dict[str, Any] = {
        "name": name,
        "own_name": name,
        "key": "a" * 16,
        "state": "connected",
        "why": "",
        "reason": None,
        "note": "",
        "address": "10.0.0.11",
        "software": "dc 0.1.0",
        "slots": 16,
        "own_slots": 16,
        "held": 20,
        "running": [RunningView(7, 2, 1, None, "render_frame", NOW - 12)],
        "types": [TypeName("render_frame", "2.1")],
        "labels": {"system": "linux", "room": "lab"},
        "resources": {"cpus": 16.0, "memory": float(64 << 30)},
        "broken": {},
        "takes_plugins": True,
        "installs": True,
        "trusts": [],
        "lapses_in": None,
        "connected_at": NOW - 9_000,
        "seen": None,
        "leaves_in": None,
        "done": 41_000,
        "failed": 12,
        "rate": 14.2,
        "vitals": VitalsView(
            NOW, 0.97, 20 << 30, 64 << 30, 100 << 30, 61.0, None, True, 18 << 30, 15.4
        ),
    }
    return WorkerView(**values | changes)


def workers() -> list[WorkerView]:
    return [
        worker(),
        worker("lab-04", done=39_800, failed=98),
        worker(
            "old-laptop",
            state="sick",
            why="set aside: 390 of its last 400 tasks failed; tried again in 40 s",
            slots=4,
            failing=0.97,
            running=[],
        ),
    ]
