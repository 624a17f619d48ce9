"""Locks versions, and downloads what is locked: all that uses the network."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from imagemaker import apt, arch, download, host_tools, packages, wheels
from imagemaker import lock as _lock
from imagemaker.errors import ImageError
from imagemaker.lock import Package
from imagemaker.places import TREE, Build

PROJECT_LOCKS: Final = ("requirements.lock", "requirements-dev.lock")
"""Where versions of Python's packages are settled, for everybody who uses the project."""


SNAPSHOTS: Final = {"debian": "debian", "security": "debian-security"}
"""How https://snapshot.debian.org calls the archives."""


def lock(build: Build, mirrors: dict[str, str]) -> None:
    """Lock today's versions, for all kinds of computer.

    Args:
        build: where the locks are.
        mirrors: the address of each archive of Debian.

    Raises:
        ImageError: the archives cannot be reached, or lack something.
    """
    host_tools.check({**host_tools.LOCKING, **host_tools.FETCHING})
    build.locks.mkdir(parents=True, exist_ok=True)
    for kind in arch.ALL.values():
        root = apt.Apt(build.work / "apt" / kind.name, kind, mirrors)
        root.update()
        found = apt.resolve(root, kind)
        (build.locks / f"{kind.name}.json").write_text(_lock.write(found), "utf-8")
        target = build.locks / f"wheels-{kind.name}.txt"
        _lock_wheels(packages.WHEELS, kind.wheels, target, build.work / "wheels.new")
    _lock_wheels(
        packages.BUILD_WHEELS, wheels.ANY, build.build_wheel_lock, build.work / "wheels.new"
    )


def _lock_wheels(
    names: tuple[str, ...], platforms: tuple[str, ...], target: Path, folder: Path
) -> None:
    """Lock the one wheel of each package that fits."""
    texts = [(TREE / name).read_text("utf-8") for name in PROJECT_LOCKS]
    text = wheels.narrowed(texts, names)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "all.txt").write_text(text, "utf-8")
    wheels.download(folder / "all.txt", platforms, folder)
    there = {download.sha256(path) for path in folder.glob("*.whl")}
    chosen = {
        name: (version, sorted(there.intersection(hashes)))
        for name, (version, hashes) in wheels.entries(text).items()
    }
    target.write_text(wheels.written(chosen), "utf-8")
    shutil.rmtree(folder)


def fetch(build: Build, mirrors: dict[str, str], snapshots: str) -> None:
    """Download what is locked and not there yet.

    Args:
        build: what is built.
        mirrors: the address of each archive of Debian.
        snapshots: the address of old states of them, for what they no longer have; may be empty.

    Raises:
        ImageError: something cannot be had; the text says what to do.
    """
    host_tools.check(host_tools.FETCHING)
    wanted = _wanted(build)
    if size := download.missing_bytes(wanted, build.debs):
        print(f"downloading {size:,} bytes of Debian's packages to {build.debs}", flush=True)
    states = _lock.load(build.lock).states.items() if snapshots else ()
    old = {name: f"{snapshots}/{SNAPSHOTS[name]}/{state}" for name, state in states}
    download.fetch(wanted, mirrors, build.debs, old)
    _fetch_wheels(build.wheel_lock, build.arch.wheels, build.wheels)
    _fetch_wheels(build.build_wheel_lock, wheels.ANY, build.build_wheels)


def _wanted(build: Build) -> list[Package]:
    """Return what is to be downloaded: also the tools, if they are of another kind of computer."""
    wanted = list(_lock.load(build.lock).packages)
    if not build.firmware:
        wanted = _lock.without_role(wanted, packages.FIRMWARE)
    host = arch.host()
    if host != build.arch:
        wanted += _lock.load(build.locks / f"{host.name}.json").of(packages.TOOLS)
    return wanted


def _fetch_wheels(locked: Path, platforms: tuple[str, ...], folder: Path) -> None:
    try:
        wheels.files(locked, folder)
    except ImageError:
        wheels.download(locked, platforms, folder)
        wheels.files(locked, folder)
