"""The register of workers: who is remembered, who is forgotten first, and that it is on disk."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from dc.messages_worker import About
from dc.records import WorkerRow, Workers
from dc.server.board import Board
from dc.server.events import Write
from dc.server.heads import HeadLimits
from dc.server.register import DELETED, Register, is_decided
from tests.server.harness import SomeTypes

MOST = 3
KEYS = st.sampled_from("abcdefg")


class RegisterMachine(RuleBasedStateMachine):
    """A register of few places, against lists that are walked over; it is restarted at times."""

    def __init__(self) -> None:
        super().__init__()
        self.wall = 0.0
        self.disk: dict[str, WorkerRow] = {}
        self.here: set[str] = set()
        self.known: dict[str, WorkerRow] = {}
        self.left: list[str] = []  # those that are gone, in the order in which they went
        self.start()

    def start(self) -> None:
        self.board = Board(SomeTypes(), 1, 1, 1, HeadLimits())
        self.register = Register(self.board, MOST)
        self.register.recovered(sorted(self.disk.values(), key=lambda row: (row.seen, row.key)))

    def write(self) -> None:
        for action in self.board.out:
            assert isinstance(action, Write)
            assert isinstance(action.record, Workers)
            for key in action.record.forgotten:
                self.disk.pop(key, None)
            self.disk |= {row.key: row for row in action.record.rows}
        self.board.out = []

    def tick(self) -> None:
        self.wall += 1.0
        self.board.wall = self.wall

    @rule(key=KEYS, name=st.sampled_from("xyz"), run=st.sampled_from("12"))
    def comes(self, key: str, name: str, run: str) -> None:
        self.tick()
        row = self.known.get(key)
        if key in self.here or (row is not None and row.state == DELETED):
            return
        self.here.add(key)
        self.left = [other for other in self.left if other != key]
        old = row or WorkerRow(key, name, run, 0.0)
        shown = old.called or name
        for other in list(self.left):
            if self.known[other].name == shown and not is_decided(self.known[other]):
                self.forget(other)
        order = old.order if old.run == run else ""
        self.known[key] = replace(old, name=name, run=run, seen=self.wall, order=order)
        assert self.register.came(About(name, key, 1, [], {}, {}, run)) == self.known[key]

    @rule(key=KEYS)
    def goes(self, key: str) -> None:
        self.tick()
        if key in self.here:
            self.here.discard(key)
            self.known[key] = replace(self.known[key], seen=self.wall)
            self.left.append(key)
            self.register.went(key)
            self.make_room()

    @rule(
        key=KEYS,
        note=st.sampled_from(["", "n"]),
        state=st.sampled_from(["", "paused", DELETED]),
        called=st.sampled_from(["", "", "x", "p", "q"]),
    )
    def decide(self, key: str, note: str, state: str, called: str) -> None:
        if key not in self.known or self.known[key].state == DELETED:
            return
        was = is_decided(self.known[key])
        taken = {row.called for other, row in self.known.items() if other != key}
        called = "" if called in taken else called
        self.known[key] = replace(self.known[key], note=note, state=state, called=called)
        if key in self.left and was != is_decided(self.known[key]):
            self.left = [other for other in self.left if other != key] + [key]
        self.register.decide([self.known[key]])
        self.write()
        assert self.disk[key] == self.known[key], "a decision is written down at once"

    @rule()
    def restart(self) -> None:
        """A server that is stopped has written all; nobody is here then."""
        self.register.write()
        self.write()
        assert self.disk == self.known
        for key in sorted(self.here, key=lambda key: (self.known[key].seen, key)):
            self.left.append(key)
        self.here = set()
        self.left.sort(key=lambda key: (self.known[key].seen, key))
        self.start()
        self.make_room()

    def make_room(self) -> None:
        while len(self.left) > MOST:
            plain = [key for key in self.left if not is_decided(self.known[key])]
            self.forget((plain or self.left)[0])

    def forget(self, key: str) -> None:
        self.left.remove(key)
        del self.known[key]

    @invariant()
    def it_knows_the_same(self) -> None:
        self.register.validate()
        for key in "abcdefg":
            assert self.register.get(key) == self.known.get(key)
        shown = {key for key in self.left if self.known[key].state != DELETED}
        assert {row.key for row in self.register.gone()} == shown
        for name in "xpq":
            keys = [k for k, row in self.known.items() if row.called == name and row.state == ""]
            assert not keys or self.register.called(name) == keys[0]


TestRegister = RegisterMachine.TestCase
TestRegister.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
