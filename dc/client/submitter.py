"""Who submits jobs from here, as long as nobody says otherwise."""

from __future__ import annotations

import getpass
import socket

from dc import limits


def submitter_here() -> str:
    """Return USER@HOST, or as much of it as the system tells."""
    try:
        user = getpass.getuser()
    except (ImportError, KeyError, OSError):  # a user that the system has no name for
        user = ""
    host = socket.gethostname()
    return f"{user}@{host}"[: limits.TEXT_CHARS] if user else host[: limits.TEXT_CHARS]
