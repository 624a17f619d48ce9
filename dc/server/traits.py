"""Traits: what requirement classes ask of workers, each thing for itself, and who has it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from msgspec import Struct

from dc.messages_worker import About
from dc.requirements import CPUS, UNITS, Need, Term, holds, terms_of, units
from dc.server.shipping import Kind, Shipped, Taking, meets, taking_of

Types: TypeAlias = frozenset[tuple[str, str]]
"""Names and versions of task types."""


class Trait(Struct, frozen=True):
    """Something that classes ask of a worker: a condition on a label, or `count` of a resource.

    Or it is what an archive asks of whom it is `shipped` to: `condition` says what of that.
    """

    label: str = ""
    condition: str = ""
    resource: str = ""
    count: int = 0
    shipped: Kind = ""


class Make(Struct, eq=False):
    """Workers that are the same in all that any trait is about, and that may run the same types."""

    types: Types
    labels: dict[str, str]
    counts: dict[str, int]
    mask: int = 0
    workers: set[int] = set()
    taking: Taking = Taking()
    only: tuple[str, ...] = ()

    def has(self, trait: Trait, terms: Sequence[Term]) -> bool:
        """Whether it has a trait, whose condition consists of these terms."""
        if trait.label:
            return holds(terms, self.labels.get(trait.label))
        if trait.shipped:
            return meets(trait.shipped, trait.condition, self.taking, self.labels)
        return self.counts.get(trait.resource, 0) >= trait.count


def traits_of(need: Need) -> Iterator[Trait]:
    """Yield what an alternative asks of a worker, each trait for itself."""
    for label, condition in need.conditions:
        yield Trait(label=label, condition=condition)
    for resource, count in need.amounts:
        if count:
            yield Trait(resource=resource, count=count)


def traits_of_code(shipped: Shipped) -> Iterator[Trait]:
    """Yield what an archive asks of a worker to be shipped to it."""
    for kind, what in shipped.asks():
        yield Trait(shipped=kind, condition=what)


def counts_of(about: About) -> dict[str, int]:
    """Return what a worker has, in whole units, by resource."""
    counts = {name: units(name, value) for name, value in about.resources.items()}
    counts.setdefault(CPUS, about.slots * UNITS)
    return counts


def lacking(about: About, need: Need) -> list[Trait]:
    """Return what an alternative asks and a worker has not, whatever its task types."""
    make = Make(frozenset(), about.labels, counts_of(about))
    return [
        trait
        for trait in traits_of(need)
        if not make.has(trait, terms_of(trait.condition) if trait.label else ())
    ]


def lacking_for(about: About, shipped: Shipped) -> list[Trait]:
    """Return what an archive asks of a worker to be shipped to it, and it has not."""
    make = Make(frozenset(), about.labels, {}, taking=taking_of(about))
    return [trait for trait in traits_of_code(shipped) if not make.has(trait, ())]
