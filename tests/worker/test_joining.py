"""How a worker is let in, without IO: against a server in memory that anything can happen to."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dc import limits_join
from dc.errors import InviteRefused, NotPermitted, NotPossible, TooManyTries, UnknownKey
from dc.join_number import commitment, number
from dc.view_access import Join, Joined, Knock, KnockAnswer, Reveal
from dc.worker.joined_server import JoinedServer
from dc.worker.joining import (
    Action,
    Answered,
    Applicant,
    Ask,
    Compare,
    Compared,
    Enter,
    Event,
    Fail,
    Forget,
    Impostor,
    Joining,
    KnockAnswered,
    Lost,
    Note,
    Pause,
    Refused,
    Say,
    Woke,
)

URL = "https://192.0.2.7:8220"
PIN = "ab" * 32
KEY = "cd" * 32
ME = Applicant(KEY, "worker", {"os": "linux"}, can_compare=True)
NOBODY_HERE = Applicant(KEY, "worker", {}, can_compare=False)
CODE = JoinedServer("", PIN[:32], ["192.0.2.7:8220"], secret="01" * 10)
KNOWN = JoinedServer("", PIN, ["192.0.2.7:8220"])
RANDOM = bytes(range(16))
OTHER = bytes(range(16, 32))
THEIRS = b"s" * 16

JOINED = Answered(Joined(server="me", state="joined", name="worker"), URL, PIN)
PENDING = Answered(Joined(server="me", state="pending", name="worker"), URL, PIN)
IN = JoinedServer("me", PIN, CODE.addresses, is_in=True)
WAITING = JoinedServer("me", PIN, CODE.addresses)


def refused(error: type[Exception]) -> Refused:
    code: str = error.code  # type: ignore[attr-defined]
    return Refused(code, "no", URL)


def texts(actions: list[Action]) -> str:
    return "\n".join(one.text for one in actions if isinstance(one, Say | Fail))


def test_a_code_is_noted_before_it_is_shown() -> None:
    joining = Joining(ME, CODE)
    join = Ask(Join(CODE.secret, KEY, "worker", {"os": "linux"}))
    assert joining.start(RANDOM) == [Note(CODE), join]
    assert joining.handle(JOINED, RANDOM) == [Note(IN), Enter()]


def test_a_code_is_shown_again_until_it_is_answered() -> None:
    joining = Joining(ME, CODE)
    first = joining.start(RANDOM)[-1]
    pauses = []
    for _ in range(12):
        say, pause = joining.handle(Lost("cannot reach it"), RANDOM)
        assert isinstance(say, Say)
        assert isinstance(pause, Pause)
        pauses.append(pause.seconds)
        assert joining.handle(Woke(), RANDOM) == [first]
    assert pauses == sorted(pauses)
    assert pauses[-1] == pauses[-2] <= 15.0
    assert joining.handle(JOINED, RANDOM)[-1] == Enter()


def test_pauses_are_not_those_of_others() -> None:
    seconds = set()
    for first in range(0, 256, 16):
        joining = Joining(ME, CODE)
        joining.start(RANDOM)
        _, pause = joining.handle(Lost("x"), bytes([first]) * 16)
        assert isinstance(pause, Pause)
        seconds.add(pause.seconds)
    assert len(seconds) == 16


def test_waiting_for_a_yes_is_said_once_and_asked_seldom() -> None:
    joining = Joining(ME, CODE)
    joining.start(RANDOM)
    actions = joining.handle(PENDING, RANDOM)
    assert actions[0] == Note(WAITING)  # without the secret: the server knows the key
    assert f"{URL}/workers" in texts(actions)
    pauses = []
    for _ in range(20):
        assert isinstance(actions[-1], Pause)
        pauses.append(actions[-1].seconds)
        assert joining.handle(Woke(), RANDOM) == [Ask()]
        actions = joining.handle(PENDING, RANDOM)
        assert texts(actions) == ""
    assert limits_join.POLL_SECONDS / 2 <= pauses[0] < pauses[1]
    assert pauses[-1] <= limits_join.POLL_SECONDS_MOST
    assert joining.handle(Woke(), RANDOM) == [Ask()]
    assert joining.handle(JOINED, RANDOM) == [Note(IN), Enter()]


def test_a_no_ends_it() -> None:
    joining = Joining(ME, CODE)
    joining.start(RANDOM)
    joining.handle(PENDING, RANDOM)
    joining.handle(Woke(), RANDOM)
    actions = joining.handle(refused(UnknownKey), RANDOM)
    assert actions[0] == Forget()
    assert "an operator said no" in texts(actions)


def test_a_code_that_was_taken_back_after_this_worker_joined_does_not_matter() -> None:
    joining = Joining(ME, CODE)
    joining.start(RANDOM)
    assert joining.handle(refused(InviteRefused), RANDOM) == [Ask()]
    assert joining.handle(JOINED, RANDOM) == [Note(IN), Enter()]


def test_a_code_that_lets_nobody_in() -> None:
    joining = Joining(ME, CODE)
    joining.start(RANDOM)
    joining.handle(refused(InviteRefused), RANDOM)
    actions = joining.handle(refused(UnknownKey), RANDOM)
    assert actions[0] == Forget()
    assert "it was used, or has ended, or was taken back; make a join code" in texts(actions)


def test_an_impostor_ends_it() -> None:
    joining = Joining(ME, CODE)
    joining.start(RANDOM)
    assert joining.handle(Impostor("another key"), RANDOM) == [Fail("another key")]


@pytest.mark.parametrize("code", [NotPermitted.code, "not_found"])
def test_a_server_without_such_a_thing_ends_it(code: str) -> None:
    joining = Joining(ME, CODE)
    joining.start(RANDOM)
    assert "lets no workers in" in texts(joining.handle(Refused(code, "no", URL), RANDOM))


@pytest.mark.parametrize("code", [TooManyTries.code, NotPossible.code, "http"])
def test_what_may_be_other_in_a_while_is_asked_again(code: str) -> None:
    joining = Joining(ME, CODE)
    first = joining.start(RANDOM)[-1]
    actions = joining.handle(Refused(code, "too many", URL), RANDOM)
    assert isinstance(actions[-1], Pause)
    assert "too many" in texts(actions)
    assert joining.handle(Woke(), RANDOM) == [first]


# --- the number -----------------------------------------------------------------------------------


def knocking(*, is_known: bool = False) -> Joining:
    """A worker that has heard the server's half of the number."""
    joining = Joining(ME, KNOWN, is_known=is_known)
    actions = joining.start(RANDOM)
    if is_known:
        actions = joining.handle(refused(UnknownKey), RANDOM)
    assert actions == [Ask(Knock(commitment(RANDOM), KEY, "worker", {"os": "linux"}))]
    reveal = joining.handle(KnockAnswered(KnockAnswer(THEIRS.hex()), URL, PIN), OTHER)
    assert reveal == [Ask(Reveal(KEY, RANDOM.hex()))]
    return joining


@pytest.mark.parametrize("is_known", [False, True])
def test_the_number_is_of_the_key_that_was_seen(is_known: bool) -> None:
    joining = knocking(is_known=is_known)
    digits = number(PIN, KEY, RANDOM, THEIRS)
    assert joining.handle(PENDING, OTHER) == [Compare(digits, f"{URL}/workers")]
    assert joining.handle(Compared(same=True), OTHER) == [Note(WAITING), Ask()]
    assert isinstance(joining.handle(PENDING, OTHER)[-1], Pause)
    assert joining.handle(Woke(), OTHER) == [Ask()]
    assert joining.handle(JOINED, OTHER) == [Note(IN), Enter()]


def test_numbers_that_differ_end_it() -> None:
    joining = knocking()
    joining.handle(PENDING, OTHER)
    actions = joining.handle(Compared(same=False), OTHER)
    assert "somebody may be in between" in texts(actions)
    assert not any(isinstance(one, Note) for one in actions)


@pytest.mark.parametrize("state", [JOINED, PENDING])
def test_a_server_that_is_not_known_is_believed_nothing_before_a_person_has_compared(
    state: Answered,
) -> None:
    joining = Joining(ME, KNOWN, is_known=False)
    assert isinstance(joining.start(RANDOM)[-1], Ask)
    joining.handle(KnockAnswered(KnockAnswer(THEIRS.hex()), URL, PIN), OTHER)
    assert isinstance(joining.handle(state, OTHER)[-1], Compare)


def test_a_half_of_a_number_is_used_once() -> None:
    joining = knocking()
    joining.handle(Lost("gone"), OTHER)
    assert joining.handle(Woke(), OTHER) == [
        Ask(Knock(commitment(OTHER), KEY, "worker", {"os": "linux"}))
    ]


@pytest.mark.parametrize("half", ["", "00", "zz" * 16, "00" * 17])
def test_no_half_of_a_number(half: str) -> None:
    joining = Joining(ME, KNOWN, is_known=False)
    joining.start(RANDOM)
    actions = joining.handle(KnockAnswered(KnockAnswer(half), URL, PIN), OTHER)
    assert "no half of a number" in texts(actions)
    assert isinstance(actions[-1], Pause)


def test_a_half_that_came_too_late_is_another_knock() -> None:
    joining = knocking()
    assert isinstance(joining.handle(refused(InviteRefused), OTHER)[-1], Pause)
    (ask,) = joining.handle(Woke(), OTHER)
    assert isinstance(ask, Ask)
    assert isinstance(ask.what, Knock)


def test_a_server_that_knows_a_worker_which_does_not_know_it() -> None:
    joining = Joining(ME, KNOWN, is_known=False)
    joining.start(RANDOM)
    assert "--new-key" in texts(joining.handle(refused(NotPossible), OTHER))


def test_nobody_is_here_to_compare() -> None:
    for is_known in (False, True):
        joining = Joining(NOBODY_HERE, KNOWN, is_known=is_known)
        actions = joining.start(RANDOM)
        if is_known:
            actions = joining.handle(refused(UnknownKey), RANDOM)
        assert "nobody is here to compare a number: make a join code" in texts(actions)


# --- any order of events --------------------------------------------------------------------------


class FakeServer:
    """A server that lets in whoever has the secret of its only code, which is good once."""

    def __init__(self) -> None:
        self.joined: set[str] = set()
        self.uses = 1

    def ask(self, what: object, key: str) -> Event:
        if isinstance(what, Join):
            if what.key not in self.joined and not self.uses:
                return refused(InviteRefused)
            self.uses -= what.key not in self.joined
            self.joined.add(what.key)
        return JOINED if key in self.joined else refused(UnknownKey)


class Worker:
    """A worker that is killed and started again; what it has noted stays."""

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.noted: JoinedServer | None = None
        self.ended: Action | None = None

    def start(self, code: JoinedServer | None, happens: Callable[[], str]) -> None:
        """Run until it is killed, or ends."""
        known = self.noted if code is None else code
        if known is None:
            return
        if known.is_in:  # it was killed after it had noted that
            self.ended = Enter()
            return
        joining = Joining(NOBODY_HERE, known)
        actions = joining.start(RANDOM)
        for _ in range(50):
            event = self.perform(actions, happens)
            if event is None:
                return
            actions = joining.handle(event, RANDOM)

    def perform(self, actions: list[Action], happens: Callable[[], str]) -> Event | None:
        for action in actions:
            if happens() == "killed":
                return None
            match action:
                case Note():
                    self.noted = action.server
                case Forget():
                    self.noted = None
                case Enter() | Fail():
                    self.ended = action
                    return None
                case Pause():
                    return Woke()
                case Ask():
                    return self.ask(action, happens)
        raise AssertionError(f"nothing answers {actions}")

    def ask(self, action: Ask, happens: Callable[[], str]) -> Event | None:
        if (what := happens()) == "unreachable":
            return Lost(what)
        answer = self.server.ask(action.what, KEY)
        after = happens()
        return None if after == "killed" else Lost(after) if after == "unreachable" else answer


HAPPENS = st.lists(st.sampled_from(["fine", "fine", "killed", "unreachable"]), max_size=30)


@given(HAPPENS, st.booleans())
def test_killed_at_any_moment_it_is_in_in_the_end_and_the_code_was_used_once(
    happens: list[str], says_it_again: bool
) -> None:
    server = FakeServer()
    worker = Worker(server)
    things = iter(happens)

    def happen() -> str:
        return next(things, "fine")

    worker.start(CODE, happen)
    for _ in range(40):
        if isinstance(worker.ended, Enter):
            break
        # Whoever was killed before it could note anything has to be told the code again.
        worker.start(CODE if says_it_again or worker.noted is None else None, happen)
    assert worker.ended == Enter()
    assert worker.noted == JoinedServer("me", PIN, CODE.addresses, is_in=True)
    assert server.joined == {KEY}
    assert server.uses == 0
