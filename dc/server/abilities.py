"""What a requirement class wants, and whether workers of an ability can run it."""

from __future__ import annotations

from msgspec import Struct

from dc.messages_worker import About
from dc.requirements import Need
from dc.server.access_groups import fits
from dc.server.shipping import Shipped
from dc.server.traits import Types, lacking_for


class Wanted(Struct, frozen=True):
    """What a class is known by; `shipped` is the archive that its jobs are pinned to, if any."""

    type: str
    version: str
    needs: tuple[Need, ...]
    shipped: Shipped | None = None


class Class(Struct, eq=False):
    """A requirement class: its number in the scheduler, how many jobs have it, and its masks.

    `code` is the mask of what its archive asks; 0 if there is none.
    """

    id: int
    wanted: Wanted
    jobs: int = 0
    masks: tuple[int, ...] = ()
    code: int = 0


class Ability(Struct, frozen=True):
    """What the workers of a group can do: their task types, and the bits of their traits.

    They get none but `only` these task types, names or patterns, of which none stands for all.
    """

    types: Types
    mask: int
    only: tuple[str, ...] = ()

    def alternatives(self, class_: Class) -> list[int]:
        """Return which alternatives of a class a worker of this ability can ever run."""
        own = (class_.wanted.type, class_.wanted.version) in self.types
        if not own and not (class_.code and class_.code & self.mask == class_.code):
            return []
        if self.only and not fits(self.only, class_.wanted.type):
            return []
        return [at for at, mask in enumerate(class_.masks) if mask & self.mask == mask]


def can_have(about: About, wanted: Wanted) -> bool:
    """Whether a worker has the code of a class itself, or can get it shipped."""
    if any((one.name, one.version) == (wanted.type, wanted.version) for one in about.types):
        return True
    return wanted.shipped is not None and not lacking_for(about, wanted.shipped)
