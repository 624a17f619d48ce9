"""The server's shell, where it has a will of its own: what it does about a mistake in dc."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing

from dc.blobs import BlobFolder
from dc.errors import InternalError
from dc.plugins import Plugins
from dc.server.app import ServerApp, Settings
from dc.server.events import Opened, Tick
from dc.server.types import PluginTypes
from dc.store_memory import MemoryStore


class Mistake(Exception):
    """What no code raises on purpose."""


async def test_a_mistake_in_the_reactor_stops_the_server(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings("dc test", "http://127.0.0.1:1", tmp_path, 0.0)
    app = ServerApp(MemoryStore(), BlobFolder(tmp_path), PluginTypes(Plugins()), settings)
    await app.recover()

    def handle(*_: object) -> None:
        raise Mistake

    with pytest.RaisesGroup(InternalError):
        async with trio.open_nursery() as nursery:
            await nursery.start(app.run)
            monkeypatch.setattr(app.reactor, "handle", handle)
            assert not app.feed(Opened(1, ""))
            monkeypatch.undo()
            assert not app.feed(Tick()), "nothing is done any more"
