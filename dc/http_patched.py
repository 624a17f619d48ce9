"""A file with other bytes in one place of it, as a body: as it is on the disk nobody gets it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Patched:
    """Such a file.

    Attributes:
        path: of the file.
        at: where the other bytes begin.
        data: these; they are in place of as many of the file.
    """

    path: Path
    at: int
    data: bytes

    def open(self) -> PatchedFile:
        """Return the open file; FileNotFoundError if it is not there, OSError as by opening it."""
        return PatchedFile(self.path.open("rb"), self)


class PatchedFile:
    """Such a file, open for reading by position.

    Args:
        file: as it is on the disk; closed with this.
        patch: what else is in it.

    Attributes:
        file: the same.
        name: its name.
    """

    __slots__ = ("_patch", "file", "name")

    def __init__(self, file: BinaryIO, patch: Patched) -> None:
        self.file, self.name = file, file.name
        self._patch = patch

    def fileno(self) -> int:
        """Return the descriptor of the file on the disk."""
        return self.file.fileno()

    def close(self) -> None:
        """Close it."""
        self.file.close()

    def next(self, start: int, size: int) -> tuple[bytes, int]:
        """Return the other bytes that are at a place, or how much comes from the disk before them.

        Args:
            start: the place.
            size: how many bytes are wanted at most.
        """
        at, data = self._patch.at, self._patch.data
        if start < at:
            return b"", min(size, at - start)
        return data[start - at : start - at + size], size
