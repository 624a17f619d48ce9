"""Environment variables by which an agent tells its executors where things are."""

from __future__ import annotations

from typing import Final

SERVER_VARIABLE: Final = "DC_WORKER_SERVER"
"""Where the agent's server is, for its executors."""

CACHE_VARIABLE: Final = "DC_WORKER_CACHE"
"""Where its cache is, behind its size in bytes and a colon."""
