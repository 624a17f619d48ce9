"""`events` and `settings` on the command line: what they ask, and what they print."""

from __future__ import annotations

import json
from typing import Any, Self

import pytest

from dc.cli import events
from dc.cli.main import main


def event(number: int, **fields: Any) -> dict[str, Any]:
    known = {"event": number, "at": 1e9 + number, "level": "info", "kind": "job.paused"}
    return known | {"who": "operator", "text": f"job {number} was paused\x1b[2J"} | fields


class Asked:
    """A client that answers from a script, and notes what it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []

    def __call__(self, *_: object, **__: object) -> Any:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    def get(self, path: str) -> Any:
        self.asked.append(path)
        if not self.answers:
            raise KeyboardInterrupt
        return self.answers.pop(0)

    def request(self, method: str, path: str, value: Any = None) -> Any:
        self.asked.append((method, path, value))
        return self.answers.pop(0)


def page(*found: dict[str, Any], next_: str | None = None) -> dict[str, Any]:
    return {"events": list(found), "next": next_}


def test_events_are_listed_with_the_newest_last(capsys: pytest.CaptureFixture[str]) -> None:
    asked = Asked(page(event(3), event(2, level="warning"), next_="2"), page(event(1)))
    assert main(["events", "--limit", "5", "--kind", "job", "--job", "0"], asked) == 0
    assert asked.asked == [
        "/api/events?kind=job&job=0&limit=5", "/api/events?kind=job&job=0&cursor=2&limit=3",
    ]  # fmt: skip
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("  ")[2] for line in lines] == [
        "job.paused  operator  job 1 was paused�[2J",
        "job.paused  operator  warning: job 2 was paused�[2J",
        "job.paused  operator  job 3 was paused�[2J",
    ]


def test_an_event_is_one_line_whatever_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    told = event(1, text="job 1 (x\n2026-01-01 00:00:00  \u202eserver) came", who="a\nb")
    assert main(["events"], Asked(page(told))) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.partition("  ")[2] == (
        "job.paused  a b  job 1 (x 2026-01-01 00:00:00 \ufffdserver) came"
    )


def test_events_are_followed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "FOLLOW_SECONDS", 0.0)
    asked = Asked(page(event(1)), page(), page(event(3), event(2)), page())
    assert main(["events", "--follow", "--json"], asked) == 130
    assert asked.asked[1:] == [f"/api/events?after={after}&limit=1000" for after in (1, 1, 3, 3)]
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["event"] for line in lines] == [1, 2, 3]


def test_events_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "--json"], Asked(page(event(1)))) == 0
    assert json.loads(capsys.readouterr().out)["events"][0]["event"] == 1


SETTINGS = {
    "settings": [
        {"name": name, "value": "1", "text": "1 byte", "origin": "operator", "doc": "what",
         "changeable": True}
        for name in ("reserve", "quota-job")
    ]
}  # fmt: skip


@pytest.mark.parametrize(
    ("argv", "asked"),
    [
        ([], "/api/settings"),
        (["reserve"], "/api/settings"),
        (["reserve", "1"], ("PATCH", "/api/settings", {"reserve": "1"})),
        (["--reset", "reserve"], ("PATCH", "/api/settings", {"reserve": None})),
    ],
)
def test_settings(argv: list[str], asked: Any, capsys: pytest.CaptureFixture[str]) -> None:
    client = Asked(SETTINGS)
    assert main(["settings", *argv], client) == 0
    assert client.asked == [asked]
    out = capsys.readouterr().out
    assert "reserve" in out
    assert ("quota-job" in out) == (not argv)


def test_a_setting_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "nope"], Asked(SETTINGS)) == 2
    assert "there is no setting nope" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [["--limit", "0"], ["--limit", "x"], ["--level", "bad"]])
def test_what_is_no_filter(argv: list[str]) -> None:
    assert main(["events", *argv], Asked()) == 2
