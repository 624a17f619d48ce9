"""The lock of Debian's packages: what exactly is downloaded, so that two builds are the same."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any, Final

from imagemaker.errors import ImageError

ARCHIVES: Final = ("debian", "security")
"""Debian's archives: of releases, and of what was corrected since."""

STATE_FORM: Final = "%Y%m%dT%H%M%SZ"
"""How https://snapshot.debian.org names a state of an archive, by its time in UTC."""

STATE_HOURS: Final = 12
"""How much later than its date a state is looked for: snapshots are taken each six hours."""


@dataclass(frozen=True)
class Package:
    """One locked package.

    Attributes:
        name: without architecture.
        version: Debian's.
        archive: one of ARCHIVES.
        path: of the file below the archive's root.
        size: in bytes.
        sha256: of the file, in hexadecimal digits.
        roles: what it is for (imagemaker/packages.py).
    """

    name: str
    version: str
    archive: str
    path: str
    size: int
    sha256: str
    roles: tuple[str, ...]

    @property
    def file(self) -> str:
        """The name under which it is kept."""
        return PurePosixPath(self.path).name


@dataclass(frozen=True)
class Lock:
    """All packages for one kind of computer, sorted by name.

    `states` names a state of each archive (STATE_FORM) that has them, for the time when it has
    newer ones.
    """

    arch: str
    states: dict[str, str]
    packages: tuple[Package, ...]

    def of(self, role: str) -> list[Package]:
        """Return the packages with a role."""
        return [one for one in self.packages if role in one.roles]

    def key(self, *role_names: str) -> str:
        """Return a short name of what these roles consist of, for caches."""
        names = sorted(one.sha256 for role in role_names for one in self.of(role))
        return hashlib.sha256("".join(names).encode()).hexdigest()[:16]


def state_of(date: datetime) -> str:
    """Return the name of a state that has what an archive of this date has."""
    return (date.astimezone(UTC) + timedelta(hours=STATE_HOURS)).strftime(STATE_FORM)


def write(lock: Lock) -> str:
    """Return the lock as the text of its file."""
    packages = [asdict(one) for one in sorted(lock.packages, key=lambda one: one.name)]
    said = {"arch": lock.arch, "states": lock.states, "packages": packages}
    return json.dumps(said, indent=1) + "\n"


def read(text: str, name: str) -> Lock:
    """Return what a lock's file says.

    Args:
        text: the file's.
        name: of the file, for people.

    Raises:
        ImageError: it is not a lock.
    """
    try:
        said = json.loads(text)
        packages = tuple(_package(one) for one in said["packages"])
        states = {name: _state(said["states"][name]) for name in ARCHIVES}
        return Lock(str(said["arch"]), states, packages)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ImageError(f"{name} is not a lock ({error}): `make os-lock` makes it anew") from None


def load(path: Path) -> Lock:
    """Read a lock from its file.

    Raises:
        ImageError: there is none, or it is damaged.
    """
    try:
        return read(path.read_text("utf-8"), str(path))
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror}; `make os-lock` makes it") from None


def _state(name: str) -> str:
    datetime.strptime(name, STATE_FORM).replace(tzinfo=UTC)  # it is one
    return name


def _package(said: dict[str, Any]) -> Package:
    package = Package(
        name=str(said["name"]),
        version=str(said["version"]),
        archive=said["archive"],
        path=said["path"],
        size=int(said["size"]),
        sha256=said["sha256"],
        roles=tuple(str(one) for one in said["roles"]),
    )
    if package.archive not in ARCHIVES:
        raise ValueError(f"{package.name} is of no known archive")
    if not re.fullmatch(r"[0-9a-f]{64}", package.sha256):
        raise ValueError(f"{package.name} has no checksum")
    parts = PurePosixPath(package.path).parts
    if not parts or parts[0] != "pool" or ".." in parts:
        raise ValueError(f"{package.name} has an odd path")
    return package


def without_role(packages: Sequence[Package], role: str) -> list[Package]:
    """Return the packages that have a role other than this one."""
    return [one for one in packages if set(one.roles) - {role}]
