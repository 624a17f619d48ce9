"""While the store cannot be written to, or hangs: everybody is told, and nothing new is begun."""

from __future__ import annotations

from dc.messages import Trouble, Welcome
from dc.messages_client import Status as JobStatus
from dc.messages_client import Watch
from dc.messages_worker import Recorded
from dc.server.events import Committed, Troubled
from tests.server.harness import Harness


def test_everybody_is_told_of_trouble_and_of_its_end() -> None:
    server = Harness()
    worker, client, stranger = server.worker(), server.client(), server.open()
    server.feed(Troubled("no space left"))
    late = server.client()
    assert [type(m) for m in server.sent[late]] == [Welcome, Trouble]
    for peer in (worker, client, late):
        assert server.take(peer, Trouble) == [Trouble("no space left")]
    server.feed(Troubled(""))
    for peer in (worker, client, late):
        assert server.take(peer, Trouble) == [Trouble("")]
    assert stranger not in server.sent
    assert not server.take(server.client(), Trouble)


def test_nothing_is_handed_out_in_trouble_and_results_are_kept() -> None:
    server = Harness()
    worker, client = server.worker(), server.client()
    job = server.submit(client, [b"a", b"b"])
    server.settle()
    server.feed(Troubled("no space left"))
    server.answer(worker, 1, server.tasks(worker))
    assert not server.tasks(worker)
    assert not server.take(worker, Recorded)
    server.say(client, Watch(3, job))
    [status] = server.take(client, JobStatus)
    assert status.note == "nothing is handed out: no space left"
    server.feed(Troubled(""))
    assert len(server.tasks(worker)) == 1
    server.commit()
    assert server.take(worker, Recorded) == [Recorded(1)]


def test_nothing_is_handed_out_while_the_disk_hangs() -> None:
    server = Harness()
    worker = server.worker()
    server.pass_time(1.0, stalled=True)
    server.submit(server.client(), [b"a"])
    assert not server.tasks(worker)
    server.feed(Committed(0))
    assert len(server.tasks(worker)) == 1


def test_the_server_says_which_it_is() -> None:
    server = Harness(server="7f3a")
    [welcome] = server.take(server.worker(), Welcome)
    assert welcome.server == "7f3a"
