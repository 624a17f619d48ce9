"""The worker's app with a journal on a real disk: other processes, other servers, a bad disk."""

from __future__ import annotations

import errno
import logging
import math
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from dc import limits_worker as limits
from dc.journal import read_journal
from dc.messages import PROTOCOL, Heartbeat, Hello, Trouble, Welcome
from dc.messages_worker import Done, Failed, Goodbye, Held
from dc.worker.keeping import files_to_keep, journal_path, remove_old_journals
from tests.worker.fake_server import (
    BIG,
    FakeServer,
    Scene,
    done_numbers,
    files_below,
    scene,
)


def greeting(server: str) -> Welcome:
    return Welcome(PROTOCOL, "fake", [], server)


async def next_process(server: FakeServer, tmp_path: Path, folder: Path) -> Scene:
    """Start the worker again, in a scratch folder of its own."""
    scratch = tmp_path / "second"
    scratch.mkdir()
    one = Scene(server, scratch, 1, is_default=False, folder=folder)
    hellos = len(server.of(Hello))
    server.nursery.start_soon(one.run)
    await server.wait_for(lambda: len(server.of(Hello)) > hellos)
    return one


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "own"
    path.mkdir()
    return path


async def test_results_outlive_the_process(
    tmp_path: Path, folder: Path, autojump_clock: MockClock
) -> None:
    async with scene(tmp_path, folder=folder, start=False) as one:
        server = one.server
        server.greeting, server.records = greeting("a"), False
        server.nursery.start_soon(one.run)
        await server.wait_for(lambda: server.of(Heartbeat))
        await server.assign(1, 2)
        await server.wait_for(lambda: done_numbers(server) == [1, 2])
        first = server.of(Done)
        server.down = True
        await server.cut()
        await one.kill()
        server.heard.clear()
        server.down = False
        again = await next_process(server, tmp_path, folder)
        await server.wait_for(lambda: done_numbers(server) == [1, 2])
        kinds = [type(message) for message in server.heard]
        assert kinds[:3] == [Hello, Held, Heartbeat]
        assert sorted(server.of(Held)[0].numbers) == [1, 2]
        assert server.of(Done) == first, "the very same reports"
        server.records = True
        await server.assign(3)
        await server.wait_for(lambda: 3 in done_numbers(server))
        assert server.of(Done)[-1].sequence == first[-1].sequence + 1
        await trio.sleep(1)
        assert again.app.statistics().unrecorded == 0
        await again.kill()
        assert not read_journal(journal_path(folder, "a")).reports


async def test_large_results_outlive_the_process(
    tmp_path: Path, folder: Path, autojump_clock: MockClock
) -> None:
    async with scene(tmp_path, folder=folder, start=False) as one:
        server = one.server
        server.greeting, one.seconds = greeting("a"), 1.0
        server.nursery.start_soon(one.run)
        await server.wait_for(lambda: server.of(Heartbeat))
        await server.assign(1, 2, type_="big")
        await trio.sleep(0.5)
        server.down = True
        await server.cut()
        await trio.sleep(5)
        assert one.app.statistics().putting == 2
        kept = files_to_keep(folder)
        assert len(kept) == 2
        assert all(path.stat().st_size == BIG for path in kept)
        await one.kill()
        lost = sorted(kept)[0]
        lost.unlink()
        server.heard.clear()
        server.down = False
        await next_process(server, tmp_path, folder)
        await server.wait_for(lambda: len(done_numbers(server)) == 1)
        await trio.sleep(1)
        assert [len(held.numbers) for held in server.of(Held)] == [1], "one is lost, and so said"
        assert len(done_numbers(server)) == 1
        assert not files_to_keep(folder)
        assert files_below(tmp_path / "second") == []
        assert not any(path.exists() for path in kept)


async def test_executors_that_had_no_task_are_kept_for_another_server(
    tmp_path: Path, folder: Path, autojump_clock: MockClock
) -> None:
    async with scene(tmp_path, 2, folder=folder, start=False) as one:
        server = one.server
        server.greeting = greeting("a")
        server.nursery.start_soon(one.run)
        await server.wait_for(lambda: server.of(Heartbeat))
        await trio.sleep(1)
        assert [executor.killed for executor in one.executors] == [False, False], "its first server"
        await server.assign(1)
        await server.wait_for(lambda: server.of(Done))
        server.greeting = greeting("b")
        await server.cut()
        await server.wait_for(lambda: len(server.of(Hello)) > 1)
        await trio.sleep(1)
        assert sorted(executor.killed for executor in one.executors[:2]) == [False, True]
        assert len(one.executors) == 3


async def test_another_server_gets_a_journal_of_its_own(
    tmp_path: Path, folder: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with scene(tmp_path, folder=folder, start=False) as one:
        server = one.server
        server.greeting, server.records = greeting("a"), False
        one.seconds = lambda _, number: math.inf if number == 2 else 0.001
        server.nursery.start_soon(one.run)
        await server.wait_for(lambda: server.of(Heartbeat))
        await server.assign(1)
        await server.wait_for(lambda: server.of(Done))
        await server.assign(2)
        await trio.sleep(1)
        server.greeting, server.records = greeting("b/../b"), True
        server.heard.clear()
        await server.cut()
        await server.wait_for(lambda: server.of(Heartbeat))
        assert not server.of(Held), "nothing of it means anything here"
        assert "1 results wait for the former one" in caplog.text
        await trio.sleep(1)
        assert one.executors[0].killed, "what ran was another server's"
        await server.assign(1)
        await server.wait_for(lambda: server.of(Done))
        assert server.of(Done)[0].sequence == 1
        server.greeting = greeting("a")
        server.heard.clear()
        await server.cut()
        await server.wait_for(lambda: server.of(Done))
        assert [held.numbers for held in server.of(Held)] == [[1]]
        await trio.sleep(1)
        assert one.app.statistics().unrecorded == 0
    assert {path.parent for path in files_below(folder)} == {folder}, (
        "whatever a server calls itself"
    )


async def test_leaving_keeps_what_is_not_recorded(
    tmp_path: Path, folder: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with scene(tmp_path, folder=folder, start=False) as one:
        server = one.server
        server.greeting, server.records = greeting("a"), False
        server.nursery.start_soon(one.run)
        await server.wait_for(lambda: server.of(Heartbeat))
        await server.assign(1)
        await server.wait_for(lambda: server.of(Done))
        one.app.leave()
        await one.ended.wait()
        assert not server.of(Goodbye), "the server is to keep the attempt for the next process"
        assert "1 results are not recorded yet" in caplog.text
        server.heard.clear()
        server.records = True
        again = await next_process(server, tmp_path, folder)
        await server.wait_for(lambda: done_numbers(server) == [1])
        await trio.sleep(1)
        again.app.leave()
        await again.ended.wait()
        assert server.of(Goodbye)


async def test_a_disk_that_is_full_for_a_while(
    tmp_path: Path,
    folder: Path,
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO)
    really: Callable[[int, bytes], int] = os.write
    full: list[bool] = []

    def write(file: int, data: bytes) -> int:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return really(file, data)

    monkeypatch.setattr(os, "write", write)
    async with scene(tmp_path, folder=folder, start=False) as one:
        server = one.server
        server.greeting = greeting("a")
        server.nursery.start_soon(one.run)
        await server.wait_for(lambda: server.of(Heartbeat))
        full.append(True)
        await server.assign(*range(5))
        await server.wait_for(lambda: len(done_numbers(server)) == 5)
        server.records = False
        await server.assign(5)
        await server.wait_for(lambda: len(done_numbers(server)) == 6)
        await trio.sleep(3 * limits.JOURNAL_RETRY_SECONDS)
        assert caplog.text.count("cannot keep reports on disk") == 1
        assert not read_journal(journal_path(folder, "a")).reports
        full.clear()
        await trio.sleep(2 * limits.JOURNAL_RETRY_SECONDS)
        assert caplog.text.count("reports are kept on disk again") == 1
        assert len(read_journal(journal_path(folder, "a")).reports) == 1


async def test_trouble_is_said_once(
    tmp_path: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with scene(tmp_path) as one:
        for text in ("the disk is full", "the disk is full", "", ""):
            await one.server.say(Trouble(text))
        await trio.sleep(1)
        assert caplog.text.count("the server records nothing at present: the disk is full") == 1
        assert caplog.text.count("the server records again") == 1


async def test_a_sleep_of_the_computer(
    tmp_path: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Its lid was closed: the connection is dead and does not show it."""
    async with scene(tmp_path) as one:
        server = one.server
        await server.wait_for(lambda: server.of(Heartbeat))
        one.executors[0]._seconds = 6.0
        await server.assign(1, timeout=10.0)
        await trio.sleep(2)
        server.deaf = True
        one.slept = 3600.0
        await trio.sleep(2 * limits.WORKER_TICK_SECONDS)
        assert len(server.opened) == 2, "at once"
        assert "slept for 3600 s" in caplog.text
        server.deaf = False
        await server.wait_for(lambda: server.of(Done))
        assert not server.of(Failed)


async def test_a_process_that_was_stopped(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Time went on without it: what its own clock says of a task does not count."""
    async with scene(tmp_path) as one:
        server = one.server
        await server.wait_for(lambda: server.of(Heartbeat))
        one.executors[0]._seconds = 70.0
        await server.assign(1, timeout=20.0)
        await trio.sleep(2)
        autojump_clock.jump(60.0)
        await trio.sleep(2 * limits.WORKER_TICK_SECONDS)
        assert len(server.opened) == 2, "at once"
        await server.wait_for(lambda: server.of(Done))
        assert not server.of(Failed)
        one.executors[0]._seconds = 70.0
        await server.assign(2, timeout=20.0)
        await server.wait_for(lambda: server.of(Failed))
        assert server.of(Failed)[0].failure.kind == "timeout"


def test_old_journals_are_removed(folder: Path) -> None:
    names = {name: journal_path(folder, name) for name in ("old", "new", "last")}
    for path in names.values():
        path.touch()
    (folder / "server").write_text("last\n")
    for name in ("old", "last"):
        os.utime(names[name], (0, 0))
    remove_old_journals(folder)
    assert {name for name, path in names.items() if path.exists()} == {"new", "last"}
