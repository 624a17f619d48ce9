"""The inputs of a job: files that all its tasks may read, in the computer's cache."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from dc.large import as_view


class Input:
    """One input of a job. Nothing is read before it is asked for.

    Args:
        path: the file.
        size: of it in bytes.

    Attributes:
        path: the file. It is the cache's: read it, and leave it as it is.
        size: of it in bytes.
    """

    __slots__ = ("path", "size")

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size

    def __repr__(self) -> str:
        return f"<Input {self.path} of {self.size} bytes>"

    def read(self) -> bytes:
        """Return all of it, in memory. Raises OSError if it cannot be read."""
        return self.path.read_bytes()

    def map(self) -> memoryview:
        """Return a view of the file: only what is looked at is read. Raises OSError."""
        return as_view(self.path)

    def open(self) -> BinaryIO:
        """Return the file, open to be read. Raises OSError."""
        return self.path.open("rb")
