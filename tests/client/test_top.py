"""`python -m dc top`: keys and answers in, questions and lines out. No terminal."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dc.cli.keys import next_key
from dc.cli.screen import one_line
from dc.cli.top_frame import frame, plain
from dc.cli.top_state import PANELS, Ask, Top
from dc.cli.top_words import big, per_second, span, sparkline
from tests.client.top_views import answers, job, overview, worker

TROUBLE = {
    "kind": "sick", "level": "error", "text": "worker <b>\x1b[31m\u202ebox is set\naside",
    "link": "/workers/box", "since": None,
}  # fmt: skip


def shown(top: Top, width: int = 80, height: int = 24) -> str:
    return "\n".join(line.plain for line in frame(top, width, height))


def started(**more: Any) -> Top:
    top = Top()
    jobs = [job(3, done=50, failed=7), job(2, "paused", done=1), job(1, "queued")]
    top.answered(answers(jobs, [worker("ann"), worker("bob", "paused")], **more))
    return top


def press(top: Top, *names: str) -> Ask | None:
    """Press keys; return what the last one asks of the server."""
    asked = None
    for name in names:
        asked = top.key(name)
    return asked


# --- what is seen ---------------------------------------------------------------------------------


def test_the_whole_is_seen_on_a_small_terminal() -> None:
    text = shown(started(attention=[TROUBLE]))
    for words in (
        "dc 0.1.0 at http://127.0.0.1:8220", "up 2 h 5 min", "1,234 queued", "2.5M done",
        "480/s", "7 of 8 busy on 2 workers, 1 away", "about 2 min (1 min to 1 h 6 min)",
        "job-3", "57/100", "paused", "ann", "2/2", "50%", "95%", "q quit",
        "worker <b>\ufffd[31m\ufffdbox is set aside",
    ):  # fmt: skip
        assert words in text, words


def test_before_the_first_answer_and_when_the_server_is_gone() -> None:
    top = Top()
    assert "asking the server" in shown(top)
    top.failed("the server does not answer; trying again")
    assert "does not answer" in shown(top)
    top = started()
    top.failed("the server does not answer; trying again")
    assert "does not answer" in shown(top)
    assert "job-3" in shown(top), "what is known stays"
    top.answered(answers([], []))
    assert "does not answer" not in shown(top)
    assert "start one by `python -m dc.worker`" in shown(top)


@given(st.integers(0, 200), st.integers(0, 60), st.integers(0, 60), st.booleans(), st.data())
def test_it_fits_whatever_the_size(
    width: int, height: int, count: int, helping: bool, data: st.DataObject
) -> None:
    top = Top()
    names = st.text(max_size=40)
    jobs = [job(n, done=n % 100) | {"name": data.draw(names)} for n in range(count % 7)]
    workers = [worker(f"w{n}\n{n}") for n in range(count)]
    top.answered(answers(jobs, workers, attention=[TROUBLE] * (count % 4)))
    top.helping = helping
    top.focus = data.draw(st.sampled_from(PANELS))
    lines = frame(top, width, height)
    assert len(lines) == height
    for line in lines:
        assert line.cell_len == width
        assert not set("\n\r\x1b\u202e") & set(line.plain)


def test_a_wide_terminal_shows_more() -> None:
    assert "submitter" not in shown(started(), 80)
    assert "submitter" in shown(started(), 160)
    assert "runs" in shown(started(), 160)


def test_the_marked_row_is_always_seen() -> None:
    top = Top()
    top.answered(answers([], [worker(f"w{number:02}") for number in range(99)]))
    press(top, "2")
    for number in range(99):
        assert f"w{number:02}" in shown(top)
        press(top, "down")
    assert "w98" in shown(top)
    press(top, "home")
    assert "w00" in shown(top)


def test_plain_text_has_everything() -> None:
    top = Top()
    top.answered(answers([job(n) for n in range(50)], [worker(f"w{n}") for n in range(50)]))
    text = "\n".join(line.plain for line in plain(top, 120))
    assert all(f"job-{n} " in text and f"w{n} " in text for n in range(50))
    assert all(line.cell_len == 120 for line in plain(top, 120))


# --- keys -----------------------------------------------------------------------------------------


def test_the_mark_stays_with_its_row() -> None:
    top = started()
    press(top, "down")
    assert top.selected["jobs"] == 2
    top.answered(answers([job(9), job(3), job(2)], []))
    assert top.selected["jobs"] == 2
    top.answered(answers([job(9), job(3)], []))
    assert top.place("jobs") == 0, "it has gone"
    top.answered(answers([], []))
    assert press(top, "p") is None
    assert press(top, "enter", "c", "r", "d", "up", "end") is None


@pytest.mark.parametrize(
    ("keys", "path", "body"),
    [
        (["p"], "/api/jobs/3/pause", {}),
        (["j", "p"], "/api/jobs/2/resume", {}),
        (["c", "y"], "/api/jobs/3/cancel", {}),
        (["r", "y"], "/api/jobs/3/retry", {}),
        (["tab", "p"], "/api/workers/pause", {"names": ["ann"], "exact": True}),
        (["2", "G", "p"], "/api/workers/resume", {"names": ["bob"], "exact": True}),
        (["2", "d", "Y"], "/api/workers/drain", {"names": ["ann"], "exact": True}),
    ],
)
def test_what_keys_have_done(keys: list[str], path: str, body: dict[str, Any]) -> None:
    asked = press(started(), *keys)
    assert asked is not None
    assert (asked.method, asked.path, asked.body) == ("POST", path, body)
    assert asked.done


@pytest.mark.parametrize("answer", ["n", "enter", "escape", "q"])
def test_what_cannot_be_taken_back_is_asked_first(answer: str) -> None:
    top = started()
    assert press(top, "c") is None
    assert "Cancel job 3 job-3: 43 tasks will not be run? y/n" in shown(top)
    assert press(top, answer) is None
    assert not top.over
    assert "nothing was done" in shown(top)
    press(top, "down")
    assert "nothing was done" not in shown(top)


def test_one_is_looked_at_and_left() -> None:
    top = started()
    press(top, "enter")
    assert top.paths()["detail"] == "/api/jobs/3"
    detail = job(3) | {"why": "waits for a worker with a card", "left": overview()["left"]}
    top.answered(answers([job(3)], []) | {"detail": detail})
    assert "waits for a worker with a card" in shown(top)
    assert "about 2 min (1 min to 1 h 6 min): of 100 tasks" in shown(top)
    press(top, "down")
    assert "job         3" not in shown(top), "it is scrolled"
    press(top, "escape")
    assert "detail" not in top.paths()
    assert "Workers" in shown(top)


def test_a_worker_is_looked_at() -> None:
    top = started()
    press(top, "2", "enter")
    assert top.paths()["detail"] == "/api/workers/ann"
    running = [{"job": 3, "number": 4, "attempt": 1, "type": "square", "began": 1e9,
                "progress": {"fraction": 0.5, "text": "half", "at": 1e9}}]  # fmt: skip
    one = worker("ann", running=running, failing=0.25)
    top.answered(answers([job(3)], [worker("ann")]) | {"detail": one})
    for words in (
        "own name    box",
        "3/4 square, 50% half",
        "61 °C",
        "25% of the",
        "dc 0.1.0",
    ):
        assert words in shown(top), words


def test_what_is_looked_at_may_go() -> None:
    top = started()
    press(top, "enter")
    top.refused("there is no job 3")
    assert not top.looking
    assert "there is no job 3" in shown(top)
    top.refused("the disk is full")
    assert "the disk is full" in shown(top)


def test_sorting_and_filters_are_the_servers() -> None:
    top = started()
    press(top, "2", "s", "/", *"lab 1", "backspace", "enter")
    query = parse_qs(urlsplit(top.paths()["workers"]).query)
    assert query == {"limit": ["200"], "sort": ["failing"], "order": ["desc"], "search": ["lab "]}
    assert "with “lab ”" in shown(top)
    press(top, "/", "x", "q")
    assert not top.over, "it is typed"
    press(top, "escape")
    assert "search" not in top.paths()["workers"]
    assert "state=open" in top.paths()["jobs"]
    press(top, "a")
    assert "state" not in parse_qs(urlsplit(top.paths()["jobs"]).query)


def test_help_and_the_end() -> None:
    top = started()
    press(top, "?")
    assert "asks first" in shown(top)
    press(top, "q")
    assert not top.over, "any key leaves the help"
    press(top, "q")
    assert top.over


@given(st.lists(st.sampled_from([*"qpcrds/?123ajkgGynxyz ", "up", "down", "enter", "escape", "tab",
                                 "pageup", "end", "backspace", "left"]), max_size=30))  # fmt: skip
def test_no_keys_bring_it_out_of_order(names: list[str]) -> None:
    top = started(attention=[TROUBLE])
    for name in names:
        asked = top.key(name)
        assert asked is None or asked.path.startswith("/api/")
        assert len(frame(top, 80, 24)) == 24
        top.answered(answers([job(2)], [worker("bob")]))


# --- words ----------------------------------------------------------------------------------------


def test_words() -> None:
    assert [big(n) for n in (0, 99_999, 100_000, 999_499, 999_500, 12_345_678, 10**10)] == [
        "0", "99,999", "100k", "999k", "1M", "12.3M", "10G"
    ]  # fmt: skip
    assert [per_second(r) for r in (0.0, 0.25, 12.34, 54321.9)] == [
        "0/s", "0.25/s", "12.3/s", "54,322/s"
    ]  # fmt: skip
    assert [span(s) for s in (-1, 59.4, 61, 3725, 90000)] == [
        "0 s", "59 s", "1 min", "1 h 2 min", "1 d 1 h"
    ]  # fmt: skip
    assert sparkline([0, 1, 4, 8], 3) == "▂▅█"
    assert sparkline([0.0, 0.0], 9) == "▁▁"
    assert sparkline([1.0], 0) == sparkline([], 5) == ""
    assert one_line("a\n\tb\x1b[2J\u2066c") == "a b\ufffd[2J\ufffdc"


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("jq", ["j", "q"]),
        ("\x1b[A\x1bOBx", ["up", "down", "x"]),
        ("\x1b", ["escape"]),
        ("\x1bq", ["escape", "q"]),
        ("\x1b[5~\x1b[6~", ["pageup", "pagedown"]),
        ("\r\n\t\x7f", ["enter", "enter", "tab", "backspace"]),
        ("\x1b[1;5Cj", ["", "j"]),
        ("\x1b[15~j", ["", "j"]),
        ("\x1b[", [""]),
        ("\x01é漢", ["", "é", "漢"]),
    ],
)
def test_keys(typed: str, names: list[str]) -> None:
    found = []
    while typed:
        name, typed = next_key(typed)
        found.append(name)
    assert found == names
