"""What the system tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from tests.system.processes import Machine, Server


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Where a test starts its programs; all of them are ended, whatever happens."""
    with Machine(tmp_path) as machine:
        yield machine


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server with one worker."""
    with Machine(tmp_path_factory.mktemp("server")) as machine:

        async def start() -> Server:
            server = await machine.server()
            await machine.worker(server, "one")
            return server

        yield trio.run(start)
