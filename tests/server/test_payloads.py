"""Payloads in memory: what is there is right, what is spent goes, and the bound holds."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dc import limits
from dc.messages_parts import Payload
from dc.server.payloads import AtHand, Window

EACH = limits.PAYLOAD_OBJECT_BYTES + 4
LIMIT = 30 * EACH


def some(first: int, count: int) -> list[Payload]:
    return [b"%04d" % number for number in range(first, first + count)]


def test_a_payload_counts_with_the_object_that_holds_it() -> None:
    window = Window()
    AtHand(window, 0).add(0, [bytes(64)] * 1000)
    assert window.used == 1000 * (64 + limits.PAYLOAD_OBJECT_BYTES)


def test_small_batches_are_joined_without_touching_what_was_given() -> None:
    at_hand = AtHand(Window(), 0)
    given = [some(number, 1) for number in range(100)]
    for number, payloads in enumerate(given):
        at_hand.add(number, payloads)
    assert [len(payloads) for payloads in given] == [1] * 100
    assert at_hand.take(list(range(100))) == (some(0, 100), [])


def test_what_came_first_stays_and_what_is_behind_it_goes() -> None:
    window = Window(LIMIT)
    at_hand = AtHand(window, 0)
    for first in range(0, 50, 10):
        at_hand.add(first, some(first, 10))
    at_hand.stored_up_to(50)
    assert window.used == LIMIT
    assert at_hand.take([0, 29, 30, 49]) == ([b"0000", b"0029", b"", b""], [2, 3])
    at_hand.passed(30)
    assert window.used == 0
    at_hand.add(50, some(50, 10))
    at_hand.stored_up_to(60)
    assert window.used == 0, "there would be room, but tasks come first that are not here"
    assert list(at_hand.fetch(60, 8)) == list(range(30, 38))


def test_two_jobs_do_not_take_each_others_room_in_turn() -> None:
    window = Window(8 * 1100)
    jobs = [AtHand(window, 50), AtHand(window, 50)]
    payloads: list[Payload] = [bytes(1000)] * 8  # of which the window holds those of one job
    read = []
    for number in [0, 1] * 5:
        piece = jobs[number].fetch(50, 8)
        jobs[number].fetched(piece.start, payloads[: len(piece)])
        read.append(len(piece))
    assert read[:2] == [8, 8], "the second takes the room of the first"
    assert not any(read[2:]), "nobody takes any while nothing is assigned"
    jobs[1].take([0])
    assert jobs[0].fetch(50, 8)


def test_nothing_is_read_that_is_not_on_disk_or_not_wanted_soon() -> None:
    at_hand = AtHand(Window(0), 0)
    at_hand.add(0, some(0, 50))
    assert not at_hand.fetch(50, 8)
    at_hand.stored_up_to(50)
    assert not at_hand.fetch(50, 8), "there is no room"
    roomy = AtHand(Window(), 50)
    for first in (0, 8, 16):
        assert list(roomy.fetch(50, 8)) == list(range(first, first + 8))
        assert not roomy.fetch(50, 8), "one piece at a time"
        roomy.fetched(first, some(first, 8))
    assert not roomy.fetch(50, 8), "far enough"
    roomy.passed(9)
    assert list(roomy.fetch(26, 8)) == [24, 25]


def test_large_payloads_are_read_in_small_pieces() -> None:
    at_hand = AtHand(Window(), 10_000)
    first = at_hand.fetch(10_000, 8000)
    assert 1 < len(first) <= limits.PREFETCH_BYTES / 1024
    at_hand.fetched(0, [bytes(64 * 1024)] * 100)
    assert len(at_hand.fetch(10_000, 8000)) <= limits.PREFETCH_BYTES / (64 * 1024)


class PayloadMachine(RuleBasedStateMachine):
    """Two jobs that share a window."""

    def __init__(self) -> None:
        super().__init__()
        self.window = Window(LIMIT)
        self.jobs = [AtHand(self.window, 0), AtHand(self.window, 0)]
        self.totals = [0, 0]
        self.given = [0, 0]
        self.reading: list[range] = [range(0), range(0)]

    @rule(at=st.integers(0, 1), count=st.integers(1, 12))
    def add(self, at: int, count: int) -> None:
        self.jobs[at].add(self.totals[at], some(self.totals[at], count))
        self.totals[at] += count

    @rule(at=st.integers(0, 1), share=st.floats(0, 1))
    def store(self, at: int, share: float) -> None:
        stored = self.jobs[at].stored
        self.jobs[at].stored_up_to(stored + int((self.totals[at] - stored) * share))

    @rule(at=st.integers(0, 1), count=st.integers(1, 9))
    def assign(self, at: int, count: int) -> None:
        first = self.given[at]
        numbers = list(range(first, min(first + count, self.totals[at])))
        if numbers:
            payloads, missing = self.jobs[at].take(numbers)
            for place, number in enumerate(numbers):
                assert payloads[place] == (b"" if place in missing else b"%04d" % number)
                assert place not in missing or number < self.jobs[at].stored
            self.given[at] = numbers[-1] + 1
            self.jobs[at].passed(self.given[at])

    @rule(at=st.integers(0, 1), most=st.integers(1, 9))
    @precondition(lambda self: not all(self.reading))
    def fetch(self, at: int, most: int) -> None:
        piece = self.jobs[at].fetch(self.totals[at], most)
        if piece:
            assert not self.reading[at] or self.jobs[at].fetching == piece.start
            assert len(piece) <= most
            assert self.given[at] <= piece.start < piece.stop <= self.jobs[at].stored
            assert all(self.jobs[at].peek(number) is None for number in piece)
            self.reading[at] = piece

    @rule(at=st.integers(0, 1), share=st.floats(0.1, 1))
    def fetched(self, at: int, share: float) -> None:
        piece, self.reading[at] = self.reading[at], range(0)
        if piece:
            count = max(1, int(len(piece) * share))
            self.jobs[at].fetched(piece.start, some(piece.start, count))

    @invariant()
    def it_adds_up(self) -> None:
        for one in self.jobs:
            one.validate()
        assert self.window.used == sum(one.size for one in self.jobs)
        unstored = sum(t - one.stored for t, one in zip(self.totals, self.jobs, strict=True))
        spare = 2 * (limits.BATCH_TASKS if unstored else 0) + 2 * 9
        assert self.window.used <= LIMIT + (unstored + spare) * EACH

    def teardown(self) -> None:
        for one, total in zip(self.jobs, self.totals, strict=True):
            one.stored_up_to(total)
            one.passed(total)
        assert self.window.used == 0


TestPayloadMachine = PayloadMachine.TestCase
TestPayloadMachine.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
