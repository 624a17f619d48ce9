"""Traits: what requirement classes ask of workers, each thing for itself, and who has it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from msgspec import Struct

from dc.messages import About
from dc.requirements import CPUS, UNITS, Need, Term, holds, terms_of, units

Types: TypeAlias = frozenset[tuple[str, str]]
"""Names and versions of task types."""


class Trait(Struct, frozen=True):
    """Something that classes ask of a worker: a condition on a label, or `count` of a resource."""

    label: str = ""
    condition: str = ""
    resource: str = ""
    count: int = 0


class Make(Struct, eq=False):
    """Workers that are the same in all that any trait is about."""

    types: Types
    labels: dict[str, str]
    counts: dict[str, int]
    mask: int = 0
    workers: set[int] = set()

    def has(self, trait: Trait, terms: Sequence[Term]) -> bool:
        """Whether it has a trait, whose condition consists of these terms."""
        if trait.label:
            return holds(terms, self.labels.get(trait.label))
        return self.counts.get(trait.resource, 0) >= trait.count


def traits_of(need: Need) -> Iterator[Trait]:
    """Yield what an alternative asks of a worker, each trait for itself."""
    for label, condition in need.conditions:
        yield Trait(label=label, condition=condition)
    for resource, count in need.amounts:
        if count:
            yield Trait(resource=resource, count=count)


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
