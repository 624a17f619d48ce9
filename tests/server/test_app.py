"""The server's shell, where it has a will of its own: what it does about a mistake in dc."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing

from dc import limits, limits_store
from dc.blobs import BlobFolder
from dc.errors import InternalError, StoreFull
from dc.messages import PROTOCOL, Hello
from dc.messages_client import Options, Submit
from dc.messages_parts import Blob
from dc.messages_worker import About, Done
from dc.plugins import Plugins
from dc.records import JobCancelled, JobNumbers, NewJob, Record
from dc.records_access import AccessRecord
from dc.records_shown import ShownRecord
from dc.server.app import ServerApp, Settings
from dc.server.claims import claim
from dc.server.commands import CancelJob
from dc.server.events import Asked, Opened, Received, Tick
from dc.server.types import PluginTypes
from dc.store_memory import MemoryStore

BESIDE = ShownRecord | AccessRecord
"""Records of what is shown, and of who asked for what: they come beside those that do something."""


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
            app.feed(Opened(1, ""))
            monkeypatch.undo()
            ticked = app.reactor._unheard._ticked
            app.feed(Tick())
            assert app.reactor._unheard._ticked == ticked, "nothing is done any more"


async def test_a_mistake_in_an_action_stops_the_server(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings("dc test", "http://127.0.0.1:1", tmp_path, 0.0)
    store = MemoryStore()
    app = ServerApp(store, BlobFolder(tmp_path), PluginTypes(Plugins()), settings)
    await store.commit([NewJob(1, "demo", "1", Options(), "bytes", "bytes", 1.0)])
    await app.recover()

    def add(_: object) -> None:
        raise Mistake

    with trio.fail_after(60), pytest.RaisesGroup(InternalError):
        async with trio.open_nursery() as nursery:
            await nursery.start(app.run)
            monkeypatch.setattr(app.committer, "add", add)
            app.feed(Asked(CancelJob(1), lambda _: None))
            ticked = app.reactor._unheard._ticked
            app.feed(Tick())
            assert app.reactor._unheard._ticked == ticked, "nothing is done any more"


async def test_a_client_is_not_read_while_the_job_of_its_key_is_looked_for(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings("dc test", "http://127.0.0.1:1", tmp_path, 0.0)
    store = MemoryStore()
    app = ServerApp(store, BlobFolder(tmp_path), PluginTypes(Plugins()), settings)
    await app.recover()
    answer = trio.Event()

    async def job_of_key(_: str) -> None:
        await answer.wait()

    monkeypatch.setattr(store, "job_of_key", job_of_key)
    async with trio.open_nursery() as nursery:
        await nursery.start(app.run)
        for peer in (1, 2):
            app.feed(Opened(peer, ""))
            app.feed(Received(peer, [Hello(PROTOCOL, "client", "test", [])]))
        app.feed(Received(1, [Submit(1, "echo", "", {}, "key", resume=True)]))
        await app.wait_space(2)
        with trio.move_on_after(5.0) as scope:
            await app.wait_space(1)
        assert scope.cancelled_caught
        answer.set()
        await app.wait_space(1)
        app.stop()


async def test_numbers_that_are_given_back_at_the_end_confirm_no_other_record(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit of the one is under way while another record comes: that is not on disk by it."""
    settings = Settings("dc test", "http://127.0.0.1:1", tmp_path, 0.0)
    store = MemoryStore()
    app = ServerApp(store, BlobFolder(tmp_path), PluginTypes(Plugins()), settings)
    await store.commit([NewJob(1, "demo", "1", Options(), "bytes", "bytes", 1.0)])
    await app.recover()
    commit = store.commit
    under_way: list[Record] = []
    cancelled: list[bool] = []

    async def slowly(records: list[Record]) -> None:
        under_way.extend(records)
        if any(isinstance(record, JobNumbers) for record in records):
            app.feed(Asked(CancelJob(1), lambda _: cancelled.append(True)))
            await trio.sleep(1.0)
        else:
            assert not cancelled
        await commit(records)

    monkeypatch.setattr(store, "commit", slowly)
    monkeypatch.setattr(store, "commit_now", lambda _: False)
    async with trio.open_nursery() as nursery:
        await nursery.start(app.run)
        app.stop()
    found = [type(record) for record in under_way if not isinstance(record, BESIDE)]
    assert found == [JobNumbers, JobCancelled]
    assert cancelled


async def test_only_clients_wait_until_there_is_space(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    settings = Settings("dc test", "http://127.0.0.1:1", tmp_path, 0.0)
    store = MemoryStore()
    app = ServerApp(store, BlobFolder(tmp_path), PluginTypes(Plugins()), settings)
    await app.recover()
    store.fail = StoreFull("the disk is full")
    about = About("worker", "key", 1, [], {"os": "linux"}, {}, "run")
    async with trio.open_nursery() as nursery:
        await nursery.start(app.run)
        for peer, hello in (
            (1, Hello(PROTOCOL, "worker", "test", [], about)),
            (2, Hello(PROTOCOL, "client", "test", [], None)),
        ):
            app.feed(Opened(peer, ""))
            app.feed(Received(peer, [hello]))
        app.committer.add(NewJob(1, "demo", "1", Options(), "bytes", "bytes", 1.0))
        app.committer.weigh(limits.UNCOMMITTED_BYTES + 1)
        app.committer.begin()
        await app.wait_space(1)
        with trio.move_on_after(5.0) as scope:
            await app.wait_space(2)
        assert scope.cancelled_caught
        assert app.committer.trouble == "the disk is full"
        store.fail = None
        await app.wait_space(2)
        assert not app.committer.trouble
        app.stop()


async def test_others_have_their_turn_while_blobs_are_claimed(tmp_path: Path) -> None:
    blobs = [Blob(at.to_bytes(32), 1) for at in range(4 * limits_store.CLAIMS_AT_ONCE)]
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(others)
        done = Done(1, 1, [0] * len(blobs), [1] * len(blobs), [0.0] * len(blobs), [*blobs])
        assert await claim(BlobFolder(tmp_path), [done]) == frozenset(blobs)
        nursery.cancel_scope.cancel()
    assert turns >= 3
