"""The server's plugins while it runs: edits, broken ones, what jobs still need, restarts."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import trio

from dc import limits_plugins as limits
from dc import plugin_archive
from dc.blobs import BlobFolder
from dc.errors import StartError, StoreFull, UnknownTaskType
from dc.messages_client import Options
from dc.plugin_manifest import Entry
from dc.plugin_origins import origin_at
from dc.plugins import Plugins
from dc.records import JobEnded, NewJob, NewPlugin
from dc.server.app import ServerApp, Settings
from dc.server.shelf import Shelf
from dc.server.types import PluginTypes
from dc.signing import Signature, new_key, public_of, read_private, sign, write_signature
from dc.store_memory import MemoryStore
from tests.archives import archive


def code(name: str, answer: int, version: str = "1") -> str:
    return (
        f"import dc\n\n@dc.task_type(version={version!r})\n"
        f"def {name}(number: int) -> int:\n    return number + {answer}\n"
    )


class World:
    """A shelf over a folder of plugins; time is counted by edits."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "plugins"
        self.folder.mkdir()
        self.data = tmp_path / "data"
        self.data.mkdir()
        self.store = MemoryStore()
        self.told: list[list[NewPlugin]] = []
        self.in_use: set[bytes] = set()
        self.clock = 1e9
        self.shelf: Shelf
        self.types: PluginTypes

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.clock += 1
        os.utime(path, (self.clock, self.clock))
        return path

    async def start(self) -> None:
        blobs = BlobFolder(self.data / "blobs")
        self.types = PluginTypes(Plugins())
        self.shelf = Shelf(
            [self.folder],
            self.data,
            blobs,
            self.types,
            entry_points=False,
            wall=lambda: self.clock,
        )
        await self.shelf.open(self.store)

    async def look(self, times: int = 2) -> None:
        for _ in range(times):
            await self.shelf.look(self.told.append)
            await self.shelf.thin_out(self.in_use)

    def answer(self, name: str, plugin: bytes = b"") -> int:
        found = self.types.get(name, "", plugin)
        return int(found(0))

    def digest(self, name: str, version: str = "1") -> bytes:
        return self.types.plugin(name, version)

    @property
    def unpacked(self) -> set[str]:
        return {one.name for one in (self.data / "plugins").iterdir()}

    @property
    def modules(self) -> int:
        return sum(one.startswith("dc_shipped_") for one in sys.modules)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_a_plugin_is_an_archive_that_is_served_and_written_down(world: World) -> None:
    world.write("one.py", code("first", 1))
    world.write("two/__init__.py", code("second", 2))
    await world.start()
    assert (world.answer("first"), world.answer("second")) == (1, 2)
    assert world.types.broken == {}
    for name, plugin in (("first", "one"), ("second", "two")):
        digest = world.digest(name)
        shipped = world.types.shipped(digest)
        assert shipped is not None
        assert (shipped.plugin.name, shipped.plugin.signer) == (plugin, b"")
        path = BlobFolder(world.data / "blobs").path(digest)
        assert path is not None
        assert path.stat().st_size == shipped.plugin.size
    assert {row.name for row in await world.store.plugins()} == {"one", "two"}
    assert world.unpacked == {world.digest(name).hex() for name in ("first", "second")}


async def test_an_edit_takes_the_place_of_what_was(world: World) -> None:
    world.write("one.py", code("first", 1))
    await world.start()
    old = world.digest("first")
    world.in_use.add(old)
    await world.look()
    assert world.told == []
    world.write("one.py", code("first", 10))
    await world.look(1)
    assert world.answer("first") == 1  # it may not be written to its end yet
    await world.look(1)
    assert world.answer("first") == 10
    assert world.answer("first", old) == 1
    ((new,),) = world.told
    assert new.digest == world.digest("first") != old
    modules = world.modules
    world.in_use.clear()
    await world.look()
    assert world.answer("first", old) == 10  # nobody runs it, and it is unloaded
    assert world.types.shipped(old) is not None
    assert world.unpacked == {new.digest.hex()}
    assert world.modules < modules


async def test_many_edits_leave_nothing_behind(world: World) -> None:
    await _write_and_start(world)
    before = world.modules, len(sys.path)  # those of other tests are among them
    for at in range(20):
        world.write("one.py", code("first", at))
        await world.look()
        assert world.answer("first") == at
    assert (world.modules, len(sys.path)) <= before
    assert len(world.unpacked) == len(world.types.loaded) == 1


async def _write_and_start(world: World) -> None:
    world.write("one.py", code("first", 1))
    await world.start()


@pytest.mark.parametrize(
    "text", ["def broken(:\n", "import dc\n\n@dc.task_type\ndef first(a):\n    pass\n", "1 / 0\n"]
)
async def test_a_broken_edit_leaves_the_old_in_service(world: World, text: str) -> None:
    await _write_and_start(world)
    world.write("one.py", text)
    await world.look()
    assert world.answer("first") == 1
    assert "stays in service" in world.types.broken["one"]
    assert world.types.broken["one"].count("plugin 'one'") == 1
    assert world.told == [[]]
    assert len(world.unpacked) == 1
    await world.look()
    world.write("one.py", code("first", 3))
    await world.look()
    assert world.answer("first") == 3
    assert world.types.broken == {}


async def test_what_is_broken_from_the_start_is_told_and_can_be_mended(world: World) -> None:
    world.write("bad.py", "1 / 0\n")
    world.write("good.py", code("well", 1))
    world.write("half/pyproject.toml", "[project\n")
    await world.start()
    assert world.answer("well") == 1
    assert sorted(world.types.broken) == ["bad", "half"]
    assert world.types.broken["bad"].startswith("plugin 'bad': cannot be imported: ZeroDivision")
    assert str(world.folder / "bad.py") in world.types.broken["bad"]
    world.write("bad.py", code("mended", 2))
    await world.look()
    assert world.answer("mended") == 2
    assert sorted(world.types.broken) == ["half"]


async def test_a_part_that_is_broken_from_the_start_leaves_the_rest(world: World) -> None:
    world.write("pack/pyproject.toml", "[project]\nname = 'pack'\n")
    world.write("pack/one.py", code("first", 1))
    world.write("pack/two.py", "1 / 0\n")
    await world.start()
    assert world.answer("first") == 1
    assert list(world.types.broken) == ["pack:two"]


async def test_new_and_gone(world: World) -> None:
    await _write_and_start(world)
    old = world.digest("first")
    world.in_use.add(old)
    world.write("two.py", code("second", 2))
    await world.look()
    assert world.answer("second") == 2
    (world.folder / "one.py").unlink()
    await world.look(1)
    assert world.answer("first") == 1  # an editor may be about to write it anew
    await world.look(1)
    with pytest.raises(UnknownTaskType):
        world.types.get("first")
    assert world.answer("first", old) == 1
    assert world.types.shipped(old) is not None
    world.write("one.py", code("first", 5))
    await world.look()
    assert world.answer("first") == 5


async def test_a_folder_that_is_gone_leaves_everything_as_it_is(world: World) -> None:
    await _write_and_start(world)
    world.folder.rename(world.folder.with_name("elsewhere"))
    await world.look(3)
    assert world.answer("first") == 1
    with pytest.raises(StartError):
        await world.start()


async def test_an_installed_project_that_is_none_any_more_keeps_no_other_from_changing(
    world: World, tmp_path: Path
) -> None:
    await _write_and_start(world)
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text("[project]\nname = 'editable'\n")
    (project / "second.py").write_text(code("second", 2))
    world.shelf._installed = [origin_at(project)]
    await world.look()
    assert (world.answer("first"), world.answer("second")) == (1, 2)
    (project / "pyproject.toml").unlink()
    world.write("one.py", code("first", 3))
    await world.look()
    assert (world.answer("first"), world.answer("second")) == (3, 2)
    assert "stays in service" in world.types.broken["editable"]


async def test_back_to_what_it_was(world: World) -> None:
    await _write_and_start(world)
    first = world.digest("first")
    world.in_use.add(first)
    for answer in (2, 1):
        world.write("one.py", code("first", answer))
        await world.look()
    assert world.digest("first") == first
    assert [[one.digest for one in told] for told in world.told][-1] == [first]
    assert world.answer("first") == 1
    added = [one.added for told in world.told for one in told]
    assert added == sorted(set(added))  # it is the newest of its name again


async def test_what_no_job_runs_is_forgotten_unless_it_is_in_service(world: World) -> None:
    await _write_and_start(world)
    settings = Settings("dc test", "http://127.0.0.1:1", world.data, 0.0)
    app = ServerApp(world.store, BlobFolder(world.data / "blobs"), world.types, settings)
    old = world.digest("first")
    world.write("one.py", code("first", 2))
    await world.look()
    new = world.digest("first")
    app.reactor.board.running[old] += 1  # by a job that the store says nothing of
    assert old in app.retention.named()
    for digest in (old, new):
        app.retention.forget_plugin(digest)
    assert world.types.shipped(old) is not None
    app.reactor.board.running.clear()
    app.retention.forget_plugin(old)
    assert world.types.shipped(old) is None
    assert world.types.shipped(new) is not None


async def test_what_the_disk_does_not_take_is_tried_again(
    world: World, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _write_and_start(world)
    put = BlobFolder.put

    async def full(*_: object) -> bool:
        raise StoreFull("the disk is full")

    monkeypatch.setattr(BlobFolder, "put", full)
    world.write("one.py", code("first", 2))
    await world.look()
    assert "the disk is full" in world.types.broken["one"]
    monkeypatch.setattr(BlobFolder, "put", put)
    await world.look()
    assert world.answer("first") == 1
    await trio.sleep(limits.PLUGINS_AGAIN_SECONDS)
    await world.look(1)
    assert world.answer("first") == 2
    assert world.types.broken == {}


async def test_an_archive_that_is_gone_is_put_again(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await _write_and_start(world)
    blobs, digest = BlobFolder(world.data / "blobs"), world.digest("first")
    path = blobs.path(digest)
    assert path is not None
    path.unlink()  # it was damaged
    await world.look()
    assert blobs.path(digest) is not None
    assert world.digest("first") == digest
    assert world.answer("first") == 1
    await world.look()
    assert world.types.broken == {}
    assert world.unpacked == {digest.hex()}
    path.unlink()
    world.write("one.py", "1 / 0\n")
    caplog.clear()
    await world.look(5)
    assert len(caplog.records) == 1


async def test_a_clock_that_goes_back(world: World) -> None:
    await _write_and_start(world)
    (row,) = await world.store.plugins()
    world.clock -= 1e6
    world.write("one.py", code("first", 2))
    await world.start()
    rows = await world.store.plugins()
    assert [one.digest for one in rows] == [world.digest("first"), row.digest]


async def test_what_was_left_is_removed(world: World) -> None:
    await _write_and_start(world)
    left = ("packing-1", "unpacking-2/code/x.py", f"{'ab' * 32}/dc-plugin.json")
    for name in left:
        (world.data / "plugins" / name).parent.mkdir(exist_ok=True, parents=True)
        (world.data / "plugins" / name).write_text("")
    await world.start()
    assert world.unpacked == {world.digest("first").hex()}


async def test_plugins_of_users_in_the_data_folder_stay(world: World) -> None:
    world.folder = world.data / "plugins"
    world.write("one.py", code("first", 1))
    world.write("two/pyproject.toml", "[project]\nname = 'two'\n")
    world.write("two/two.py", code("second", 2))
    world.write("packing-list.txt", "mine")
    await world.start()
    await world.look(3)
    assert world.types.broken == {}
    assert (world.answer("first"), world.answer("second")) == (1, 2)
    await world.start()
    assert {"one.py", "two", "packing-list.txt"} < world.unpacked


async def test_what_was_in_the_way_is_gone(world: World) -> None:
    for folder, name in (("a", "first"), ("b", "second")):
        world.write(f"{folder}/pyproject.toml", "[project]\nname = 'same'\n")
        world.write(f"{folder}/one.py", code(name, 1))
    await world.start()
    assert "two plugins of this name" in world.types.broken["same"]
    (world.folder / "a" / "one.py").unlink()
    (world.folder / "a" / "pyproject.toml").unlink()
    await world.look(3)
    assert world.types.broken == {}
    assert world.answer("second") == 1


async def test_two_of_one_name_or_type(world: World) -> None:
    world.write("a/pyproject.toml", "[project]\nname = 'same'\n")
    world.write("b/pyproject.toml", "[project]\nname = 'same'\n")
    world.write("a/one.py", code("first", 1))
    world.write("b/one.py", code("second", 2))
    world.write("c.py", code("first", 3))
    await world.start()
    assert world.answer("first") == 3
    assert list(world.types.broken) == ["same"]
    for text in ("two plugins of this name", "already registered by plugin 'c'"):
        assert text in world.types.broken["same"]
    rows = await world.store.plugins()
    assert [row.name for row in rows] == ["c", "same"]


async def test_signatures(world: World) -> None:
    private, _ = new_key()
    key = read_private(private)
    path = world.write("one.py", code("first", 1))
    await world.start()
    digest = world.digest("first")
    write_signature(path, Signature(public_of(key), sign(key, digest), digest))
    await world.look()
    shipped = world.types.shipped(digest)
    assert shipped is not None
    assert shipped.plugin.signer == public_of(key)
    assert world.told[-1][0].signature == shipped.plugin.signature
    world.write("one.py", code("first", 2))  # the signature is of what was before
    await world.look()
    (version,) = world.types.versions
    assert version.shipped.plugin.signer == b""
    assert "sign it anew" in version.note
    write_signature(path, Signature(public_of(key), bytes(64), version.digest))
    await world.look()
    assert "does not hold" in world.types.versions[0].note


async def test_a_restart_writes_nothing_that_is_known(world: World) -> None:
    await _write_and_start(world)
    (row,) = await world.store.plugins()
    world.write("one.py", code("first", 1))  # other times, the same bytes
    await world.start()
    assert await world.store.plugins() == [row]
    world.write("one.py", code("first", 2))
    await world.start()
    assert [one.digest for one in await world.store.plugins()] == [
        world.digest("first"),
        row.digest,
    ]
    assert world.types.shipped(row.digest) is not None


async def test_jobs_that_are_submitted_still_find_their_version_after_a_restart(
    world: World,
) -> None:
    await _write_and_start(world)
    old = world.digest("first")
    what = ("msgpack", "msgpack", 1.0, "")
    await world.store.commit([NewJob(1, "first", "1", Options(), *what, old)])
    world.write("one.py", code("first", 2))
    await world.start()
    assert (world.answer("first"), world.answer("first", old)) == (2, 1)
    (world.folder / "one.py").unlink()
    await world.start()
    assert world.answer("first", old) == 1
    await world.store.commit([JobEnded(1, 0, 2.0)])
    await world.start()
    with pytest.raises(UnknownTaskType):
        world.answer("first", old)


async def test_ready_archives_in_a_folder(world: World, tmp_path: Path) -> None:
    source = tmp_path / "one.py"
    source.write_text(code("first", 1))
    packed = plugin_archive.pack(source, world.folder / "ready.dcplugin")
    (world.folder / "torn.dcplugin").write_bytes(b"PK nonsense")
    await world.start()
    assert world.digest("first") == packed.digest
    assert list(world.types.broken) == ["torn"]


def dependent(version: int) -> bytes:
    """Return an archive whose dependency has one module more in each version."""
    text = code("first", 0).replace("import dc\n", f"import dc\nfrom travels import v{version}\n")
    modules = {f"deps/travels/v{n}.py": f"NUMBER = {n}\n" for n in range(version + 1)}
    text = text.replace("number + 0", f"number + v{version}.NUMBER + later()")
    text += f"\n\ndef later():\n    from travels import v0\n    return v0.NUMBER + {version}\n"
    return archive({"code/shouting.py": text, "deps/travels/__init__.py": "", **modules})


async def test_each_version_has_the_dependencies_that_came_with_it(world: World) -> None:
    path = world.folder / "ready.dcplugin"
    path.write_bytes(dependent(1))
    await world.start()
    old = world.digest("first")
    for version in (2, 3):
        path.write_bytes(dependent(version))
        await world.look()
        assert world.types.broken == {}
        assert world.answer("first") == 2 * version
    assert world.digest("first") != old
    assert len(world.unpacked) == 1
    assert sum("deps" in one for one in sys.path) == 1
    module = sys.modules["travels.v3"]
    other = {"deps/apart.py": "", "code/shouting.py": "import apart\n" + code("second", 2)}
    (world.folder / "other.dcplugin").write_bytes(
        archive(other, name="other", plugins=[Entry("other", "shouting")])
    )
    await world.look()
    assert world.types.broken == {}
    assert (world.answer("first"), world.answer("second")) == (6, 2)
    assert sys.modules["travels.v3"] is module  # what others have and nobody asked for stays
    for ready in (path, world.folder / "other.dcplugin"):
        ready.unlink()
    await world.look(3)
    assert not [name for name in sys.modules if name.startswith(("travels", "apart"))]
    assert not [one for one in sys.path if one.endswith("deps")]


async def test_watching(world: World, autojump_clock: trio.testing.MockClock) -> None:
    await _write_and_start(world)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.shelf.watch, world.told.append, world.in_use)
        await trio.sleep(3)
        world.write("one.py", code("first", 2))
        await trio.sleep(3)
        assert world.answer("first") == 2
        nursery.cancel_scope.cancel()
