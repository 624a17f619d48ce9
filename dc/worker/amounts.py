"""What of a worker its slots use: whether waiting tasks may start, and on which cards.

A slot runs one task at a time, so it uses what one of its tasks needs, from its first task until
it has none and its process is well. The server gives a worker more than that only to wait, so what
waits is admitted here, in its order. What the worker could never have runs when nothing else does:
the server knows best, and a queue that waits for nothing would wait for ever.

Cards are given out by their numbers, to a task with half of one half of a card. A slot gets the
cards that it had before where it can: a process that has begun to compute on a card stays there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from dc.requirements import CPUS, GPUS, UNITS, units

PLAIN: Final[Mapping[str, int]] = {CPUS: UNITS}
"""What a task uses of which nothing is said."""

VARIABLES: Final = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
"""That tell a program which cards are its own, by maker: NVIDIA and AMD."""


class Card(Struct, frozen=True):
    """A card: the variable that names it, and the number that it has there.

    Without a variable its maker is not known, and all of them name it.
    """

    number: str
    variable: str = ""


class Use(Struct, frozen=True):
    """What a slot uses: whole units by resource, and of cards by their place."""

    counts: Mapping[str, int]
    cards: dict[int, int]


class Amounts:
    """What the slots of one worker use.

    Args:
        resources: the amounts that the worker has.
        cards: those that are known; it may have more.
    """

    def __init__(self, resources: Mapping[str, float], cards: Sequence[Card] = ()) -> None:
        self._total: dict[str, int] = {}
        self._free: dict[str, int] = {}
        self._cards: list[Card] = list(cards)
        self._free_cards: list[int] = []
        self._uses: dict[int, Use] = {}
        self._last: dict[int, list[int]] = {}
        self.set_total(resources)

    def set_total(self, resources: Mapping[str, float]) -> None:
        """Take it that the worker has these amounts; what is used stays in use."""
        self._total = {name: units(name, value) for name, value in resources.items()}
        self._free = dict(self._total)
        count = -(-self._total.get(GPUS, 0) // UNITS)
        self._cards += [Card(str(at)) for at in range(len(self._cards), count)]
        left = self._total.get(GPUS, 0)
        self._free_cards = [min(UNITS, max(0, left - at * UNITS)) for at in range(len(self._cards))]
        for use in self._uses.values():
            self._add(use, -1)

    def _add(self, use: Use, sign: int) -> None:
        for name, count in use.counts.items():
            self._free[name] = self._free.get(name, 0) + sign * count
        for at, count in use.cards.items():
            self._free_cards[at] += sign * count

    # --- slots ----------------------------------------------------------------------------------

    def fits(self, resources: Mapping[str, float]) -> bool:
        """Whether a task that needs these amounts may start in a slot that has none.

        Args:
            resources: by name; nothing for one cpu.
        """
        if not self._uses:
            return True
        if not resources:
            return self._free.get(CPUS, 0) >= UNITS
        counts = _counts(resources)
        if any(self._free.get(name, 0) < count for name, count in counts.items() if count):
            return False
        return not counts.get(GPUS) or self._choose(counts[GPUS], ()) is not None

    def take(self, slot: int, resources: Mapping[str, float]) -> dict[str, str]:
        """Have a slot use the amounts that its tasks need; return what their environment is told.

        A slot that uses something already goes on with it.
        """
        use = self._uses.get(slot)
        if use is None:
            counts = _counts(resources) if resources else PLAIN
            chosen: dict[int, int] = {}
            if counts.get(GPUS):
                chosen = self._choose(counts[GPUS], self._last.get(slot, ())) or {}
                self._last[slot] = list(chosen)
            use = self._uses[slot] = Use(counts, chosen)
            self._add(use, -1)
        return self._environment(use) if use.cards else {}

    def preview(self, slot: int, resources: Mapping[str, float]) -> dict[str, str]:
        """Return what the environment of a slot's tasks would be told, if it took them now."""
        count = units(GPUS, resources.get(GPUS, 0.0)) if resources else 0
        if not count:
            return {}
        chosen = self._choose(count, self._last.get(slot, ())) or {}
        return self._environment(Use({}, chosen)) if chosen else {}

    def give_back(self, slot: int) -> None:
        """Note that a slot uses nothing any more; may be repeated."""
        use = self._uses.pop(slot, None)
        if use is not None:
            self._add(use, 1)

    # --- cards ----------------------------------------------------------------------------------

    def _choose(self, count: int, liked: Sequence[int]) -> dict[int, int] | None:
        """Return so many units of cards, by their places: those that are liked first.

        Whole cards are taken whole, and a part from the card that has the least that is enough.
        """
        whole, part = divmod(count, UNITS)
        free = self._free_cards
        places = sorted(range(len(free)), key=lambda at: (at not in liked, at))
        chosen = dict.fromkeys([at for at in places if free[at] >= UNITS][:whole], UNITS)
        if len(chosen) < whole:
            return None
        if part:
            enough = [at for at in places if at not in chosen and free[at] >= part]
            if not enough:
                return None
            chosen[min(enough, key=lambda at: (at not in liked, free[at], at))] = part
        return chosen

    def _environment(self, use: Use) -> dict[str, str]:
        cards = [self._cards[at] for at in sorted(use.cards)]
        return {
            name: ",".join(card.number for card in cards if card.variable in ("", name))
            for name in VARIABLES
        }

    # --- looking --------------------------------------------------------------------------------

    @property
    def users(self) -> set[int]:
        """The slots that use anything."""
        return set(self._uses)

    def validate(self) -> None:
        """Check that no more is used than there is, unless one slot alone uses it."""
        free, cards = dict(self._total), [0] * len(self._cards)
        for use in self._uses.values():
            for name, count in use.counts.items():
                free[name] = free.get(name, 0) - count
            for at, count in use.cards.items():
                cards[at] += count
        assert {n: c for n, c in free.items() if c} == {n: c for n, c in self._free.items() if c}
        assert all(count <= UNITS for count in cards), "a card is given out twice"


def _counts(resources: Mapping[str, float]) -> dict[str, int]:
    return {name: units(name, value) for name, value in resources.items()}
