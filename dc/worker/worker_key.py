"""The key pair of a worker: what it proves who it is by, on its disk.

    worker.key    the private key as 64 hexadecimal digits, for this user alone

It is on the disk before anything is asked of a server, so whatever a server was told of it stays
true over any end of the process.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from dc import worker_proof
from dc.worker_proof import Challenge, Proof

log: Final = logging.getLogger("dc.worker")

NAME: Final = "worker.key"

_KEY: Final = re.compile(r"[0-9a-f]{64}")


class WorkerKey:
    """The key pair of one worker.

    Args:
        private: its private key, 32 bytes.

    Attributes:
        public: 64 hexadecimal digits.
    """

    def __init__(self, private: bytes) -> None:
        self._private = private
        self.public = worker_proof.public_of(private)

    def prove(self, challenge: Challenge) -> Proof:
        """Return the answer to a server's challenge."""
        return worker_proof.prove(self._private, challenge)


def open_key(folder: Path) -> WorkerKey:
    """Return the key pair in a worker's folder; make one if there is none.

    Raises:
        OSError: it cannot be read or written.
    """
    path = folder / NAME
    with suppress(FileNotFoundError):
        text = path.read_text("ascii", errors="replace").strip()
        if _KEY.fullmatch(text):
            return WorkerKey(bytes.fromhex(text))
        log.warning("%s is damaged: this worker is a new one from now on", path)
    private = worker_proof.new_private()
    write_private(path, f"{private.hex()}\n")
    return WorkerKey(private)


def write_private(path: Path, text: str) -> None:
    """Write a small file for this user alone; it is there wholly or not at all, and stays.

    Raises:
        OSError: it cannot be written.
    """
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)  # whatever rights it had
    number = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    if sys.platform != "win32":  # where folders cannot be opened
        _settle(path.parent)


def _settle(folder: Path) -> None:
    """See to it that names in a folder are on the disk."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
