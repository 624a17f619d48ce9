"""Which workers can run which tasks.

Jobs that need the same are one requirement *class*; workers that can run the same are one *group*.

Theory of operation
-------------------
What classes ask is cut into *traits*: a condition on one label, so much of one resource, or one of
the things that a plugin's archive asks to be shipped to a worker (`shipping`). Each
trait that any class asks has a bit, and an alternative of a class is a mask of them. A worker's
*ability* is its task types and the mask of the traits that it has: so a thousand computers that
differ only in what nobody asks, or only beyond what anybody asks, are one group, and whether a
group can run a class is one comparison of integers for each alternative.

Workers whose task types are the same, and those that they may run, and their values of all that
any trait is about, are one *make*. A new trait costs a look at each make, and moves those workers
that it divides from the larger part of their group; only if it is about a label or resource that
nobody has asked for before, it costs a look at each worker. A class of known traits costs a look at
each group.

A class that no job has is kept for a while, for the next job that needs the same. When there are
too many, the older half goes, and what is left is laid out anew: bits, makes and groups. So what
is kept follows what jobs and workers there are, and not how many there ever were.

Resources get small numbers, which the scheduler counts by; one that no class asks loses its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from dc import limits
from dc.messages_worker import About
from dc.requirements import CPUS, Need, Term, terms_of
from dc.server.abilities import Ability, Class, Wanted, can_have
from dc.server.access_groups import fits
from dc.server.shipping import LABELS, Shipped, taking_of
from dc.server.traits import (
    Make,
    Trait,
    counts_of,
    lacking,
    traits_of,
    traits_of_code,
)

CPUS_ID: Final = 0
"""The scheduler's number of the cpus: what says nothing of amounts needs one of these."""


class Groups(Protocol):
    """What is needed of the scheduler."""

    def add_class(self, alternatives: Sequence[Mapping[int, int]] = ()) -> int:
        """Make a requirement class."""

    def remove_class(self, class_: int) -> None:
        """Forget a class that no job has."""

    def add_group(self, classes: Mapping[int, Sequence[int]]) -> int:
        """Make a group of workers that can run these classes, by these of their alternatives."""

    def remove_group(self, group: int) -> None:
        """Forget a group that no worker is of."""

    def extend_group(self, group: int, class_: int, alternatives: Sequence[int] = ()) -> None:
        """Let a group run one more class."""

    def set_group(self, worker: int, group: int) -> None:
        """Move a worker to another group."""

    def set_amounts(self, worker: int, amounts: Mapping[int, int]) -> None:
        """Say how much a worker has."""


class Group(Struct, eq=False):
    """Workers of one ability: the group's number in the scheduler, and theirs."""

    id: int
    workers: set[int] = set()


class Bit(Struct, eq=False):
    """The place of a trait in masks, and what its condition consists of."""

    mask: int
    terms: tuple[Term, ...]


class Matching:
    """Keeps the scheduler's classes and groups in step with what jobs ask and workers have.

    Args:
        groups: the scheduler.
        only: gives the task types, names or patterns, that the worker of a key may run; none is
            all. Where that changes, the worker has to be `joined` again.
    """

    def __init__(
        self, groups: Groups, only: Callable[[str], tuple[str, ...]] = lambda _: ()
    ) -> None:
        self._scheduler = groups
        self._only = only
        self._classes: dict[Wanted, Class] = {}
        self._by_id: dict[int, Class] = {}
        self._spare: dict[Wanted, None] = {}
        self._bits: dict[Trait, Bit] = {}
        self._labels: set[str] = set()
        self._resources: dict[str, int] = {CPUS: CPUS_ID}
        self._makes: dict[object, Make] = {}
        self._groups: dict[Ability, Group] = {}
        self._empty: dict[Ability, None] = {}
        self._workers: dict[int, tuple[About, Make]] = {}

    # --- classes --------------------------------------------------------------------------------

    def class_of(
        self, type_: str, version: str, needs: tuple[Need, ...], shipped: Shipped | None = None
    ) -> int:
        """Return the requirement class of a job, made if it is new; `release` gives it back.

        Args:
            type_: of the job's tasks.
            version: of the type.
            needs: what each alternative needs.
            shipped: the archive that workers get who have no code of their own.
        """
        wanted = Wanted(type_, version, needs, shipped)
        found = self._classes.get(wanted) or self._add_class(wanted)
        self._spare.pop(wanted, None)
        found.jobs += 1
        return found.id

    def release(self, class_: int) -> None:
        """Note that a job that had a class has gone from the scheduler."""
        found = self._by_id[class_]
        found.jobs -= 1
        if found.jobs == 0:
            self._spare[found.wanted] = None
            if len(self._spare) > limits.SPARE_CLASSES:
                self._thin_out()

    def has_room(self, needs: tuple[Need, ...]) -> bool:
        """Whether the resources of a new job can be counted; spare classes make way for it."""
        names = {name for need in needs for name, _ in need.amounts}
        while self._spare and len(names | self._resources.keys()) > limits.RESOURCES_ASKED:
            self._thin_out()
        return len(names | self._resources.keys()) <= limits.RESOURCES_ASKED

    def _add_class(self, wanted: Wanted) -> Class:
        new = Class(-1, wanted)
        self._ask(new)
        amounts = [{self._resources[n]: many for n, many in one.amounts} for one in wanted.needs]
        new.id = self._scheduler.add_class(amounts)
        self._classes[wanted] = self._by_id[new.id] = new
        self._extend(new)
        return new

    def reship(self, old: Shipped, new: Shipped) -> None:
        """Let an archive go to whoever can get it as it is now, beside those who could before."""
        for class_ in [one for one in self._classes.values() if one.jobs]:
            wanted = replace(class_.wanted, shipped=new)
            if class_.wanted.shipped == old and wanted not in self._classes:
                del self._classes[class_.wanted]
                class_.wanted, self._classes[wanted] = wanted, class_
                self._ask(class_)
                self._extend(class_)

    def _extend(self, class_: Class) -> None:
        for ability, group in self._groups.items():
            if alternatives := ability.alternatives(class_):
                self._scheduler.extend_group(group.id, class_.id, alternatives)

    def _thin_out(self) -> None:
        """Let the older half of the classes go that no job has, and lay out the rest anew."""
        for wanted in list(self._spare)[: limits.SPARE_CLASSES // 2]:
            class_ = self._classes.pop(wanted)
            del self._spare[wanted], self._by_id[class_.id]
            self._scheduler.remove_class(class_.id)
        self._bits, self._labels = {}, set()
        asked = {name for one in self._classes for need in one.needs for name, _ in need.amounts}
        self._resources = {n: id_ for n, id_ in self._resources.items() if n in asked or n == CPUS}
        for class_ in self._classes.values():
            self._note_asked(class_)
            self._set_masks(class_)
        before, self._groups, self._empty = self._groups, {}, {}
        self._place_all()
        for group in before.values():
            self._scheduler.remove_group(group.id)

    # --- traits ---------------------------------------------------------------------------------

    def _ask(self, class_: Class) -> None:
        """Make the traits of a new class known, and move the workers that they tell apart."""
        known = len(self._bits)
        if self._note_asked(class_):
            self._make_anew()
        self._set_masks(class_)
        fresh = list(self._bits.items())[known:]
        if not fresh:
            return
        parts: dict[Ability, dict[int, list[Make]]] = {}
        for make in self._makes.values():
            mask = make.mask | sum(bit.mask for trait, bit in fresh if make.has(trait, bit.terms))
            parts.setdefault(self._ability(make), {}).setdefault(mask, []).append(make)
        for ability, divided in parts.items():
            if divided.keys() != {ability.mask}:
                self._divide(ability, divided)

    def _divide(self, ability: Ability, parts: dict[int, list[Make]]) -> None:
        """Divide a group by new masks of its makes; most of its workers stay where they are."""
        group = self._groups.pop(ability)
        largest = max(parts, key=lambda mask: sum(len(make.workers) for make in parts[mask]))
        for mask, makes in parts.items():
            new = Ability(ability.types, mask, ability.only)
            for make in makes:
                make.mask = mask
            if mask == largest:
                self._groups[new] = group
                continue
            moved = set[int]().union(*(make.workers for make in makes))
            other = self._group(new)
            other.workers |= moved
            group.workers -= moved
            self._empty.pop(new, None)
            for worker in moved:
                self._scheduler.set_group(worker, other.id)

    def _make_anew(self) -> None:
        """Tell makes apart by labels and resources that nobody asked before; groups stay."""
        self._makes = {}
        for worker, (about, old) in self._workers.items():
            new = self._description(about)
            make = self._makes.setdefault(_key(new), new)
            make.mask = old.mask
            make.workers.add(worker)
            self._workers[worker] = about, make
            self._scheduler.set_amounts(worker, self.amounts_of(about))

    def _note_asked(self, class_: Class) -> bool:
        """Note which labels and resources a class asks; return whether any was not asked before."""
        before = len(self._labels) + len(self._resources)
        if class_.wanted.shipped is not None:
            self._labels.update(LABELS)
        for need in class_.wanted.needs:
            self._labels.update(label for label, _ in need.conditions)
            for name, _ in need.amounts:
                if name not in self._resources:
                    taken = set(self._resources.values())
                    self._resources[name] = min(set(range(len(taken) + 1)) - taken)
        return len(self._labels) + len(self._resources) > before

    def _set_masks(self, class_: Class) -> None:
        wanted = class_.wanted
        class_.masks = tuple(self._mask(traits_of(need)) for need in wanted.needs)
        class_.code = self._mask(traits_of_code(wanted.shipped)) if wanted.shipped else 0

    def _mask(self, traits: Iterable[Trait]) -> int:
        mask = 0
        for trait in traits:
            bit = self._bits.get(trait)
            if bit is None:
                terms = terms_of(trait.condition) if trait.label else ()
                bit = self._bits[trait] = Bit(1 << len(self._bits), terms)
            mask |= bit.mask
        return mask

    # --- workers --------------------------------------------------------------------------------

    def group_of(self, about: About) -> int:
        """Return the group of a worker, made if it is the first of its ability."""
        return self._group(self._ability(self._make(about))).id

    def amounts_of(self, about: About) -> dict[int, int]:
        """Return what a worker has of the resources that anybody asks, by the scheduler's numbers.

        A worker that does not say how many cpus it has has as many as slots.
        """
        counts = counts_of(about)
        return {id_: counts[name] for name, id_ in self._resources.items() if name in counts}

    def joined(self, worker: int, about: About) -> None:
        """Note a worker of the scheduler, and put it into its group.

        It may have been known before, as another or with less.
        """
        if worker in self._workers:
            self.left(worker)
        make = self._make(about)
        self._enter(worker, about, make)
        self._scheduler.set_group(worker, self._groups[self._ability(make)].id)
        self._scheduler.set_amounts(worker, self.amounts_of(about))
        self._tidy()

    def left(self, worker: int) -> None:
        """Forget a worker that has left the scheduler."""
        _, make = self._workers.pop(worker)
        make.workers.discard(worker)
        if not make.workers:
            self._makes.pop(_key(make), None)
        ability = self._ability(make)
        if (group := self._groups.get(ability)) is not None:
            group.workers.discard(worker)
            if not group.workers:
                self._empty[ability] = None
        self._tidy()

    def _tidy(self) -> None:
        """Let the oldest groups go that have no workers, beyond those that are kept."""
        while len(self._empty) > limits.SPARE_GROUPS:
            ability = next(iter(self._empty))
            del self._empty[ability]
            self._scheduler.remove_group(self._groups.pop(ability).id)

    def _description(self, about: About) -> Make:
        """Return a worker's types, and its values of all that anybody asks, as a new make."""
        labels = {key: about.labels[key] for key in self._labels if key in about.labels}
        counts = {n: count for n, count in counts_of(about).items() if n in self._resources}
        types = frozenset((t.name, t.version) for t in about.types)
        return Make(types, labels, counts, taking=taking_of(about), only=self._only(about.key))

    def _make(self, about: About) -> Make:
        new = self._description(about)
        if (found := self._makes.get(_key(new))) is not None:
            return found
        for trait, bit in self._bits.items():
            new.mask |= bit.mask if new.has(trait, bit.terms) else 0
        return new

    def _ability(self, make: Make) -> Ability:
        return Ability(make.types, make.mask, make.only)

    def _group(self, ability: Ability) -> Group:
        group = self._groups.get(ability)
        if group is None:
            classes = {one.id: ability.alternatives(one) for one in self._classes.values()}
            able = {class_: which for class_, which in classes.items() if which}
            group = self._groups[ability] = Group(self._scheduler.add_group(able))
            self._empty[ability] = None
        return group

    def _enter(self, worker: int, about: About, make: Make) -> None:
        self._makes[_key(make)] = make
        make.workers.add(worker)
        ability = self._ability(make)
        self._group(ability).workers.add(worker)
        self._empty.pop(ability, None)
        self._workers[worker] = about, make

    def _place_all(self) -> None:
        """Make all workers known anew, in new groups: the bits are others now."""
        self._makes = {}
        for worker, (about, _) in list(self._workers.items()):
            make = self._make(about)
            self._enter(worker, about, make)
            self._scheduler.set_group(worker, self._groups[self._ability(make)].id)
            self._scheduler.set_amounts(worker, self.amounts_of(about))

    # --- looking --------------------------------------------------------------------------------

    def wanted(self, class_: int) -> Wanted:
        """Return what a class is known by."""
        return self._by_id[class_].wanted

    def able(self, class_: int) -> Iterator[tuple[int, list[int]]]:
        """Yield the workers that can ever run a class, and by which of its alternatives."""
        for ability, group in self._groups.items():
            if alternatives := ability.alternatives(self._by_id[class_]):
                for worker in group.workers:
                    yield worker, alternatives

    def groups(self, class_: int) -> Iterator[int]:
        """Yield the groups, those with workers, that can ever run a class."""
        for ability, group in self._groups.items():
            if group.workers and ability.alternatives(self._by_id[class_]):
                yield group.id

    def by_name(self, amounts: Mapping[int, int]) -> dict[str, int]:
        """Return amounts by the names of the resources instead of their numbers."""
        return {name: amounts[id_] for name, id_ in self._resources.items() if id_ in amounts}

    def knows(self, worker: int) -> bool:
        """Whether a worker is in the scheduler."""
        return worker in self._workers

    def can_run(self, worker: int, class_: int) -> list[int]:
        """Return by which of its alternatives a worker can ever run a class."""
        return self._ability(self._workers[worker][1]).alternatives(self._by_id[class_])

    def may_run(self, about: About, type_: str) -> bool:
        """Whether a worker may run a task type, whatever code it has."""
        return fits(self._only(about.key), type_)

    def has_own(self, worker: int, type_: str, version: str) -> bool:
        """Whether a worker has code of its own for a task type."""
        return (type_, version) in self._workers[worker][1].types

    def validate(self) -> None:
        """Check that everybody is where its labels and amounts say; AssertionError if not."""
        for worker, (about, make) in self._workers.items():
            ability = self._ability(make)
            assert worker in make.workers, f"worker {worker} is not of its make"
            assert self._makes[_key(make)] is make, f"worker {worker} is of a forgotten make"
            assert worker in self._groups[ability].workers, f"worker {worker} is not in its group"
            for wanted, class_ in self._classes.items():
                right = [at for at, need in enumerate(wanted.needs) if not lacking(about, need)]
                may = fits(make.only, wanted.type) and can_have(about, wanted)
                right = right if may else []
                assert ability.alternatives(class_) == right, f"worker {worker}: {wanted}"
        for ability, group in self._groups.items():
            assert bool(group.workers) != (ability in self._empty), "an empty group is not listed"
        assert self._spare.keys() == {w for w, c in self._classes.items() if not c.jobs}
        assert len(set(self._resources.values())) == len(self._resources), "two of one number"


def _key(make: Make) -> object:
    values = frozenset(make.labels.items()), frozenset(make.counts.items())
    return make.types, *values, make.taking, make.only
