"""Which workers an archive can be shipped to: what it asks of them, each thing for itself.

A worker that has code of its own for a task type runs that. Any other needs the archive that a job
is pinned to: it must take plugins at all, trust who has signed it, have a fitting Python on a
fitting platform, and install dependencies if there are any to be installed there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from msgspec import Struct
from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion

from dc.messages_parts import Plugin
from dc.messages_worker import About
from dc.plugin_manifest import Manifest

Kind: TypeAlias = Literal["", "takes", "trusts", "python", "platform", "installs"]
"""What an archive may ask of a worker; empty for what is no such thing."""

LABELS: Final = ("python", "os", "arch")
"""Labels that say where code can run."""

NAMES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType({"windows": ("win32", "nt")})
"""What markers call a system, and its kind, where that is not its label and `posix`."""


class Shipped(Struct, frozen=True):
    """What is to be known of an archive to ship it.

    Attributes:
        plugin: as a worker is told it.
        python: which versions of Python will do; empty for any.
        platforms: on which it runs; empty for any.
        dependencies: what is to be installed for it.
    """

    plugin: Plugin
    python: str = ""
    platforms: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()

    def asks(self) -> Iterator[tuple[Kind, str]]:
        """Yield what it asks of a worker: what kind of thing, and what of it."""
        yield "takes", ""
        yield "trusts", self.plugin.signer.hex()
        if self.python:
            yield "python", self.python
        if self.platforms:
            yield "platform", "\n".join(self.platforms)
        if self.dependencies:
            yield "installs", "\n".join(self.dependencies)


class Taking(Struct, frozen=True):
    """What a worker says of plugins: whether it takes any, by whom, and whether it installs."""

    takes: bool = False
    trusts: frozenset[bytes] = frozenset()
    installs: bool = False


def shipped_of(plugin: Plugin, manifest: Manifest) -> Shipped:
    """Return what is to be known of an archive to ship it."""
    needs = tuple(manifest.platforms), tuple(manifest.dependencies)
    return Shipped(plugin, manifest.python, *needs)


def taking_of(about: About) -> Taking:
    """Return what a worker says of plugins."""
    return Taking(about.takes_plugins, frozenset(about.trusts), about.installs)


def meets(kind: Kind, what: str, taking: Taking, labels: Mapping[str, str]) -> bool:
    """Whether a worker is what an archive asks of it, in one thing; see `Shipped.asks`."""
    match kind:
        case "takes":
            return taking.takes
        case "trusts":
            return not taking.trusts or bytes.fromhex(what) in taking.trusts
        case "python":
            return fits_python(what, labels.get("python", ""))
        case "platform":
            return any(is_platform(one, labels) for one in what.split("\n"))
        case "installs":
            return taking.installs or not to_install(what.split("\n"), labels)
    return False


def fits_python(specifier: str, version: str) -> bool:
    """Whether a version of Python is among those of a specifier, such as `>=3.11`."""
    try:
        return SpecifierSet(specifier).contains(version, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return False


def is_platform(platform: str, labels: Mapping[str, str]) -> bool:
    """Whether a worker is on a platform, such as `linux` or `linux-x86_64`."""
    os, arch = labels.get("os", ""), labels.get("arch", "")
    return platform.lower() in (os, f"{os}-{arch}")


def to_install(dependencies: list[str], labels: Mapping[str, str]) -> list[str]:
    """Return the dependencies whose markers hold on a worker."""
    return [one for one in dependencies if _holds(one, labels)]


def _holds(dependency: str, labels: Mapping[str, str]) -> bool:
    """Whether a dependency is asked for on a worker; what cannot be told is."""
    try:
        marker = Requirement(dependency).marker
        known = all(label in labels for label in LABELS)
        return marker is None or not known or _evaluate(marker, labels)
    except (InvalidRequirement, InvalidVersion, UndefinedComparison, UndefinedEnvironmentName):
        return True


def _evaluate(marker: Marker, labels: Mapping[str, str]) -> bool:
    os, python = labels["os"], labels["python"]
    platform, kind = NAMES.get(os, (os, "posix"))
    environment = {
        "extra": "",
        "os_name": kind,
        "sys_platform": platform,
        "platform_system": os.capitalize(),
        "platform_machine": labels["arch"],
        "python_version": ".".join(python.split(".")[:2]),
        "python_full_version": python,
    }
    return marker.evaluate(environment)
