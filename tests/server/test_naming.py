"""Names that operators give workers: whose they are, and who may not have them."""

from __future__ import annotations

from typing import Any

import pytest

from dc import limits
from dc.errors import DcError, DuplicateName, OptionsError
from dc.messages import Refused
from dc.messages_worker import Goodbye
from dc.records import Outcomes
from dc.server.commands import OrderWorkers, SetWorkers, Which
from dc.server.events import Closed
from tests.server.harness import Harness


def decide(server: Harness, command: OrderWorkers | SetWorkers) -> list[str]:
    """Do what an operator does; return the keys of the workers."""
    answer = server.decide(command)
    if isinstance(answer, DcError):
        raise answer
    assert isinstance(answer, list)
    return answer


def rename(server: Harness, name: str, new: str | None) -> list[str]:
    return decide(server, SetWorkers(Which([name], exact=True), name=new))


def names(server: Harness) -> dict[str, str]:
    """By key, the names of those that are here."""
    return {key: one.name for key, one in server.reactor.workers.roster.by_key.items()}


def came(server: Harness, name: str, **more: Any) -> bool:
    """Whether a worker is taken in."""
    return not server.take(server.worker(name, **more), Refused)


def test_a_worker_has_the_name_that_it_was_given_until_it_is_taken_back() -> None:
    server = Harness()
    server.worker("w")
    assert rename(server, "w", "the fast one") == ["key of w"]
    assert names(server) == {"key of w": "the fast one"}
    assert server.reactor.workers.roster.named("w") is None
    assert rename(server, "the fast one", None) == ["key of w"]
    assert names(server) == {"key of w": "w"}


def test_a_name_outlives_the_worker_and_the_server() -> None:
    server = Harness()
    peer = server.worker("w")
    rename(server, "w", "fast")
    server.say(peer, Goodbye())
    server.commit()
    assert decide(server, OrderWorkers(Which(["fast"]), "pause")) == ["key of w"]
    server.restart()
    server.worker("w")
    assert names(server) == {"key of w": "fast"}


def test_outcomes_bear_the_name_of_their_time() -> None:
    server = Harness()
    peer = server.worker("w", slots=1)
    job = server.submit(server.client(), [b"a", b"b"])
    server.settle()
    server.answer(peer, 1, server.tasks(peer))
    rename(server, "w", "fast")
    server.settle()
    server.answer(peer, 2, server.tasks(peer))
    server.commit()
    assert [one.worker for one in server.records(Outcomes, job)] == ["w", "fast"]


@pytest.mark.parametrize("away", [False, True])
def test_a_name_is_one_workers(away: bool) -> None:
    server = Harness()
    server.worker("a")
    peer = server.worker("b")
    if away:
        server.submit(server.client(), [b"x"] * 8)
        server.settle()
        server.feed(Closed(peer))
    with pytest.raises(DuplicateName, match="a worker named b is here"):
        rename(server, "a", "b")
    rename(server, "b", "c")
    assert rename(server, "a", "b") == ["key of a"], "b goes by another name"
    with pytest.raises(DuplicateName, match="b is here"):
        rename(server, "c", None)


def test_a_name_that_was_given_is_refused_to_those_who_come() -> None:
    server = Harness()
    peer = server.worker("a")
    rename(server, "a", "b")
    assert came(server, "a", key="another"), "nobody is called a any more"
    assert not came(server, "b")
    server.say(peer, Goodbye())
    assert not came(server, "b"), "it is kept for who is not here"
    with pytest.raises(DuplicateName, match="given to another"):
        rename(server, "a", "b")
    decide(server, OrderWorkers(Which(["b"]), "delete"))
    assert came(server, "b"), "who was deleted has no name"


def test_who_has_gone_gives_way_unless_something_is_decided_of_it() -> None:
    server = Harness()
    for name in ("a", "b", "c"):
        server.say(server.worker(name), Goodbye())
    decide(server, OrderWorkers(Which(["c"]), "pause"))
    assert rename(server, "a", "b") == ["key of a"]
    assert server.reactor.workers.register.get("key of b") is None, "two would have one name"
    with pytest.raises(DuplicateName, match="has gone and of which something is set"):
        rename(server, "b", "c")


@pytest.mark.parametrize(
    "name",
    [
        " a",
        "a ",
        "\t",
        "a\nb",
        "a\x00",
        "a\u202eb",
        "a\u200bb",
        "\ud800",
        "lab-*",
        "a?",
        "[a]",
        "a/b",
        "a\\b",
        "-a",
        "..",
        "x" * (limits.TEXT_CHARS + 1),
    ],
)
def test_what_is_no_name(name: str) -> None:
    server = Harness()
    server.worker("w")
    with pytest.raises(OptionsError, match="is no name of a worker"):
        rename(server, "w", name)
    assert names(server) == {"key of w": "w"}


@pytest.mark.parametrize("name", ["x" * limits.TEXT_CHARS, "Büro 3", "機械", "a.b-c_d", "<b>&amp;"])
def test_what_is_a_name(name: str) -> None:
    server = Harness()
    server.worker("w")
    rename(server, "w", name)
    assert names(server) == {"key of w": name}


def test_a_name_is_not_for_several() -> None:
    server = Harness()
    for name in ("a", "b"):
        server.worker(name)
    with pytest.raises(OptionsError, match="2 are meant"):
        decide(server, SetWorkers(Which(all=True), name="c"))


def test_names_are_meant_exactly_where_that_is_said() -> None:
    server = Harness()
    for name in ("lab-*", "lab-1"):
        server.worker(name)
    assert decide(server, OrderWorkers(Which(["lab-*"], exact=True), "pause")) == ["key of lab-*"]
    both = {"key of lab-*", "key of lab-1"}
    assert set(decide(server, OrderWorkers(Which(["lab-*"]), "pause"))) == both


def test_hundreds_are_meant_by_name_and_few_by_pattern() -> None:
    server = Harness()
    some = [f"w{number}" for number in range(500)]
    for name in some:
        server.worker(name)
    assert len(decide(server, OrderWorkers(Which(some, exact=True), "pause"))) == 500
    with pytest.raises(DcError, match="patterns are too many"):
        decide(server, OrderWorkers(Which([f"{name}*" for name in some]), "resume"))
