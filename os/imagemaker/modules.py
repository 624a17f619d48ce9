"""Which modules belong together: what depmod says of them, followed to its end.

Nothing here reads a disk: the texts are those of modules.dep and modules.softdep.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath


def plain(name: str) -> str:
    """Return a module's name as the kernel has it: of a file, or with dashes."""
    return re.sub(r"\.ko(\.(xz|zst|gz))?$", "", PurePosixPath(name).name).replace("-", "_")


def dependencies(text: str) -> dict[str, tuple[str, list[str]]]:
    """Return each module's path and the names of those it depends on.

    Args:
        text: of modules.dep: `path: path path ...`.
    """
    found = {}
    for line in text.splitlines():
        path, colon, rest = line.partition(":")
        if colon and path.strip():
            found[plain(path.strip())] = (path.strip(), [plain(one) for one in rest.split()])
    return found


def soft_dependencies(text: str) -> dict[str, list[str]]:
    """Return the modules that each one works better with.

    Args:
        text: of modules.softdep: `softdep name pre: a b post: c`.
    """
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "softdep":
            others = [plain(word) for word in words[2:] if not word.endswith(":")]
            found.setdefault(plain(words[1]), []).extend(others)
    return found


def closure(
    roots: Iterable[str],
    needs: Mapping[str, tuple[str, Sequence[str]]],
    soft: Mapping[str, Sequence[str]],
    forbidden: Iterable[str] = (),
) -> list[str]:
    """Return the paths of these modules and of all that they need, sorted.

    Args:
        roots: names; those that the kernel does not have are left out.
        needs: of each module, its path and the names it depends on.
        soft: likewise what it works better with.
        forbidden: names that may not be among them.

    Raises:
        ValueError: a module needs one that is forbidden; the text says which.
    """
    refused = {plain(one) for one in forbidden}
    found: set[str] = set()
    rest = [plain(one) for one in roots]
    while rest:
        name = rest.pop()
        if name in found or name not in needs:
            continue
        if name in refused:
            raise ValueError(f"the module {name} may not be in the image, but would be")
        found.add(name)
        rest += needs[name][1]
        rest += (one for one in soft.get(name, ()) if plain(one) not in refused)
    return sorted(needs[name][0] for name in found)
