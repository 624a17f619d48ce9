"""Python's packages: locked by version and checksum, downloaded by pip, unpacked as zip files."""

from __future__ import annotations

import re
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from imagemaker.download import sha256
from imagemaker.errors import ImageError
from imagemaker.running import run

HEAD: Final = "# Made by `make os-lock`: what of Python's packages is in the boot image.\n"

ANY: Final = ("any",)
"""The platforms of packages that have nothing compiled in them."""

NOT_HAD: Final = (
    "Python's packages could not be downloaded. Is the network there? Run it again, it goes on "
    "with what is missing; if a version is no longer there, `make lock` and `make os-lock` take "
    "others"
)


def entries(text: str) -> dict[str, tuple[str, list[str]]]:
    """Return the version and the checksums of each package that a lock of pip names.

    Args:
        text: as pip reads it: `name==version ; marker`, then `--hash=sha256:...`.
    """
    found = {}
    for entry in re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE):
        head = re.match(r"([\w.-]+)==([\w.+!-]+)", entry)
        if head:
            hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})", entry)
            found[re.sub(r"[-_.]+", "-", head[1]).lower()] = (head[2], hashes)
    return found


def narrowed(texts: Sequence[str], names: Sequence[str]) -> str:
    """Return a lock of these packages alone, with all checksums that the project's locks have.

    Args:
        texts: of the project's locks; the first that has a package is right.
        names: of the packages.

    Raises:
        ImageError: no lock has one of them.
    """
    locks = [entries(text) for text in texts]
    chosen = {}
    for name in names:
        found = next((one[name] for one in locks if name in one), None)
        if found is None:
            raise ImageError(f"{name} is not in the project's locks: `make lock`, then again")
        chosen[name] = found
    return written(chosen)


def written(chosen: dict[str, tuple[str, list[str]]]) -> str:
    """Return a lock's text, as `entries` reads it."""
    lines = [HEAD]
    for name, (version, hashes) in sorted(chosen.items()):
        words = [f"{name}=={version}", *(f"    --hash=sha256:{one}" for one in hashes)]
        lines.append(" \\\n".join(words) + "\n")
    return "".join(lines)


def download(lock: Path, platforms: Sequence[str], folder: Path) -> None:
    """Download the packages of a lock, with nothing that they depend on.

    Args:
        lock: the file.
        platforms: whose wheels will do.
        folder: where they go.

    Raises:
        ImageError: pip is missing or failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    where = [word for one in platforms for word in ("--platform", one)]
    compiled = ("cp", "--abi=cp311", "--abi=abi3", "--abi=none")
    kind = ("py", "--abi=none") if platforms == ANY else compiled
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
        *("--disable-pip-version-check", "--require-hashes", "--only-binary=:all:"),
        *("--python-version=3.11", "--implementation", *kind, *where),
        *("--dest", folder, "--requirement", lock),
    ]
    try:
        run(command)
    except ImageError as error:
        raise ImageError(f"{error}\n{NOT_HAD}") from None


def files(lock: Path, folder: Path) -> list[Path]:
    """Return the files of a lock's packages, each checked.

    Raises:
        ImageError: some are not there.
    """
    try:
        text = lock.read_text("utf-8")
    except OSError as error:
        raise ImageError(f"{lock}: {error.strerror}; `make os-lock` makes it") from None
    wanted = {one: name for name, (_, hashes) in entries(text).items() for one in hashes}
    there = {sha256(path): path for path in sorted(folder.glob("*.whl"))}
    if missing := sorted(name for one, name in wanted.items() if one not in there):
        raise ImageError(f"{', '.join(missing)} were not downloaded: `make os-fetch`")
    return sorted(there[one] for one in wanted)


def unpack(wheel: Path, folder: Path, is_wanted: Callable[[PurePosixPath], bool]) -> None:
    """Unpack a package.

    Args:
        wheel: the file.
        folder: where Python will find it.
        is_wanted: says of each path in it whether it is unpacked.

    Raises:
        ImageError: it is not a wheel.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                path = PurePosixPath(name)
                if path.is_absolute() or ".." in path.parts:
                    raise ImageError(f"{wheel} has a file with an odd path: {name}")
                if is_wanted(path):
                    archive.extract(name, folder)
    except zipfile.BadZipFile:
        raise ImageError(f"{wheel} is damaged: remove it, and `make os-fetch`") from None
