"""Plugins on their way to a worker: from a server over memory streams to a folder."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from dc import limits_plugins as limits
from dc import signing
from dc.http_client import HttpClient
from dc.messages_parts import Plugin
from dc.worker.events import Event, FetchPlugin, PluginFailed, PluginReady
from dc.worker.plugin_fetch import PluginFetcher
from dc.worker.plugin_folder import PluginFolder
from dc.worker.sites import Sites
from tests.archives import archive
from tests.worker.fake_server import FakeServer

DATA = archive()
DIGEST = hashlib.sha256(DATA).digest()
PLUGIN = Plugin(DIGEST, len(DATA), "shouting")


class Fetching:
    """A fetcher, its folder, and the server that it gets plugins from."""

    def __init__(self, server: FakeServer, folder: Path, trusts: Sequence[bytes]) -> None:
        self.server = server
        self.root = folder
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self.folder = PluginFolder(folder / "code")
        self.events: list[Event] = []
        sites = Sites(self.folder, installs=False)
        http = HttpClient(server.open_stream, "server")
        self.fetcher = PluginFetcher(
            http, self.folder, sites, self.scratch, trusts, self.events.append
        )
        server.payloads[f"/plugins/{DIGEST.hex()}"] = DATA

    def put(self, data: bytes) -> Plugin:
        """Have an archive at the server; return what an assignment says of it."""
        digest = hashlib.sha256(data).digest()
        self.server.payloads[f"/plugins/{digest.hex()}"] = data
        return Plugin(digest, len(data), "x")

    async def fetch(self, plugin: Plugin = PLUGIN) -> PluginReady | PluginFailed:
        await self.fetcher.fetch(FetchPlugin(plugin))
        event = self.events.pop()
        assert not self.events
        assert isinstance(event, PluginReady | PluginFailed)
        assert event.plugin == plugin
        return event

    async def failed(self, plugin: Plugin = PLUGIN) -> PluginFailed:
        """Fetch what must fail, and leave nothing."""
        event = await self.fetch(plugin)
        assert isinstance(event, PluginFailed)
        assert not self.folder.plugin(plugin.digest).exists()
        assert not list((self.root / "code").glob("plugins/*"))
        assert not [one for one in self.scratch.iterdir() if one.suffix != ".part"]
        return event


@asynccontextmanager
async def fetching(folder: Path, trusts: Sequence[bytes] = ()) -> AsyncIterator[Fetching]:
    with trio.fail_after(1000):
        async with trio.open_nursery() as nursery:
            made = Fetching(FakeServer(nursery), folder, trusts)
            yield made
            nursery.cancel_scope.cancel()


async def test_an_archive_is_fetched_once_and_unpacked(tmp_path: Path) -> None:
    async with fetching(tmp_path) as made:
        event = await made.fetch()
        assert isinstance(event, PluginReady)
        folder = Path(event.code.folder)
        assert folder.name == DIGEST.hex()
        assert (folder / "code" / "shouting.py").is_file()
        assert (event.code.site, event.code.carries) == ("", False)
        assert not list(made.scratch.iterdir())
        made.server.payloads.clear()
        assert await made.fetch() == event, "it is here"


async def test_one_that_is_changed_on_the_way(tmp_path: Path) -> None:
    async with fetching(tmp_path) as made:
        made.server.payloads[f"/plugins/{DIGEST.hex()}"] = archive({"code/evil.py": ""})
        changed = bytearray(DATA)
        changed[40] ^= 1
        for data in (bytes(changed), archive({"code/evil.py": ""}), DATA[:-1], DATA + b"x"):
            made.server.payloads[f"/plugins/{DIGEST.hex()}"] = data
            event = await made.failed()
            assert event.refused
            assert not event.final
            assert "not what the server has named" in event.text


async def test_a_server_that_has_it_no_more(tmp_path: Path) -> None:
    async with fetching(tmp_path) as made:
        made.server.payloads.clear()
        event = await made.failed()
        assert event.refused
        assert "no such task" in event.text


async def test_a_lost_connection_may_be_well_again(tmp_path: Path) -> None:
    async with fetching(tmp_path) as made:
        made.server.down = True
        event = await made.failed()
        assert (event.refused, event.final) == (False, False)
        made.server.down = False
        assert isinstance(await made.fetch(), PluginReady)


async def test_what_is_no_archive_fails_for_good(tmp_path: Path) -> None:
    async with fetching(tmp_path) as made:
        data = b"no archive at all" * 100
        event = await made.failed(made.put(data))
        assert event.final
        assert "it is no archive of a plugin" in event.text
        event = await made.failed(Plugin(DIGEST, limits.ARCHIVE_BYTES + 1, "x"))
        assert event.final
        assert "are the most" in event.text


async def test_another_python(tmp_path: Path) -> None:
    async with fetching(tmp_path) as made:
        for python, text in (("<3", "it needs Python <3"), ("nonsense", "'nonsense'")):
            data = archive(python=python)
            event = await made.fetch(made.put(data))
            assert isinstance(event, PluginFailed)
            assert event.final
            assert text in event.text


async def test_a_python_that_was_built_between_two_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.python_version", lambda: "3.12.1+")
    async with fetching(tmp_path) as made:
        data = archive(python=">=3.11")
        assert isinstance(await made.fetch(made.put(data)), PluginReady)


async def test_what_may_not_be_installed(tmp_path: Path) -> None:
    async with fetching(tmp_path) as made:
        data = archive(dependencies=["numpy >= 2", "tomli; python_version < '3'"])
        event = await made.fetch(made.put(data))
        assert isinstance(event, PluginFailed)
        assert event.final
        assert "it needs numpy>=2 to be installed, and this worker installs nothing" in event.text


# --- trust --------------------------------------------------------------------------------------


def keys() -> tuple[bytes, bytes]:
    private, public = signing.new_key()
    return signing.read_private(private), signing.read_public(public)


MINE, MY_KEY = keys()
THEIRS, THEIR_KEY = keys()


def signed(private: bytes, public: bytes, digest: bytes = DIGEST) -> Plugin:
    return Plugin(DIGEST, len(DATA), "shouting", public, signing.sign(private, digest))


async def test_what_a_trusted_key_has_signed_is_taken(tmp_path: Path) -> None:
    async with fetching(tmp_path, [THEIR_KEY, MY_KEY]) as made:
        assert isinstance(await made.fetch(signed(MINE, MY_KEY)), PluginReady)


@pytest.mark.parametrize(
    ("plugin", "text"),
    [
        (PLUGIN, "nobody has signed it"),
        (signed(THEIRS, THEIR_KEY), "this worker does not --trust that key"),
        (signed(THEIRS, MY_KEY), "its signature by dc-key-"),
        (signed(MINE, MY_KEY, b"o" * 32), "its signature by dc-key-"),
        (Plugin(DIGEST, len(DATA), "x", MY_KEY, b""), "its signature by dc-key-"),
        (Plugin(DIGEST, len(DATA), "x", b"short", b"s" * 64), "does not --trust that key"),
    ],
    ids=["unsigned", "not trusted", "wrong key", "of other bytes", "empty", "no key"],
)
async def test_what_is_not_trusted_is_not_even_fetched(
    tmp_path: Path, plugin: Plugin, text: str
) -> None:
    async with fetching(tmp_path, [MY_KEY]) as made:
        event = await made.failed(plugin)
        assert event.final
        assert text in event.text
        assert not made.server.opened


# --- the folder ---------------------------------------------------------------------------------


def test_what_was_not_used_for_long_goes(tmp_path: Path) -> None:
    now = 1e9
    folder = PluginFolder(tmp_path, lambda: now)
    mine, other = folder.plugin(b"m" * 32), folder.plugin(b"o" * 32)
    site, half = folder.site("there"), folder.new_site()
    for one in (mine, other, site):
        one.mkdir(parents=True)
        (one / "file").touch()
    PluginFolder(tmp_path, lambda: now).use(mine, other, site, half)  # another worker, who is gone
    folder.use(mine)
    now += limits.UNUSED_PLUGIN_SECONDS
    folder.tidy()
    assert [one.exists() for one in (mine, other, site, half)] == [True, True, True, False]
    now += 1
    folder.tidy()
    assert [one.exists() for one in (mine, other, site)] == [True, False, False]
    now += limits.UNUSED_PLUGIN_SECONDS - 1
    folder.tidy()
    assert mine.exists()
    now += 1
    folder.tidy()
    assert not mine.exists(), "a worker that runs for ever does not keep all that it has had"


def test_what_goes_has_its_name_no_more_before_anything_of_it_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1e9
    folder = PluginFolder(tmp_path, lambda: now)
    gone = folder.plugin(b"m" * 32), folder.site("there")
    for one in gone:
        one.mkdir(parents=True)
        (one / "file").touch()
    now += 2e9
    monkeypatch.setattr("dc.worker.plugin_folder.remove_folder", lambda _: None)  # it is killed
    folder.tidy()
    assert not any(one.exists() for one in gone)
    monkeypatch.undo()
    now += 2 * limits.INSTALL_SECONDS
    folder.tidy()
    assert not list(tmp_path.glob("*/*"))


def test_a_folder_that_is_not_there_needs_no_tidying(tmp_path: Path) -> None:
    PluginFolder(tmp_path / "none").tidy()
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("said", [{"python": ">=3"}, {"dependencies": ["numpy"]}])
async def test_a_worker_whose_files_were_changed_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: dict[str, Any]
) -> None:
    """What reads such words is imported when it is first needed, and may be gone by then."""
    monkeypatch.setitem(sys.modules, "dc.worker.plugin_needs", None)
    async with fetching(tmp_path) as made:
        data = archive(**said)
        event = await made.fetch(made.put(data))
        assert isinstance(event, PluginFailed)
        assert event.final
        assert "a part of this worker cannot be imported (" in event.text
        assert "start the worker anew" in event.text
