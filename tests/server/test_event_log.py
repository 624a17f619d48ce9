"""Events: what becomes one, what is only counted, and what is shown once it is on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dc import limits, limits_shown
from dc.messages_client import Cancel, Submit, Unsubscribe
from dc.messages_parts import Failure
from dc.messages_worker import Appliance, Failed, Goodbye
from dc.records_shown import Events
from dc.server.commands import (
    CancelJob,
    CancelTasks,
    ChangeJob,
    ChangeSettings,
    OrderWorkers,
    PauseJob,
    ResumeJob,
    RetryTasks,
    SetWeight,
    SetWorkers,
    WakeWorkers,
    Which,
)
from dc.server.event_kinds import KINDS
from dc.server.event_log import EventLog
from dc.server.events import JobRemoved, Stopping, Troubled
from dc.view_server import EventView
from tests.server.harness import Harness


class Clocked:
    """A log, its clock, and what it shows."""

    def __init__(self) -> None:
        self.now = 0.0
        self.shown: list[EventView] = []
        self.log = EventLog(lambda: (self.now, self.now + 1e9))
        self.log.on_event = self.shown.append

    def note(self, count: int = 1, kind: str = "job.finished", who: str = "ann") -> None:
        for _ in range(count):
            self.log.note(kind, who, lambda: "it finished")

    def write(self) -> list[EventView]:
        rows = self.log.take()
        if rows:
            self.log.written(rows)
        return rows


def test_an_event_is_shown_once_it_is_on_disk() -> None:
    clocked = Clocked()
    clocked.note()
    rows = clocked.log.take()
    assert [row.event for row in rows] == [1]
    clocked.note()
    assert not clocked.log.take(), "the first is on its way"
    assert not clocked.shown
    clocked.log.written(rows)
    assert clocked.shown == rows
    assert [row.event for row in clocked.write()] == [2]


def test_many_at_once_are_counted() -> None:
    clocked = Clocked()
    clocked.note(limits_shown.EVENTS_AT_ONCE + 1200)
    clocked.note(3, who="bob")
    clocked.note(1, kind="worker.came", who="w")
    told = clocked.write()
    assert len(told) == limits_shown.EVENTS_AT_ONCE + 1
    assert told[-1].kind == "worker.came", "the one kind is not in the other's way"
    clocked.now += limits_shown.EVENTS_COUNTED_SECONDS
    (counted,) = clocked.write()
    assert counted.text.startswith("1,203 jobs of 2 submitters finished")
    assert (counted.who, counted.kind, counted.job) == ("server", "job.finished", None)
    clocked.note()
    assert [row.text for row in clocked.write()] == ["it finished"]


def test_what_is_only_counted_costs_no_sentence() -> None:
    clocked = Clocked()
    clocked.note(limits_shown.EVENTS_AT_ONCE)

    def never() -> str:
        raise AssertionError

    clocked.log.note("job.finished", "ann", never)


@given(st.lists(st.tuples(st.sampled_from(["job.finished", "job.submitted"]), st.floats(0, 2))))
def test_each_event_is_told_or_counted(moves: list[tuple[str, float]]) -> None:
    clocked = Clocked()
    for kind, pause in moves:
        clocked.note(7, kind)
        clocked.now += pause
        clocked.write()
    rows = clocked.log.take(all_=True)
    clocked.log.written(rows)
    numbers = [row.event for row in clocked.shown]
    assert numbers == list(range(1, len(numbers) + 1))
    told = sum(row.text == "it finished" for row in clocked.shown)
    counts = [row.text.split()[0] for row in clocked.shown if row.text != "it finished"]
    assert told + sum(int(count.replace(",", "")) for count in counts) == 7 * len(moves)
    seconds = clocked.now / limits_shown.EVENT_SECONDS
    assert told <= 2 * (limits_shown.EVENTS_AT_ONCE + seconds + 1)


def test_what_waits_for_the_disk_is_bounded() -> None:
    clocked = Clocked()
    clocked.note()
    clocked.log.take()  # and it never gets there
    for _ in range(3 * limits_shown.EVENTS_WAITING):
        clocked.now += limits_shown.EVENT_SECONDS
        clocked.note()
    assert len(clocked.log._waiting) == limits_shown.EVENTS_WAITING


def test_texts_are_cut_and_have_no_control_characters() -> None:
    clocked = Clocked()
    clocked.log.note("job.failed", "", lambda: "a\x00b\x1b[2J" + "x" * 10_000)
    (row,) = clocked.write()
    assert row.text.startswith("a�b�[2Jx")
    assert len(row.text) == limits_shown.EVENT_CHARS
    assert (row.who, row.level) == ("somebody", "warning")


def test_every_kind_says_what_many_of_it_are() -> None:
    for kind, about in KINDS.items():
        assert kind.count(".") == 1
        assert "{count}" in about.many
        about.many.format(count=2, who="ann")


def test_every_kind_is_described() -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "history.md").read_text("utf-8")
    for kind in KINDS:
        assert f"`{kind}`" in page, kind


# --- what becomes an event ------------------------------------------------------------------------


def happened(server: Harness) -> list[tuple[str, str]]:
    """Return kinds and makers of all events, once they are on disk."""
    for _ in range(2):
        server.commit()
        server.pass_time(1.0)
    server.commit()
    rows = [row for one in server.written if isinstance(one, Events) for row in one.rows]
    return [(row.kind, row.who) for row in rows]


def texts(server: Harness, kind: str) -> list[str]:
    rows = [row for one in server.written if isinstance(one, Events) for row in one.rows]
    return [row.text for row in rows if row.kind == kind]


def test_a_job_and_its_worker() -> None:
    server = Harness()
    peer, client = server.worker("w"), server.client()
    server.submit(client, [b"a"], name="<i>")
    server.settle()
    server.answer(peer, 1, server.tasks(peer))
    server.commit()
    server.say(peer, Goodbye())
    assert happened(server) == [
        ("worker.came", "w"),
        ("job.submitted", "somebody"),
        ("job.finished", "somebody"),
        ("worker.went", "w"),
    ]
    assert texts(server, "job.finished")[0].startswith("job 1 (<i>) finished: 1 task done")


def test_a_job_that_fails_and_one_that_is_left_or_cancelled() -> None:
    server = Harness()
    peer, client = server.worker("w"), server.client()
    server.submit(client, [b"a"])
    server.settle()
    ((job, number, attempt, _),) = server.tasks(peer)
    server.say(peer, Failed(1, job, number, attempt, 0.1, Failure("error", "no")))
    server.settle()
    server.say(client, Submit(77, "echo", "", {}))
    server.settle()
    server.say(client, Unsubscribe(77))
    server.say(client, Cancel(78, 2))
    server.settle()
    kinds = [kind for kind, _ in happened(server)]
    assert kinds.count("job.failed") == kinds.count("job.cancelled") == 1
    assert kinds.count("job.deserted") == 1
    assert "1 of its 1 task failed" in texts(server, "job.failed")[0]


def test_a_worker_that_is_cut_off_and_comes_back_or_does_not() -> None:
    server = Harness()
    peer, client = server.worker("w"), server.client()
    server.submit(client, [b"a"])
    server.settle()
    server.close(peer)
    server.pass_time(1.0)
    server.worker("w")
    again = max(server.reactor.workers.by_peer)
    server.settle()
    server.close(again)
    for _ in range(int(limits.GRACE_SECONDS) + 5):
        server.live(1.0, client)
    kinds = [kind for kind, who in happened(server) if kind.startswith("worker.")]
    assert kinds[:3] == ["worker.came", "worker.away", "worker.back"]
    assert kinds[-2:] == ["worker.lost", "worker.went"]
    assert "1 task of it go to others" in texts(server, "worker.lost")[0]


def decide(server: Harness, *commands: Any) -> list[tuple[str, str]]:
    before = len(happened(server))
    for command in commands:
        server.decide(command)
    return happened(server)[before:]


def test_what_operators_ask_for() -> None:
    server = Harness()
    server.worker("w")
    client = server.client()
    server.submit(client, [b"a", b"b"])
    server.settle()
    found = decide(
        server,
        PauseJob(1),
        ResumeJob(1),
        ChangeJob(1, {"priority": 3}),
        CancelTasks(1, [(0, 0)]),
        SetWeight("ann", 2.0),
        OrderWorkers(Which(["w"]), "pause"),
        OrderWorkers(Which(["w"]), "resume"),
        SetWorkers(Which(["w"]), slots=3, labels={"room": "1"}),
        SetWorkers(Which(["w"]), name="lab-1"),
        ChangeSettings({"keep-days": "7", "reserve": None}),
        CancelJob(1),
    )
    assert [who for _, who in found] == ["operator"] * 12
    assert [kind for kind, _ in found] == [
        "job.paused", "job.resumed", "job.changed", "task.cancelled", "submitter.weight",
        "worker.paused", "worker.resumed", "worker.changed", "worker.renamed", "setting.changed",
        "setting.changed", "job.cancelled",
    ]  # fmt: skip
    assert texts(server, "worker.changed") == ["worker w was given 3 slots and the labels room=1"]
    assert texts(server, "worker.renamed") == [
        "the worker that calls itself w is lab-1 from now on"
    ]
    assert texts(server, "setting.changed")[0] == "keep-days is 7 days"


def test_what_computers_are_told() -> None:
    server = Harness()
    appliance = Appliance("1.0", ["52:54:00:00:00:01"], ["off", "reboot", "reread"])
    peer = server.worker("w", taking={"appliance": appliance})
    which = Which(["w"])
    found = decide(
        server,
        OrderWorkers(which, "reread"),
        OrderWorkers(which, "reboot", now=True),
        OrderWorkers(which, "power-off"),
    )
    server.close(peer)
    found += decide(server, WakeWorkers(which))
    kinds = ["worker.reread", "worker.rebooted", "worker.off", "worker.woken"]
    assert [kind for kind, _ in found] == kinds
    assert [texts(server, kind) for kind in kinds] == [
        ["worker w was told to read its configuration anew"],
        ["worker w was told to boot its computer anew at once"],
        ["worker w was told to switch its computer off"],
        ["the computer of worker w is called to wake"],
    ]


def test_what_is_refused_is_no_event() -> None:
    server = Harness()
    assert decide(server, PauseJob(7), RetryTasks(7), ChangeSettings({"keep-days": "x"})) == []


def test_many_orders_are_one_event_beside_the_first() -> None:
    server = Harness()
    for at in range(50):
        server.worker(f"w{at}")
    found = decide(server, OrderWorkers(Which(all=True), "pause"))
    assert len(found) == limits_shown.EVENTS_AT_ONCE
    server.now += limits_shown.EVENTS_COUNTED_SECONDS
    happened(server)
    assert texts(server, "worker.paused")[-1].startswith("30 workers were paused by the operator")


def test_trouble_the_end_and_what_was_removed() -> None:
    server = Harness()
    server.feed(Troubled("the disk is full"))
    server.feed(Troubled(""))
    for _ in range(500):
        server.feed(JobRemoved("ann", 0))
    server.feed(Stopping())
    server.commit()
    assert [kind for kind, _ in happened(server)] == [
        "server.trouble", "server.mended", "server.stopped", "job.removed",
    ]  # fmt: skip
    assert texts(server, "job.removed") == ["500 jobs that were kept for long enough were removed"]
