"""Which dependencies of a plugin travel with it, and which are to be installed where it runs.

What is installed on this computer, is written in Python alone, and needs nothing else that is not,
travels. What dc itself needs is wherever dc is. All else is told the worker, which installs it.

A dependency that an environment marker asks for only elsewhere (on another system, with another
version of Python) is told with its marker, unless it holds nowhere that dc runs.
"""

from __future__ import annotations

import importlib.metadata
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path
from typing import Final

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from dc.errors import PluginError
from dc.plugin_origins import Files, code_of, editable, is_compiled

DC: Final = "distributed-computing"

PYTHONS: Final = tuple(f"3.{minor}" for minor in range(11, 30))
"""Versions of Python that a worker may have."""

SYSTEMS: Final = (
    {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
    {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},
    {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"},
)
"""Systems that a worker may have, as markers see them."""

MADE: Final = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"})
"""Files beside a package's metadata that tell only how it was installed."""


@dataclass
class Dependencies:
    """What becomes of a plugin's dependencies.

    Attributes:
        carried: what travels, such as `attrs 23.1.0`.
        files: the files of that, by name.
        declared: what is to be installed, as PEP 508 has it.
    """

    carried: list[str] = field(default_factory=list)
    files: Files = field(default_factory=dict)
    declared: list[str] = field(default_factory=list)


def resolve(requires: Sequence[str], *, carry: bool = True) -> Dependencies:
    """Return what becomes of dependencies.

    Args:
        requires: as PEP 508 has them.
        carry: whether any may travel.

    Raises:
        PluginError: one of them cannot be read.
    """
    ours = {canonicalize_name(DC), *_closure_of_dc()}
    found: dict[str, Distribution] = {}
    declared: dict[str, None] = {}
    for text in requires:
        requirement = _read(text)
        name = canonicalize_name(requirement.name)
        if name == canonicalize_name(DC) or not _holds_anywhere(requirement.marker):
            continue
        here = _holds_here(requirement)
        if here and name in ours and _fits(requirement, _package(requirement.name)):
            continue
        taken = _Taken(ours) if carry and here else None
        if taken is not None and taken.take(requirement):
            found.update(taken.packages)
            declared.update(dict.fromkeys(taken.elsewhere))
        else:
            declared[str(requirement)] = None
    result = Dependencies(declared=sorted(declared))
    for carried, package in sorted(found.items()):
        result.carried.append(f"{carried} {package.version}")
        result.files.update(_travelling(package))
    return result


class _Taken:
    """What must travel for one dependency to: it, and all that it needs in turn."""

    def __init__(self, ours: set[str]) -> None:
        self.packages: dict[str, Distribution] = {}
        self.elsewhere: list[str] = []
        self._ours = ours
        self._extras: set[tuple[str, str]] = set()

    def take(self, requirement: Requirement) -> bool:
        """Take a dependency and its own; return False if one of them cannot travel."""
        name = canonicalize_name(requirement.name)
        package = _package(requirement.name)
        if package is None or requirement.url or not _fits(requirement, package):
            return False
        if name in self._ours:
            return True
        if not is_pure(package):
            return False
        self.packages[name] = package
        wanted = {(name, extra) for extra in ("", *requirement.extras)} - self._extras
        self._extras |= wanted
        return all(self._take_own(package, extra) for _, extra in sorted(wanted))

    def _take_own(self, package: Distribution, extra: str) -> bool:
        for text in package.requires or ():
            own = _read(text)
            if _holds_here(own, extra):
                if not self.take(own):
                    return False
            elif not extra and _holds_anywhere(own.marker):
                self.elsewhere.append(text)
        return True


def is_pure(package: Distribution) -> bool:
    """Whether an installed package is Python alone, and can be used from any folder."""
    wheel = package.read_text("WHEEL") or ""
    if "root-is-purelib: true" not in wheel.lower() or editable(package) is not None:
        return False
    names = [file.name for file in package.files or ()]
    return bool(names) and not any(is_compiled(one) or one.endswith(".pth") for one in names)


def _travelling(package: Distribution) -> Files:
    """Return the files of a package, with the metadata that it may look itself up in."""
    found = code_of(package)
    for file in package.files or ():
        if file.parts[0].endswith(".dist-info") and file.name not in MADE:
            found[file.as_posix()] = Path(str(package.locate_file(file)))
    return found


def _read(text: str) -> Requirement:
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise PluginError(f"its dependency {text!r} cannot be read: {error}") from None


def _package(name: str) -> Distribution | None:
    try:
        return importlib.metadata.distribution(name)
    except PackageNotFoundError:
        return None


def _fits(requirement: Requirement, package: Distribution | None) -> bool:
    return package is not None and requirement.specifier.contains(package.version, prereleases=True)


def _holds_here(requirement: Requirement, extra: str = "") -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _holds_anywhere(marker: Marker | None) -> bool:
    """Whether a marker holds somewhere that dc may run, without any extra."""
    if marker is None:
        return True
    return any(marker.evaluate(one) for one in _environments())


def _environments() -> Iterator[dict[str, str]]:
    for python, system in itertools.product(PYTHONS, SYSTEMS):
        versions = {"python_version": python, "python_full_version": f"{python}.0"}
        yield {**system, **versions, "extra": ""}


def _closure_of_dc() -> set[str]:
    """Return the names of what dc needs, and what that needs in turn."""
    found: set[str] = set()
    todo: list[str] = [DC]
    while todo:
        package = _package(todo.pop())
        for text in (package.requires or ()) if package is not None else ():
            own = _read(text)
            name = canonicalize_name(own.name)
            if name not in found and _holds_here(own):
                found.add(name)
                todo.append(name)
    return found
