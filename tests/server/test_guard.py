"""What keeps the server for everybody: places, requests, bodies, and who has to wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dc import limits_guard
from dc.errors import TooManyTries
from dc.server.allowance import Allowance
from dc.server.failures import Failures
from dc.server.guard import Allowed, Guard, counted, host_of, too_many
from dc.server.networks import is_loopback, network_of
from dc.server.places import Places, Visit


def entered(places: Places, address: str = "192.0.2.1") -> Visit:
    visit, _ = places.enter(address)
    assert isinstance(visit, Visit), visit
    return visit


# --- addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::1"),
        ("a name", "a name"),
        ("", ""),
    ],
)
def test_what_counts_as_one_address(host: str, network: str) -> None:
    assert network_of(host) == network


def test_the_computer_itself_is_not_counted() -> None:
    for host in ("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", ""):
        assert counted(host) == ""
    assert is_loopback("127.0.0.1")
    assert not is_loopback("localhost.example")
    assert counted("192.0.2.7") == "192.0.2.7"


def test_the_host_of_an_address() -> None:
    assert host_of("192.0.2.7:80") == "192.0.2.7"
    assert host_of("::1:80") == "::1"
    assert host_of("[::1]:80") == "::1"
    assert host_of("") == ""


# --- places ---------------------------------------------------------------------------------------


def test_one_address_has_so_many_strangers_and_others_still_come_in() -> None:
    places = Places(100, 50, 2)
    first = entered(places)
    entered(places)
    assert places.enter("192.0.2.1") == ("address", None)
    entered(places, "192.0.2.2")
    places.know(first)
    entered(places)
    assert (len(places), places.strangers) == (4, 3)


def test_the_computer_itself_has_any_number_of_strangers() -> None:
    places = Places(100, 50, 2)
    for _ in range(50):
        entered(places, "")
    assert places.strangers == 50


def test_the_one_that_has_been_idle_for_longest_goes() -> None:
    places = Places(100, 3, 100)
    one, two, three = (entered(places) for _ in range(3))
    places.begin(one)
    places.end(one)
    places.begin(two)
    visit, gone = places.enter("192.0.2.9")
    assert isinstance(visit, Visit)
    assert gone is three
    visit, gone = places.enter("192.0.2.9")
    assert gone is one
    assert places.strangers == 3


def test_nobody_goes_who_is_answered_or_known() -> None:
    places = Places(3, 2, 100)
    known, busy, other = entered(places), entered(places, "a"), None
    places.know(known)
    places.begin(busy)
    other = entered(places, "b")
    places.begin(other)
    assert places.enter("c") == ("all", None)
    places.end(other)
    assert places.enter("c")[1] is other


def test_there_is_room_for_who_is_known_however_many_strangers_come() -> None:
    places = Places(10, 5, 100)
    for number in range(100):
        visit, _ = places.enter("192.0.2.1")
        assert isinstance(visit, Visit)
        if number % 20 == 0:
            places.know(visit)
    assert (places.strangers, len(places)) == (5, 10)


def test_connections_that_are_counted_elsewhere_take_places_too() -> None:
    places = Places(10, 5, 100)
    assert places.enter("a", more=10) == ("all", None)
    entered(places, "a")
    assert places.enter("a", more=9)[1] is not None


def test_a_place_is_taken_back_once() -> None:
    places = Places(10, 5, 1)
    visit = entered(places)
    places.leave(visit)
    places.leave(visit)
    places.know(visit)
    places.begin(visit)
    places.end(visit)
    assert len(places) == 0
    visit = entered(places)
    places.know(visit)
    places.know(visit)
    places.leave(visit)
    assert len(places) == 0


class PlacesMachine(RuleBasedStateMachine):
    """Any order of comings and goings, beside a list that is searched."""

    def __init__(self) -> None:
        super().__init__()
        self.places = Places(8, 4, 3)
        self.strangers: list[Visit] = []  # idle ones oldest first
        self.busy: list[Visit] = []
        self.known: list[Visit] = []

    @rule(address=st.sampled_from(["", "a", "b"]))
    def enter(self, address: str) -> None:
        mine = [one for one in self.strangers + self.busy if one.address == address]
        visit, gone = self.places.enter(address)
        if address and len(mine) >= 3:
            assert (visit, gone) == ("address", None)
            return
        full = len(self.strangers + self.busy) >= 4
        full = full or len(self.strangers + self.busy + self.known) >= 8
        if full and not self.strangers:
            assert (visit, gone) == ("all", None)
            return
        assert gone is (self.strangers.pop(0) if full else None)
        assert isinstance(visit, Visit)
        self.strangers.append(visit)

    @precondition(lambda self: self.strangers)
    @rule(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        visit = data.draw(st.sampled_from(self.strangers))
        self.strangers.remove(visit)
        self.busy.append(visit)
        self.places.begin(visit)

    @precondition(lambda self: self.busy)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        visit = data.draw(st.sampled_from(self.busy))
        self.busy.remove(visit)
        self.strangers.append(visit)
        self.places.end(visit)

    @precondition(lambda self: self.busy)
    @rule(data=st.data())
    def know(self, data: st.DataObject) -> None:
        visit = data.draw(st.sampled_from(self.busy))
        self.busy.remove(visit)
        self.known.append(visit)
        self.places.know(visit)

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        groups = [group for group in (self.strangers, self.busy, self.known) if group]
        for group in groups[: data.draw(st.integers(0, 3))]:
            self.places.leave(group.pop())

    @invariant()
    def counts_agree(self) -> None:
        assert self.places.strangers == len(self.strangers + self.busy)
        assert len(self.places) == len(self.strangers + self.busy + self.known) <= 8


TestPlaces = PlacesMachine.TestCase


# --- requests -------------------------------------------------------------------------------------


def test_so_many_at_once_and_then_so_many_a_second() -> None:
    allowance = Allowance(2.0, 5.0, 10)
    assert [allowance.take("a", 0.0) for _ in range(6)] == [0, 0, 0, 0, 0, 0.5]
    assert allowance.take("b", 0.0) == 0
    assert [allowance.take("a", 0.5) for _ in range(2)] == [0, 0.5]
    assert [allowance.take("a", 100.0) for _ in range(6)] == [0, 0, 0, 0, 0, 0.5]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 3)), max_size=60))
def test_never_more_than_the_burst_and_the_rate(steps: list[tuple[str, float]]) -> None:
    allowance, now, taken = Allowance(2.0, 5.0, 10), 0.0, dict.fromkeys("abc", 0)
    for key, pause in steps:
        now += pause
        taken[key] += not allowance.take(key, now)
        assert taken[key] <= 5 + 2 * now + 1e-6


def test_keys_are_remembered_in_bounds_the_latest() -> None:
    allowance = Allowance(1.0, 1.0, 3)
    for key in "abcd":
        allowance.take(key, 0.0)
    assert len(allowance) == 3
    assert allowance.take("d", 0.0) > 0
    assert allowance.take("a", 0.0) == 0


def test_requests_are_counted_by_who_shows_what_and_else_by_address() -> None:
    guard = Guard(Allowed(requests=10.0))
    far, near = "192.0.2.1", "127.0.0.1"
    burst = int(limits_guard.STRANGE_BURST / 100)
    assert [guard.ask(far, "", 0.0) for _ in range(burst)] == [0.0] * burst
    assert guard.ask(far, "", 0.0) == 1.0
    assert guard.ask(far, "a token", 0.0) == 0.0
    assert guard.ask("192.0.2.2", "", 0.0) == 0.0
    assert not any(guard.ask(near, "", 0.0) for _ in range(2 * burst))
    assert not any(guard.ask(far, "b", 0.0) for _ in range(100))
    assert guard.ask(far, "b", 0.0) > 0
    assert guard.refused["requests"] == 2


def test_bodies_under_way_are_bounded_by_address() -> None:
    guard, most = Guard(), limits_guard.BODY_BYTES_PER_ADDRESS
    with guard.carried("192.0.2.1", most):
        with pytest.raises(TooManyTries), guard.carried("192.0.2.1", 1):
            raise AssertionError("it was let in")
        with guard.carried("192.0.2.2", most), guard.carried("192.0.2.1", 0):
            pass
        with guard.carried("127.0.0.1", most), guard.carried("127.0.0.1", most):
            pass
    with guard.carried("192.0.2.1", most):
        assert guard.refused["bytes"] == 1


# --- failures -------------------------------------------------------------------------------------


def test_some_failures_are_free_and_then_each_costs_twice_as_long() -> None:
    failures, waits = Failures(3), []
    for _ in range(7):
        failures.add("a", 0.0)
        waits.append(failures.wait("a", 0.0))
    assert waits == [0, 0, 0, 1, 2, 4, 8]
    assert failures.wait("a", 8.0) == 0
    assert failures.wait("b", 0.0) == 0
    for _ in range(1000):
        failures.add("a", 0.0)
    assert failures.wait("a", 0.0) == limits_guard.FAILURE_SECONDS_MOST


def test_failures_are_forgiven_by_time_and_by_what_is_right() -> None:
    failures = Failures(0)
    failures.add("a", 0.0)
    failures.add("a", 0.0)
    assert failures.wait("a", 0.0) == 2
    failures.clear("a")
    assert failures.wait("a", 0.0) == 0
    failures.add("a", 0.0)
    failures.add("a", limits_guard.FORGIVEN_SECONDS)
    assert failures.wait("a", limits_guard.FORGIVEN_SECONDS) == 1


def test_many_attackers_do_not_lock_out_who_has_not_failed() -> None:
    failures = Failures(3)
    for number in range(int(limits_guard.FAILURES_BURST)):
        failures.add(f"attacker {number}", 0.0)
    assert failures.wait("attacker 1", 0.0) > 0
    assert failures.wait("honest", 0.0) == 0
    assert failures.wait("attacker 1", 1.0) == 0


def test_failing_addresses_are_remembered_in_bounds() -> None:
    failures = Failures(0)
    for number in range(limits_guard.ADDRESSES + 5):
        failures.add(str(number), 0.0)
    assert len(failures) == limits_guard.ADDRESSES


def test_the_guard_says_how_long_to_wait() -> None:
    guard = Guard(Allowed(failures=1))
    guard.check_try("2001:db8::1", 0.0)
    guard.failed("2001:db8::1", 0.0)
    guard.check_try("2001:db8::1", 0.0)
    guard.failed("2001:db8::2", 0.0)  # the same network
    with pytest.raises(TooManyTries) as caught:
        guard.check_try("2001:db8::1", 0.0)
    assert caught.value.seconds >= 1
    assert (guard.refused["failures"], guard.refused["tries"]) == (2, 1)
    guard.passed("2001:db8::1")
    guard.check_try("2001:db8::1", 0.0)


def test_a_refusal_names_whole_seconds() -> None:
    assert [too_many(wait).seconds for wait in (0.1, 1.0, 2.2, 60)] == [1, 2, 3, 60]


# --- connections ----------------------------------------------------------------------------------


def test_the_guard_counts_whom_it_sends_away() -> None:
    guard = Guard(Allowed(connections=1, places=4))
    visit, gone = guard.enter("192.0.2.1")
    assert visit is not None
    assert gone is None
    assert guard.enter("192.0.2.1") == (None, None)
    guard.enter("192.0.2.2")
    _, gone = guard.enter("192.0.2.3")
    assert gone is visit
    assert guard.enter("192.0.2.4", others=4) != (None, None)
    assert guard.refused == {"address": 1, "slowest": 2}
