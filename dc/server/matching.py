"""Which workers can run which tasks.

Jobs that need the same (task type, version, labels) are one requirement *class*; workers that can
run the same are one *group*. A worker's ability is its task types and those of its labels that any
class has asked for so far: so a thousand computers that differ only in their names are one group,
and a new class costs one look at each ability, never at each worker.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from dc.messages import About


class Groups(Protocol):
    """What is needed of the scheduler."""

    def add_class(self) -> int:
        """Make a requirement class."""

    def add_group(self, classes: list[int]) -> int:
        """Make a group of workers that can run these classes."""

    def extend_group(self, group: int, class_: int) -> None:
        """Let a group run one more class."""

    def set_group(self, worker: int, group: int) -> None:
        """Move a worker to another group."""


class Need(Struct, frozen=True):
    """What a requirement class asks of a worker."""

    type: str
    version: str
    labels: frozenset[tuple[str, str]]


class Ability(Struct, frozen=True):
    """What a group's workers have: task types with versions, and the labels that matter."""

    types: frozenset[tuple[str, str]]
    labels: frozenset[tuple[str, str]]

    def meets(self, need: Need) -> bool:
        """Whether a worker of this ability can run tasks of this need."""
        return (need.type, need.version) in self.types and need.labels <= self.labels


class Matching:
    """Keeps the scheduler's classes and groups in step with what jobs ask and workers have."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups
        self._keys: set[str] = set()
        self._classes: dict[Need, int] = {}
        self._abilities: dict[Ability, int] = {}
        self._workers: dict[int, About] = {}

    def class_of(self, type_: str, version: str, requires: dict[str, str]) -> int:
        """Return the requirement class of a job, made if it is new."""
        need = Need(type_, version, frozenset(requires.items()))
        found = self._classes.get(need)
        if found is not None:
            return found
        class_ = self._classes[need] = self._groups.add_class()
        for ability, group in self._abilities.items():
            if ability.meets(need):
                self._groups.extend_group(group, class_)
        if not self._keys.issuperset(requires):
            self._keys.update(requires)
            self._regroup()
        return class_

    def group_of(self, about: About) -> int:
        """Return the group of a worker, made if it is the first of its ability."""
        ability = self._ability(about)
        found = self._abilities.get(ability)
        if found is not None:
            return found
        classes = [class_ for need, class_ in self._classes.items() if ability.meets(need)]
        group = self._abilities[ability] = self._groups.add_group(classes)
        return group

    def joined(self, worker: int, about: About) -> None:
        """Note a worker of the scheduler, so that it can be moved when other labels matter."""
        self._workers[worker] = about

    def left(self, worker: int) -> None:
        """Forget a worker."""
        del self._workers[worker]

    def _ability(self, about: About) -> Ability:
        types = frozenset((t.name, t.version) for t in about.types)
        labels = frozenset((k, v) for k, v in about.labels.items() if k in self._keys)
        return Ability(types, labels)

    def _regroup(self) -> None:
        for worker, about in self._workers.items():
            self._groups.set_group(worker, self.group_of(about))
