"""Why no worker can ever run a task: what is lacking, and which worker comes nearest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from dc.messages_worker import About
from dc.requirements import (
    MEMORY,
    UNITS,
    Need,
    amount_text,
    bytes_text,
    condition_text,
    need_text,
)
from dc.server.abilities import Wanted, can_have
from dc.server.reason import Reason
from dc.server.traits import Trait, counts_of, lacking
from dc.server.why_code import why_no_code


class Near(Struct, frozen=True):
    """How near a worker comes to one alternative: what it lacks, and the name that is shown."""

    lacks: list[Trait]
    name: str
    about: About
    need: Need

    @property
    def distance(self) -> tuple[int, float, str]:
        """Orders workers: what lacks less is nearer, then what has more of what it lacks.

        Another value of a label is more than no such label.
        """
        counts = counts_of(self.about)
        have = sum(counts.get(one.resource, 0) / one.count for one in self.lacks if one.count)
        have += sum(one.label in self.about.labels for one in self.lacks)
        return len(self.lacks), -have, self.name


def shortage(
    wanted: Wanted,
    workers: Iterable[tuple[str, About]],
    may: Callable[[About, str], bool] = lambda *_: True,
) -> Reason:
    """Return why none of these workers can run a class.

    Args:
        wanted: what the class needs; no worker has all of it.
        workers: their names and what they are.
        may: whether a worker's group may run a task type.
    """
    known = list(workers)
    kind = f"{wanted.type} {wanted.version}"
    if not known:
        return Reason("no worker", "no worker is connected")
    all_ = [one for one in known if may(one[1], wanted.type)]
    if not all_:
        text = f"no connected worker is in a group that may run task type {wanted.type}"
        return Reason("group", text, {"type": wanted.type})
    typed = [one for one in all_ if can_have(one[1], wanted)]
    if not typed:
        return why_no_code(kind, wanted.shipped, all_)
    best = [_nearest(need, typed) for need in wanted.needs]
    nearest = min(best, key=lambda one: len(one.lacks))
    reason = _lacking(nearest, [about for _, about in all_], kind)
    if len(best) == 1:
        return reason
    text = f"none of its {len(best)} alternatives has a worker; the nearest {reason.text}"
    return Reason(reason.kind, text, {**reason.figures, "alternative": best.index(nearest)})


def _nearest(need: Need, workers: Sequence[tuple[str, About]]) -> Near:
    near = [Near(lacking(about, need), name, about, need) for name, about in workers]
    return min(near, key=lambda one: one.distance)


def _lacking(near: Near, workers: Sequence[About], kind: str) -> Reason:
    """Say what nobody has at all, or else that nobody has everything."""
    for trait in near.lacks:
        if not any(trait not in lacking(about, near.need) for about in workers):
            return _amount(trait, near, workers) if trait.resource else _label(trait, near)
    lacks = ", ".join(map(trait_text, near.lacks))
    text = (
        f"needs {need_text(near.need)}; no worker that has task type {kind} has all of that "
        f"(nearest: {near.name}, which lacks {lacks})"
    )
    return Reason("together", text, {"nearest": near.name, "lacks": lacks})


def _amount(trait: Trait, near: Near, workers: Sequence[About]) -> Reason:
    name = trait.resource
    most = max(counts_of(about).get(name, 0) for about in workers)
    than = f"more than {short_amount(name, most)}" if most else "any"
    text = f"needs {amount_text(name, trait.count)}; no worker has {than} (nearest: {near.name})"
    figures = {"resource": name, "needs": trait.count, "most": most, "nearest": near.name}
    return Reason("amount", text, figures)


def _label(trait: Trait, near: Near) -> Reason:
    value = near.about.labels.get(trait.label)
    has = f"{trait.label}={value}" if value is not None else f"no {trait.label}"
    wants = condition_text(trait.label, trait.condition)
    text = f"needs {wants}; no worker has that (nearest: {near.name}, which has {has})"
    figures = {"label": trait.label, "condition": trait.condition, "nearest": near.name}
    return Reason("label", text, figures)


def trait_text(trait: Trait) -> str:
    """Return in words what is asked: `os=linux`, `2 gpus`."""
    if trait.label:
        return condition_text(trait.label, trait.condition)
    return amount_text(trait.resource, trait.count)


def short_amount(name: str, count: int) -> str:
    """Return an amount in words without its resource: `1`, `4 GiB`."""
    return bytes_text(count) if name == MEMORY else f"{count / UNITS:g}"


def waiting_for(
    about: About, waiting: Sequence[Wanted], may: Callable[[About, str], bool] = lambda *_: True
) -> Reason:
    """Return what keeps a worker from all classes of which tasks wait: none of them fits it.

    `may` says whether its group may run a task type.
    """
    wanted = [one for one in waiting if may(about, one.type)]
    if not wanted:
        return Reason("group", "every waiting task is of a task type that its group may not run")
    typed = [one for one in wanted if can_have(about, one)]
    if not typed:
        text = "every waiting task is of a task type that it does not have"
        return Reason("other types", text + " and cannot get" * about.takes_plugins)
    if len(typed) == len(wanted):
        needs = [lacking(about, need) for one in typed for need in one.needs]
        common = {trait.resource for trait in needs[0] if trait.resource}
        for traits in needs:
            common &= {trait.resource for trait in traits if trait.resource}
        if common:
            return _beyond(about, min(common), [t for ts in needs for t in ts])
    return Reason("nothing fits", "nothing waits that it can run")


def _beyond(about: About, name: str, lacks: Sequence[Trait]) -> Reason:
    have = counts_of(about).get(name, 0)
    least = min(trait.count for trait in lacks if trait.resource == name)
    if have:
        text = f"every waiting task needs {amount_text(name, least)} or more; "
        text += f"it has {short_amount(name, have)}"
    else:
        text = f"every waiting task needs {name}; it has none"
    return Reason("too little", text, {"resource": name, "least": least, "has": have})
