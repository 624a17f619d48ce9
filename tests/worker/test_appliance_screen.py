"""The screen of a computer that was booted from the image."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dc.worker import appliance_screen as screen
from dc.worker.appliance_screen import CONNECTED, LOOKING, LOST, TELL, View, lines, news
from dc.worker.joining import NO_CODE
from dc.worker.statistics import Running

WELL = View(
    image="0.9 (amd64)",
    name="dc-525400123456",
    links=[("eth0", "10.0.2.15/24"), ("eth1", "no link: is the cable in?")],
    server="https://10.0.2.2:8220",
    state=CONNECTED,
    since=190.0,
    slots=2,
    running=[Running(0, "render.frame", 3, 17, 61.0)],
    done=120,
    failed=3,
    memory=(301 << 20, 512 << 20),
    clock=1.79e9,
)


def shown(view: View) -> str:
    return "\n".join(lines(view))


def test_all_that_is_of_interest_is_on_it() -> None:
    text = shown(WELL)
    for one in (
        "dc worker image 0.9 (amd64)",
        "2026-09-21 14:13 UTC",
        "dc-525400123456",
        "eth0: 10.0.2.15/24",
        "eth1: no link: is the cable in?",
        "https://10.0.2.2:8220, connected for 3 min",
        "1 of 2 slots at work; 120 done, 3 failed",
        "render.frame",
        "3/17",
        "61 s",
        "301 MB of 512 MB free",
        "by dc.shell=1",
    ):
        assert one in text, one


def test_what_went_wrong_and_when_it_tries_again() -> None:
    text = shown(replace(WELL, state=LOST, trouble="cannot reach it: refused", again=12.3))
    assert "https://10.0.2.2:8220 is lost for 3 min" in text
    assert "cannot reach it: refused; trying again in 12 s" in text
    old = replace(WELL, trouble="cannot reach it; trying again in 3.2 s", age=200.0)
    assert "cannot reach it (3 min ago)" in shown(old)


def test_a_long_sentence_takes_two_lines() -> None:
    long = (
        f"https://10.0.2.2:8220 does not take this join code: it was used, or has ended; {NO_CODE}"
    )
    found = [line for line in lines(replace(WELL, trouble=long)) if line.startswith(" " * 12)]
    text = " ".join(line.strip() for line in found)
    assert "boot it with a new join code (python -m dc invite)" in text
    assert NO_CODE not in text


def test_nobody_has_told_where_the_server_is() -> None:
    view = View(trouble="found no server: nobody answers", told=False)
    text = shown(view)
    assert all(f"  {line}" in text for line in TELL), "a line of it is cut"
    assert TELL[0] not in shown(replace(view, told=True))
    assert TELL[0] not in shown(replace(view, trouble=""))
    assert TELL[0] not in shown(replace(view, state=CONNECTED))


def test_a_number_is_large() -> None:
    view = replace(
        WELL, state=LOOKING, number="123450", page="https://h/workers", question="Press y"
    )
    text = shown(view)
    assert sum(line.count("#") for line in lines(view)) > 60
    assert "at https://h/workers" in text
    assert "Press y" in text


def test_a_number_and_what_is_asked_have_their_place_on_every_computer() -> None:
    links = [(f"eth{at}", "no link: is the cable in?") for at in range(6)]
    view = replace(
        WELL, state=LOOKING, links=links, cards=["1:2"], trouble="word " * 99, remarks=["r " * 99],
        number="123456", page="https://h/workers", question="Press y",
    )  # fmt: skip
    text = shown(view)
    assert sum(line.count("#") for line in lines(view)) > 60
    assert "at https://h/workers" in text
    assert "Press y" in text


def test_what_is_wrong_with_the_configuration_is_told_before_what_is_right() -> None:
    remark = "dc.server in dc.conf: 'h:x' is no address; give HOST:PORT"
    links = [(f"eth{at}", "10.0.0.9/24") for at in range(4)]
    text = shown(View(links=links, trouble="word " * 99, told=False, remarks=[remark]))
    assert f"! {remark}" in text
    assert TELL[0] in text


def test_a_card_without_a_driver_is_told() -> None:
    assert "no driver here for network card 10ec:8125" in shown(View(cards=["10ec:8125"]))
    assert "no network card" in shown(View())


def test_there_is_room_for_tasks_and_no_more() -> None:
    many = [Running(at, "t" * 200, 2**40, 2**40, 1e9) for at in range(50)]
    links = [(f"eth{at}", "x" * 200) for at in range(20)]
    view = replace(WELL, running=many, links=links, trouble="word " * 400, remarks=["r " * 300] * 9)
    found = lines(view)
    assert len(found) == screen.LINES
    assert "and 16 more network cards" in "\n".join(found)
    assert found[-1].lstrip().startswith("Power button")


ANY = st.text(max_size=90)
VIEWS = st.builds(
    View,
    image=ANY,
    name=ANY,
    links=st.lists(st.tuples(ANY, ANY), max_size=6),
    cards=st.lists(ANY, max_size=4),
    server=ANY,
    state=st.sampled_from([LOOKING, CONNECTED, LOST]),
    since=st.floats(0, 1e9),
    trouble=st.text(max_size=400),
    age=st.floats(0, 1e9),
    again=st.floats(-1, 1e5),
    told=st.booleans(),
    slots=st.integers(0, 10_000),
    running=st.lists(
        st.builds(
            Running, st.integers(0, 99), ANY, st.integers(1), st.integers(0), st.floats(0, 1e9)
        ),
        max_size=12,
    ),
    remarks=st.lists(ANY, max_size=4),
    clock=st.floats(),
    number=st.text("0123456789x\u0663", max_size=8),
    page=ANY,
    question=ANY,
    shell=st.booleans(),
)


@given(VIEWS, VIEWS)
def test_whatever_is_shown_takes_hold_of_no_terminal(view: View, other: View) -> None:
    found = lines(view)
    assert len(found) == screen.LINES
    assert all(len(line) <= screen.COLUMNS for line in found)
    told = news(view, other)
    assert all(" " <= letter <= "~" for line in [*found, *told] for letter in line)
    assert news(view, view) == []  # nothing is told twice


def test_what_is_news() -> None:
    before = View()
    after = replace(WELL, trouble="")
    assert news(before, after) == [
        "eth0: 10.0.2.15/24",
        "eth1: no link: is the cable in?",
        "connected to https://10.0.2.2:8220 as dc-525400123456, 2 slots",
    ]
    # Nobody reads of each task, nor of each try.
    assert news(after, replace(after, done=500, failed=90, running=[], memory=(1, 2))) == []
    lost = replace(after, state=LOST, trouble="cannot reach it; trying again in 1.2 s")
    assert news(after, lost) == ["https://10.0.2.2:8220 is lost", "cannot reach it"]
    assert news(lost, replace(lost, trouble="cannot reach it; trying again in 9.9 s")) == []
    asked = replace(before, number="123456", page="https://h/workers")
    assert news(before, asked) == ["the number 123 456: compare it at https://h/workers"]
    told = news(before, replace(before, trouble="found no server", told=False))
    assert told == ["found no server", *TELL]
