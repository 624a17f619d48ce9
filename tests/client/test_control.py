"""The commands that have jobs in hand: what they take, and what they ask the server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Self

import pytest

from dc.cli.control_arguments import Target, target
from dc.cli.main import main
from dc.client.records import JobStatus
from dc.times import unix_time

NOW = datetime(2026, 11, 28, 20, 15, 30, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20:16", NOW.replace(minute=16, second=0)),
        ("20:15", NOW.replace(day=29, minute=15, second=0)),
        ("7:05:09", datetime(2026, 11, 29, 7, 5, 9, tzinfo=NOW.tzinfo)),
        ("in 2h", NOW + timedelta(hours=2)),
        ("1h30m", NOW + timedelta(minutes=90)),
        ("+ 90 min", NOW + timedelta(minutes=90)),
        ("In 1.5d 10s", NOW + timedelta(days=1.5, seconds=10)),
        ("2026-12-24T18:00", datetime(2026, 12, 24, 18, tzinfo=NOW.tzinfo)),
        ("2026-12-24 18:00+00:00", datetime(2026, 12, 24, 18, tzinfo=UTC)),
    ],
)
def test_times_as_people_write_them(text: str, expected: datetime) -> None:
    assert unix_time(text, NOW) == expected.timestamp()


def test_none_is_no_time() -> None:
    assert unix_time("none", NOW) == 0.0


@pytest.mark.parametrize("text", ["", "tomorrow", "25:00", "12:60", "in", "2 weeks", "2h30"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        unix_time(text, NOW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", Target(12)),
        ("12/0", Target(12, ((0, 0),))),
        ("12/1,4,7-9", Target(12, ((1, 1), (4, 4), (7, 9)))),
    ],
)
def test_jobs_and_tasks_of_jobs(text: str, expected: Target) -> None:
    assert target(text) == expected


class Asked:
    """A client that only notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []

    def __call__(self, *_: object, **__: object) -> Asked:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def request(self, method: str, path: str, value: Any = None) -> Any:
        self.asked.append((method, path, value))
        job = {
            "job": 3,
            "name": "n",
            "state": "paused",
            "priority": 1,
            "weight": 2.0,
            "note": "why",
        }
        answer = {"tasks": 2, "jobs": [3, 4], "name": "ann@desk", "weight": 2.0}
        return job if "tasks" not in path and path.startswith("/api/jobs/3") else answer

    def get(self, path: str) -> Any:
        self.asked.append(("GET", path, None))
        return {"submitters": [{"name": "ann@desk", "weight": 2.0, "jobs": 1}]}

    def job(self, number: int) -> Asked:
        self.asked.append(("job", str(number), None))
        return self

    def cancel(self) -> JobStatus:
        counts = {"total": 2, "queued": 0, "assigned": 0, "running": 0}
        ended = {"done": 1, "failed": 0, "cancelled": 1, "note": ""}
        return JobStatus(job=3, type="t", version="1", state="cancelled", **counts, **ended)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "asked", "says"),
    [
        ("cancel 3", [("job", "3", None)], "job 3: 1 of 2 tasks, cancelled"),
        (
            "cancel 3/1-2 4/7",
            [
                ("POST", "/api/jobs/3/tasks/cancel", {"tasks": [[1, 2]]}),
                ("POST", "/api/jobs/4/tasks/cancel", {"tasks": [[7, 7]]}),
            ],
            "2 tasks of job 4 are cancelled",
        ),
        (
            "cancel --type a/b@2",
            [("POST", "/api/types/a%2Fb/cancel", {"version": "2"})],
            "cancelled: job 3, job 4",
        ),
        (
            "cancel --submitter ann@desk",
            [("POST", "/api/submitters/ann%40desk/cancel", None)],
            "cancelled: job 3, job 4",
        ),
        (
            "pause 3 --now",
            [("POST", "/api/jobs/3/pause", {"now": True})],
            "job 3 (n) is paused, priority 1, weight 2: why",
        ),
        ("resume 3", [("POST", "/api/jobs/3/resume", None)], "job 3 (n)"),
        ("retry 7", [("POST", "/api/jobs/7/retry", None)], "2 tasks of job 7 are queued again"),
        ("retry 7/1", [("POST", "/api/jobs/7/retry", {"tasks": [[1, 1]]})], "queued again"),
        (
            "set 3 --priority 5 --name x --not-before none",
            [("PATCH", "/api/jobs/3", {"name": "x", "priority": 5, "not_before": 0.0})],
            "job 3 (n)",
        ),
        ("submitter", [("GET", "/api/submitters", None)], "ann@desk"),
        (
            "submitter ann@desk --weight 2",
            [("PATCH", "/api/submitters/ann%40desk", {"weight": 2.0})],
            "ann@desk has the weight 2",
        ),
    ],
)
@pytest.mark.parametrize("json", [False, True])
def test_what_is_asked(
    line: str,
    asked: list[tuple[str, str, Any]],
    says: str,
    json: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    client = Asked()
    arguments = [*line.split(), "--json"] if json else line.split()
    assert main(arguments, open_client=client) == 0  # type: ignore[arg-type]
    assert client.asked == asked
    out = capsys.readouterr().out
    assert out.startswith("{") if json else says in out


@pytest.mark.parametrize(
    "line",
    [
        "cancel",
        "cancel 3 --type x",
        "cancel --type x --submitter y",
        "cancel 3/2-1",
        "cancel x",
        "cancel 3/",
        "set 3",
        "set 3 --deadline never",
        "submitter --weight 2",
    ],
)
def test_what_makes_no_sense_is_said(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    client = Asked()
    assert main(line.split(), open_client=client) == 2  # type: ignore[arg-type]
    assert client.asked == []
    assert capsys.readouterr().err
