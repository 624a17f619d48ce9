"""Large results and checkpoints, written to files by the executor that made them."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

from dc.pipe import InFile


def into_file(path: Path, data: bytes) -> InFile:
    """Write bytes to a file; nothing stays of it when that fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    hashing = threading.Thread(target=digest.update, args=(data,))
    try:
        hashing.start()
    except RuntimeError:  # no further thread may be started here
        digest.update(data)
    try:
        path.write_bytes(data)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        if hashing.ident is not None:
            hashing.join()
    return InFile(path=str(path), size=len(data), digest=digest.digest())
