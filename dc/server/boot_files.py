"""The files that computers boot from: a folder with what `make os-image` has made.

It may be made, or made anew, while the server runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

import trio

import dc
from dc import os_image
from dc.errors import StartError
from dc.http_patched import Patched

Arch: TypeAlias = Literal["amd64", "arm64"]

KERNEL: Final = "vmlinuz"
INITRD: Final = "initrd.img"
ISO: Final = "worker.iso"

IN_DATA: Final = "os-image"
"""The folder of the image in a server's data folder."""


class BootFiles:
    """Finds them.

    Args:
        folders: where they may be; the first one with a kernel counts.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._known: dict[Path, tuple[object, int]] = {}  # where configurations are in ISOs

    def has(self, name: str, arch: Arch = "amd64") -> bool:
        """Whether there is a file."""
        return self.path(name, arch) is not None

    def path(self, name: str, arch: Arch = "amd64") -> Path | None:
        """Return a file by its name, None if there is none."""
        for folder in self._folders:
            if (folder / KERNEL).is_file():
                found = (folder if arch == "amd64" else folder / arch) / name
                return found if found.is_file() else None
        return None

    async def stamped(self, path: Path, area: bytes) -> Patched:
        """Return an ISO with a configuration in it.

        Raises:
            StartError: there is no place for one in it, or it cannot be read.
        """
        return Patched(path, await trio.to_thread.run_sync(self._find, path), area)

    def _find(self, path: Path) -> int:
        try:
            with path.open("rb") as file:
                state = path.stat()
                mark = state.st_mtime_ns, state.st_size, state.st_ino
                known = self._known.get(path)
                if known is None or known[0] != mark:
                    known = self._known[path] = mark, os_image.find(path, file)
        except OSError as error:
            raise StartError(f"{path}: {error.strerror or error}") from None
        return known[1]


def folders_of(given: Path | None, data: Path) -> list[Path]:
    """Return where the image of a server may be.

    Args:
        given: the folder that was asked for, if one was.
        data: the server's data folder.

    Raises:
        StartError: there is no image in the folder that was asked for.
    """
    if given is None:
        return [data / IN_DATA, Path(dc.__file__).parent.parent / "os" / "out"]
    if not (given / KERNEL).is_file():
        raise StartError(
            f"--os-image {given}: there is no {KERNEL} in it; make the image by "
            "`make os-image` in the folder os of dc's source, and give its folder os/out"
        )
    return [given.absolute()]
