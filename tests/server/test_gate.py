"""Who a request is from, by what it shows; challenges and sessions of workers."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dc import limits_access, tokens, worker_proof
from dc.errors import DcError, NotPermitted, NotSignedIn
from dc.records_access import KeyState
from dc.roles import LOCAL, NOBODY, Principal, Role
from dc.server.gate import Gate, Moment, admit, shown
from dc.server.nonces import KEY_BYTES, RANDOM_BYTES, Nonces
from dc.server.worker_sessions import WorkerSessions
from dc.worker_proof import Challenge, Proof, prove

SERVER = "server 1"
PRIVATE = bytes(range(32))
KEY = worker_proof.public_of(PRIVATE)
TOKEN = tokens.make(bytes(30)).text
ANN = Principal(frozenset({"submit"}), "ann", "id")
WORKER = Principal(frozenset({"work"}), "w", worker_key=KEY)
PERIOD = limits_access.CHALLENGE_SECONDS
AT = Moment(1e9, 1000.0)


class Known:
    """Who is let in."""

    def __init__(self) -> None:
        self.state: KeyState | None = "joined"
        self.ended = False

    def who_has(self, token_text: str, now: float) -> Principal | None:
        return ANN if token_text == TOKEN and not self.ended else None

    def worker(self, key: str) -> Principal | None:
        return WORKER if key == KEY and self.state == "joined" else None

    def key_state(self, key: str, now: float) -> KeyState | None:
        return self.state if key == KEY else None

    def stands(self, principal: Principal, now: float) -> bool:
        return not self.ended


class World:
    def __init__(self, *, secure: bool = True) -> None:
        self.known, self.sessions = Known(), WorkerSessions()
        self.nonces = Nonces(bytes(KEY_BYTES))
        self.gate = Gate(
            lambda: self.known, lambda: SERVER, self.sessions, self.nonces, secure=secure
        )

    def challenge(self, random: int = 0, at: Moment = AT) -> Challenge:
        return self.gate.challenge(random.to_bytes(RANDOM_BYTES), at)

    def proves(self, proof: Proof, at: Moment = AT) -> Principal | type[DcError]:
        try:
            return self.gate.worker({"authorization": proof.header}, at)
        except (NotSignedIn, NotPermitted) as error:
            return type(error)


# --- what is shown ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({}, ""),
        ({"authorization": f"Bearer {TOKEN}"}, TOKEN),
        ({"authorization": f"bearer   {TOKEN} "}, TOKEN),
        ({"authorization": f"Basic {TOKEN}"}, ""),
        ({"authorization": "Bearer"}, ""),
        ({"authorization": f"Bearer {TOKEN} {TOKEN}"}, ""),
        ({"authorization": f"Bearer {TOKEN}, Bearer {TOKEN}"}, ""),
        ({"authorization": "Bearer " + "a" * 5000}, ""),
        ({"cookie": f"dc-session={TOKEN}"}, TOKEN),
        ({"cookie": f"a=b; dc-session={TOKEN}; c"}, TOKEN),
        ({"cookie": f'dc-session="{TOKEN}"'}, TOKEN),
        ({"cookie": f"xdc-session={TOKEN}"}, ""),
        ({"cookie": f"DC-SESSION={TOKEN}"}, ""),
        ({"cookie": "dc-session"}, ""),
        ({"cookie": "a;" * 5000 + f"dc-session={TOKEN}"}, ""),
        ({"cookie": f"dc-session={TOKEN}", "authorization": "Bearer other"}, "other"),
        ({"cookie": f"dc-session={TOKEN}", "authorization": "nonsense"}, ""),
    ],
)
def test_what_a_request_shows(headers: dict[str, str], found: str) -> None:
    assert shown(headers) == found


@given(st.dictionaries(st.sampled_from(["authorization", "cookie"]), st.text(max_size=300)))
def test_whatever_is_shown_lets_nobody_in(headers: dict[str, str]) -> None:
    assert World().gate.principal(headers, AT) is NOBODY


def test_who_shows_a_token() -> None:
    world = World()
    assert world.gate.principal({"authorization": f"Bearer {TOKEN}"}, AT) == ANN
    assert world.gate.principal({"cookie": f"dc-session={TOKEN}"}, AT) == ANN
    world.known.ended = True
    assert world.gate.principal({"authorization": f"Bearer {TOKEN}"}, AT) is NOBODY
    assert world.gate.principal({}, AT) is NOBODY


def test_nobody_has_to_show_anything_where_only_this_computer_is_listened_to() -> None:
    gate = World(secure=False).gate
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "DC-Key wrong"}):
        assert gate.principal(headers, AT) is LOCAL
        assert gate.worker(headers, AT) is LOCAL


# --- proofs -------------------------------------------------------------------------------------


def test_a_worker_proves_its_key_once_for_each_challenge() -> None:
    world = World()
    proof = prove(PRIVATE, world.challenge())
    assert world.proves(proof) == WORKER
    assert world.proves(proof) is NotSignedIn, "the same again is no proof"
    assert world.proves(prove(PRIVATE, world.challenge(1))) == WORKER


@pytest.mark.parametrize(("later", "good"), [(0, True), (59, True), (60, True), (125, False)])
def test_a_challenge_is_good_for_a_while(later: float, good: bool) -> None:
    world = World()
    proof = prove(PRIVATE, world.challenge())
    assert (world.proves(proof, Moment(0.0, AT.now + later)) == WORKER) == good


def test_a_challenge_of_the_future_is_none() -> None:
    world = World()
    proof = prove(PRIVATE, world.challenge(at=Moment(0.0, AT.now + 2 * PERIOD)))
    assert world.proves(proof) is NotSignedIn


def test_what_is_no_proof() -> None:
    world = World()
    good = prove(PRIVATE, world.challenge())
    other = worker_proof.new_private()
    for wrong in (
        Proof(worker_proof.public_of(other), good.nonce, good.signature),
        Proof(good.key, good.nonce, bytes(64)),
        Proof(good.key, good.nonce, good.signature[:-1] + b"x"),
        prove(PRIVATE, Challenge("server 2", world.challenge().nonce)),
        prove(PRIVATE, Challenge(SERVER, Nonces(b"x" * KEY_BYTES).make(bytes(16), AT.now))),
        prove(PRIVATE, Challenge(SERVER, "a" * 32)),
        prove(PRIVATE, Challenge(SERVER, good.nonce[:-1] + "g")),
        prove(other, world.challenge()),
    ):
        assert world.proves(wrong) is NotSignedIn, wrong
    assert world.proves(good) == WORKER, "none of these has used the challenge up"


def test_a_worker_that_waits_or_is_forgotten() -> None:
    world = World()
    world.known.state = "pending"
    assert world.proves(prove(PRIVATE, world.challenge(1))) is NotPermitted
    world.known.state = None
    assert world.proves(prove(PRIVATE, world.challenge(2))) is NotSignedIn


@given(st.text(max_size=300))
def test_whatever_is_said_is_no_proof(text: str) -> None:
    with pytest.raises(NotSignedIn):
        World().gate.worker({"authorization": f"DC-Key {text}"}, AT)


# --- challenges ---------------------------------------------------------------------------------


@given(st.text(max_size=200), st.floats(0, 1e9))
def test_what_was_not_made_here_is_no_challenge(text: str, now: float) -> None:
    nonces = Nonces(bytes(KEY_BYTES))
    assert not nonces.is_good(text, now)
    assert not nonces.meet(text, now)


def test_challenges_look_as_their_header_wants_them() -> None:
    nonce = Nonces(bytes(KEY_BYTES)).make(bytes(RANDOM_BYTES), 1e12)
    challenge = Challenge(SERVER, nonce)
    assert worker_proof.read_challenge(challenge.header) == challenge


def test_what_was_met_is_bounded_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_access, "CHALLENGES_MET", 3)
    nonces = Nonces(bytes(KEY_BYTES))

    def meet(number: int, now: float) -> bool:
        return nonces.meet(nonces.make(number.to_bytes(RANDOM_BYTES), now), now)

    assert [meet(n, 0.0) for n in range(5)] == [True, True, True, False, False]
    assert meet(9, PERIOD), "the next period has room of its own"
    for step in range(2, 9):
        assert meet(step, step * PERIOD)
        assert len(nonces._met) <= 3


# --- sessions -----------------------------------------------------------------------------------


def test_a_session_lasts_as_long_as_its_socket_and_a_moment() -> None:
    sessions, rest = WorkerSessions(), limits_access.SESSION_REST_SECONDS
    secret = sessions.make(WORKER, b"x" * 20, 0.0)
    assert sessions.who_has(secret, rest - 1) == WORKER
    assert sessions.who_has(secret, rest) is None, "its socket was never opened"
    secret = sessions.make(WORKER, b"y" * 20, 0.0)
    sessions.opened(secret, 7)
    assert sessions.who_has(secret, 1e9) == WORKER
    sessions.closed(7, 1000.0)
    assert sessions.who_has(secret, 1000.0 + rest - 1) == WORKER
    assert sessions.who_has(secret, 1000.0 + rest) is None
    sessions.closed(8, 1000.0 + rest)
    assert len(sessions) == 0


def test_sessions_of_one_worker_end_by_themselves() -> None:
    sessions = WorkerSessions()
    first = sessions.make(WORKER, b"a" * 20, 0.0)
    sessions.opened(first, 1)
    second = sessions.make(WORKER, b"b" * 20, 5.0)
    sessions.opened(second, 2)
    sessions.closed(1, 10.0)
    sessions.make(WORKER, b"c" * 20, 1000.0)
    assert sessions.who_has(first, 1000.0) is None
    assert sessions.who_has(second, 1000.0) == WORKER
    assert len(sessions) == 2


def test_many_sockets_leave_nothing_behind() -> None:
    sessions = WorkerSessions()
    for number in range(2000):
        secret = sessions.make(WORKER, number.to_bytes(20), float(number))
        if number % 2:
            sessions.opened(secret, number)
            sessions.closed(number, float(number))
        assert len(sessions) <= limits_access.SESSION_REST_SECONDS + 1
    assert not sessions._by_peer
    assert not sessions._digests


def test_a_session_of_somebody_who_may_not_any_more_is_none() -> None:
    world = World()
    secret = world.sessions.make(WORKER, bytes(20), AT.now)
    headers = {"authorization": f"Bearer {secret}"}
    assert world.gate.principal(headers, AT) == WORKER
    world.known.ended = True
    assert world.gate.principal(headers, AT) is NOBODY


# --- roles --------------------------------------------------------------------------------------


def of(*roles: Role) -> Principal:
    return Principal(frozenset(roles), "x")


def test_roles() -> None:
    admit(NOBODY, ())
    for one in (LOCAL, of("admin"), of("view"), of("submit", "view")):
        admit(one, ("view",))
    with pytest.raises(NotSignedIn):
        admit(NOBODY, ("view",))
    with pytest.raises(NotPermitted, match=re.escape("takes the role view or admin, and this")):
        admit(of("work", "submit"), ("view",))
