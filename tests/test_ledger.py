"""The ledger of the simulation notices what breaks a rule, and nothing else."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from dc import limits
from dc.messages import Heartbeat, Hello
from dc.messages_client import Options
from dc.messages_parts import Failure
from dc.messages_worker import About, Assign, Failed, Stop
from dc.records import Leases, NewJob, Outcomes
from dc.server.events import Received, Send, Write
from dc.testing.ledger import Ledger
from dc.testing.plan import draw_plan
from dc.testing.process import Process
from dc.testing.server_rules import SLACK_SECONDS, ServerRules

Clock = trio.testing.MockClock


class Story:
    """A server's decisions about one task, told to the rules."""

    def __init__(self, options: Options | None = None) -> None:
        self.ledger = Ledger(draw_plan(1), "/nowhere", lambda: None)
        self.rules = ServerRules(self.ledger, leases=True)
        self.server = Process("server", 1)
        self.workers = [Process("w0", 1), Process("w1", 1)]
        job = NewJob(1, "work", "1", options or Options(), "bytes", "bytes", 0.0)
        self.rules.decided(self.server, Write(job))
        for peer, worker in enumerate(self.workers):
            about = About(worker.name, f"key {worker.name}", 1, [], {}, run="1")
            self.hear(peer, Hello(1, "worker", "test", [], about))

    def hear(self, peer: int, *messages: object) -> None:
        self.rules.happened(self.server, Received(peer, list(messages)))  # type: ignore[arg-type]

    def give(self, peer: int, attempt: int) -> None:
        message = Assign(1, "work", "1", 0.0, [7], [attempt], [b""])
        self.rules.decided(self.server, Send(peer, message))

    def begin(self, peer: int, attempt: int) -> None:
        self.ledger.started(self.workers[peer], 1, 7, attempt, 1)

    def record(self, worker: str, attempt: int) -> None:
        outcomes = Outcomes(1, 1, worker, 0.0, [7], [attempt], [0.0], [b""])
        self.rules.decided(self.server, Write(outcomes))

    @property
    def broken(self) -> list[str]:
        return [one.rule for one in self.ledger.violations]


async def test_only_the_last_attempt_is_recorded(autojump_clock: Clock) -> None:
    story = Story()
    story.give(0, 1)
    story.record("w0", 1)
    assert not story.broken
    story.record("w1", 1)
    assert "not the one that the task was given to last" in story.broken[0]
    story.give(1, 2)
    story.record("w1", 2)
    assert "a finished task is given to w1" in story.broken[1]
    assert len(story.broken) == 2
    story.record("w0", 1)
    assert len(story.broken) == 3


async def test_a_task_is_given_once_while_its_lease_holds(autojump_clock: Clock) -> None:
    story = Story()
    story.give(0, 1)
    story.begin(0, 1)
    await trio.sleep(limits.GRACE_SECONDS - 2 * SLACK_SECONDS)
    story.give(1, 2)
    assert "while the lease of w0, which runs it, holds" in story.broken[0]


@pytest.mark.parametrize(
    "why", ["silent", "stopped", "failed", "dead", "not begun", "restarted", "timeout", "double"]
)
async def test_what_lets_a_task_be_given_again(why: str, autojump_clock: Clock) -> None:
    story = Story(Options(timeout=5.0) if why == "timeout" else None)
    story.give(0, 1)
    if why != "not begun":
        story.begin(0, 1)
    await trio.sleep(3.0 if why != "silent" else limits.GRACE_SECONDS)
    match why:
        case "stopped":
            stop = Stop(1, [7], [1])
            story.rules.decided(story.server, Send(0, stop))
        case "failed":
            story.hear(0, Failed(1, 1, 7, 1, 0.0, Failure("error", "")))
        case "dead":
            story.workers[0].kill()
        case "restarted":
            story.rules.server_started()
        case "double":
            story.rules.disturbed("w0")
    story.give(1, 2)
    assert not story.broken


async def test_a_written_lease_outlives_the_server(autojump_clock: Clock) -> None:
    story = Story()
    story.give(0, 1)
    story.begin(0, 1)
    story.rules.committed(Leases(1, "key w0", [7], [1]))
    await trio.sleep(600.0)
    story.rules.server_started()
    await trio.sleep(5.0)
    story.hear(0, Heartbeat())
    story.give(1, 2)
    assert "while the lease of w0" in story.broken[0]
