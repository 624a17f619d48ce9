"""Who was let in before a restart is let in after it, and nobody else; on a real disk."""

from __future__ import annotations

from pathlib import Path

import trio

from dc import invites, tokens
from dc.blobs import BlobFolder
from dc.plugins import Plugins
from dc.records_access import AuditFilter
from dc.roles import NOBODY
from dc.server.app import ServerApp, Settings
from dc.server.commands_access import (
    JoinWorker,
    KeepGroup,
    MakeInvite,
    MakeToken,
    RevokeToken,
    SignedIn,
    SignIn,
)
from dc.server.types import PluginTypes
from dc.store_sqlite import SqliteStore, open_store
from dc.view_access import Join, Joined, MadeToken, NewGroup, NewInvite

KEY = "ab" * 32
SECRET = bytes(range(invites.SECRET_BYTES))
WALL = 1e9


def random(seed: int) -> bytes:
    return bytes([seed]) * tokens.RANDOM_BYTES


async def start(store: SqliteStore, folder: Path) -> ServerApp:
    settings = Settings("dc test", "http://127.0.0.1:1", folder, 0.0)
    app = ServerApp(store, BlobFolder(folder), PluginTypes(Plugins()), settings, lambda: WALL)
    await app.recover()
    return app


async def test_who_is_let_in_outlives_the_server(tmp_path: Path) -> None:
    store = await open_store(tmp_path)
    app = await start(store, tmp_path)
    async with trio.open_nursery() as nursery:
        await nursery.start(app.run)
        kept, gone = [await app.ask(MakeToken(["view"], "ann", None, random(n))) for n in (1, 2)]
        assert isinstance(kept, MadeToken)
        assert isinstance(gone, MadeToken)
        sessions = [
            await app.ask(SignIn(one.secret, random(n))) for n, one in ((3, kept), (4, gone))
        ]
        await app.ask(RevokeToken(gone.token.id))
        await app.ask(KeepGroup("lab", NewGroup(["render.*"])))
        await app.ask(MakeInvite(NewInvite(group="lab"), SECRET))
        joined = await app.ask(JoinWorker(Join(SECRET.hex(), KEY, "w")), NOBODY, "10.0.0.1")
        app.stop()
    await store.aclose()

    store = await open_store(tmp_path)
    app = await start(store, tmp_path)
    access = app.reactor.board.access
    access.validate()
    assert access.who_has(kept.secret, WALL) is not None
    assert access.who_has(gone.secret, WALL) is None
    found = [access.who_has(one.secret, WALL) for one in sessions if isinstance(one, SignedIn)]
    assert [one is not None for one in found] == [True, False]
    worker = access.worker(KEY)
    assert worker is not None
    assert worker.group == "lab"
    assert access.types_of(KEY) == ("render.*",)
    async with trio.open_nursery() as nursery:
        await nursery.start(app.run)
        again = await app.ask(JoinWorker(Join(SECRET.hex(), KEY, "w")), NOBODY, "10.0.0.1")
        await app.ask(MakeToken(["view"], "bob", None, random(5)))
        app.stop()
    assert isinstance(joined, Joined)
    assert again == joined
    entries = await store.audit(AuditFilter(), 2**62, 100)
    assert [row.entry for row in entries] == list(range(len(entries), 0, -1))
    assert entries[0].kind == "token.created"
    await store.aclose()
