"""Asks apt which versions there are: in a private root, so that the system's state is not touched.

Nothing is downloaded by it but the archives' signed lists; files are fetched by their checksums
(imagemaker/download.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

from imagemaker import packages
from imagemaker.arch import Arch
from imagemaker.control import depended_on, stanzas
from imagemaker.errors import ImageError
from imagemaker.lock import Lock, Package, state_of
from imagemaker.running import run

KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SUITE: Final = "bookworm"
SUITES: Final = (
    ("debian", SUITE),
    ("debian", f"{SUITE}-updates"),
    ("security", f"{SUITE}-security"),
)
"""The releases that are looked at, each with its archive."""
COMPONENTS: Final = "main non-free-firmware"


class Apt:
    """A private root of apt.

    Args:
        folder: where it is.
        arch: the kind of computer whose packages are asked for.
        mirrors: the address of each archive of imagemaker.lock.ARCHIVES.
    """

    def __init__(self, folder: Path, arch: Arch, mirrors: dict[str, str]) -> None:
        self._folder = folder.resolve()
        self._arch = arch
        self._mirrors = mirrors

    def update(self) -> None:
        """Fetch the lists of all packages, and check their signatures.

        Raises:
            ImageError: the mirrors cannot be reached, or the keyring is missing.
        """
        if not KEYRING.is_file():
            raise ImageError(f"{KEYRING} is missing: apt install debian-archive-keyring")
        for name in ("lists/partial", "cache/archives/partial", "state", "none"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        (self._folder / "status").write_text("")
        (self._folder / "apt.conf").write_text(self._settings())
        (self._folder / "sources.list").write_text(self._sources())
        self._run("apt-get", "-qq", "update", "--error-on=any")

    def show(self, names: Iterable[str]) -> dict[str, dict[str, str]]:
        """Return the fields of each package's newest version.

        Raises:
            ImageError: there is no such package.
        """
        wanted = sorted(set(names))
        said = self._run("apt-cache", "show", "--no-all-versions", *wanted).decode()
        found = {one["Package"]: one for one in stanzas(said)}
        if missing := [name for name in wanted if name not in found]:
            raise ImageError(f"Debian {SUITE} has no {', '.join(missing)} for {self._arch.name}")
        return found

    def states(self) -> dict[str, str]:
        """Return of each archive which state these lists are of, see imagemaker.lock.Lock."""
        lists = self._folder / "lists"
        dates: dict[str, list[datetime]] = {}
        for archive, suite in SUITES:
            (path,) = lists.glob(f"*_dists_{suite}_InRelease")
            dates.setdefault(archive, []).append(date_of(path.read_text("utf-8")))
        return {archive: state_of(max(found)) for archive, found in dates.items()}

    def _run(self, program: str, *words: str) -> bytes:
        return run([program, *words], environment={"APT_CONFIG": str(self._folder / "apt.conf")})

    def _settings(self) -> str:
        root = self._folder
        values = {
            "APT::Architecture": self._arch.name,
            "APT::Architectures": self._arch.name,
            "APT::Sandbox::User": "",
            "Acquire::Languages": "none",
            "Dir::State": f"{root}/state",
            "Dir::State::lists": f"{root}/lists",
            "Dir::State::status": f"{root}/status",
            "Dir::Cache": f"{root}/cache",
            "Dir::Etc::sourcelist": f"{root}/sources.list",
            "Dir::Etc::sourceparts": f"{root}/none",
            "Dir::Etc::preferences": f"{root}/none/preferences",
            "Dir::Etc::preferencesparts": f"{root}/none",
        }
        return "".join(f'{name} "{value}";\n' for name, value in values.items())

    def _sources(self) -> str:
        return "".join(
            f"deb [signed-by={KEYRING} arch={self._arch.name}] "
            f"{self._mirrors[archive]} {suite} {COMPONENTS}\n"
            for archive, suite in SUITES
        )


def date_of(release: str) -> datetime:
    """Return when a release's list was signed, as the list says.

    Raises:
        ImageError: it does not.
    """
    found = re.search(r"^Date: (.+)$", release, re.MULTILINE)
    if not found:
        raise ImageError("a list of Debian's archives has no date")
    return parsedate_to_datetime(found[1])


def resolve(apt: Apt, arch: Arch) -> Lock:
    """Return the newest versions of all packages that the image is made of.

    Raises:
        ImageError: one of them is missing.
    """
    meta = packages.kernel_package(arch)
    depends = depended_on(apt.show([meta])[meta].get("Depends", ""))
    kernels = [name for name in depends if name.startswith("linux-image-")]
    if len(kernels) != 1:
        raise ImageError(f"{meta} depends on {len(kernels)} kernels, not on one")
    by_role = {**packages.roles(arch), packages.KERNEL: tuple(kernels)}
    return Lock(arch.name, apt.states(), tuple(_locked(apt, by_role)))


def _locked(apt: Apt, by_role: Mapping[str, Sequence[str]]) -> list[Package]:
    names = sorted({name for one in by_role.values() for name in one})
    shown = apt.show(names)
    return [
        package(shown[name], [role for role, has in sorted(by_role.items()) if name in has])
        for name in names
    ]


def package(fields: dict[str, str], roles: Sequence[str]) -> Package:
    """Return a package as the lock has it.

    Args:
        fields: as apt shows them.
        roles: what it is for.
    """
    path = fields["Filename"]
    return Package(
        name=fields["Package"],
        version=fields["Version"],
        # The archive of corrections keeps its files apart from the release's.
        archive="security" if path.startswith("pool/updates/") else "debian",
        path=path,
        size=int(fields["Size"]),
        sha256=fields["SHA256"],
        roles=tuple(roles),
    )
