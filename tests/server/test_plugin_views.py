"""What the API and the page show of plugins and of the shapes of payloads and results."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import trio

from dc.blobs import BlobFolder
from dc.http import Response
from dc.messages import PROTOCOL, Heartbeat, Hello
from dc.messages_client import Submit
from dc.messages_parts import Failure, Message
from dc.messages_worker import About, Failed, TypeId
from dc.plugins import Plugins
from dc.schemas import schema_of
from dc.server.app import ServerApp, Settings
from dc.server.events import Opened, Received
from dc.server.shelf import Shelf
from dc.server.site import Site
from dc.server.types import PluginTypes
from dc.store_memory import MemoryStore
from dc.typed import declared
from tests.server.test_api import request

PROJECT = """
[project]
name = "drawing"
version = "1.2"
requires-python = ">=3.12"
[tool.dc]
platforms = ["linux"]
"""
CODE = '''
import dc
from msgspec import Struct

class Picture(Struct):
    """What is drawn."""
    width: int

@dc.task_type
def draw(picture: Picture) -> bytes:
    """Draw <one>."""
    return b"%d" % picture.width
'''


class Served:
    """A server without sockets whose plugins are on a shelf."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "plugins"
        (self.folder / "drawing").mkdir(parents=True)
        (self.folder / "drawing" / "pyproject.toml").write_text(PROJECT)
        (self.folder / "drawing" / "drawing.py").write_text(CODE)
        (self.folder / "bad.py").write_text("1 / 0\n")
        blobs, types = BlobFolder(tmp_path / "blobs"), PluginTypes(Plugins())
        self.store = MemoryStore()
        self.shelf = Shelf([self.folder], tmp_path, blobs, types, entry_points=False)
        settings = Settings("dc test", "http://127.0.0.1:1", tmp_path, 0.0)
        self.app = ServerApp(self.store, blobs, types, settings)
        self.site = Site(self.app)
        self._peers = 0

    async def ask(self, path: str, method: str = "GET") -> tuple[int, Any]:
        answer = await self.site.answer(request(method, path))
        assert isinstance(answer, Response)
        if isinstance(answer.body, Path):
            return answer.status, answer.body.read_bytes()
        assert isinstance(answer.body, bytes)
        if answer.content_type != "application/json":
            return answer.status, answer.body.decode()
        return answer.status, msgspec.json.decode(answer.body)

    def say(self, *messages: Message) -> None:
        self._peers += 1
        self.app.feed(Opened(self._peers, "10.0.0.1:5"))
        self.app.feed(Received(self._peers, list(messages)))

    def worker(self, name: str, *types: TypeId, python: str = "3.12.1", **said: Any) -> None:
        labels = {"python": python, "os": "linux", "arch": "x86_64"}
        about = About(name, f"key of {name}", 1, list(types), labels, **said)
        self.say(Hello(PROTOCOL, "worker", "dc", [], about), Heartbeat())


@asynccontextmanager
async def serving(tmp_path: Path) -> AsyncIterator[Served]:
    served = Served(tmp_path)
    await served.shelf.open(served.store)
    await served.app.recover()
    async with trio.open_nursery() as nursery:
        await nursery.start(served.app.run)
        yield served
        served.app.stop()


async def test_plugins_and_who_can_run_them(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        served.worker("own", TypeId("draw", "1"))
        served.worker("can", takes_plugins=True)
        for at in range(7):
            served.worker(f"old-{at}", python="3.11.7", takes_plugins=True)
        served.worker("shut")
        served.say(Hello(PROTOCOL, "client", "dc", []), Submit(1, "draw", "", {}))
        shut = served.app.reactor.workers.roster.by_name["shut"]
        failure = Failure("error", "plugin 'drawing' cannot be used by this worker: no space left")
        served.app.feed(Received(shut.peer, [Failed(1, 1, 0, 1, 0.1, failure)]))
        status, answer = await served.ask("/api/plugins")
        assert status == 200
        (plugin,) = answer["plugins"]
        assert plugin["types"] == [{"name": "draw", "version": "1"}]
        assert (plugin["name"], plugin["version"], plugin["jobs"]) == ("drawing", "1.2", 1)
        assert (plugin["python"], plugin["platforms"]) == (">=3.12", ["linux"])
        assert plugin["place"] == str(served.folder / "drawing")
        workers = plugin["workers"]
        assert (workers["own"], workers["can"]) == (1, 1)
        some = [f"old-{at}" for at in range(5)]
        assert workers["cannot"]["has no Python >=3.12"] == {"workers": 7, "some": some}
        assert workers["cannot"]["takes no plugins"] == {"workers": 1, "some": ["shut"]}
        assert workers["failed"] == {"shut": "no space left"}
        assert list(answer["broken"]) == ["bad"]


async def test_a_version_that_only_jobs_run_is_listed(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        served.say(Hello(PROTOCOL, "client", "dc", []), Submit(1, "draw", "", {}))
        (before,) = (await served.ask("/api/plugins"))[1]["plugins"]
        (served.folder / "drawing" / "drawing.py").write_text(CODE + "# changed\n")
        for _ in range(2):
            await served.shelf.look(served.app.plugins_added)
        after, earlier = (await served.ask("/api/plugins"))[1]["plugins"]
        assert (after["in_service"], after["jobs"]) == (True, 0)
        assert earlier == {**before, "in_service": False}
        status, archive = await served.ask(f"/plugins/{before['archive']}")
        assert (status, len(archive)) == (200, before["size"])


async def test_archives_are_served_and_nothing_else(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        blob = hashlib.sha256(b"no archive").digest()
        await served.app.blobs.put(blob, None, _piece())
        for name in (blob.hex(), "nonsense", "../blobs", "aa" * 33):
            assert (await served.ask(f"/plugins/{name}"))[0] == 404
        answer = await served.site.answer(request("PUT", f"/plugins/{'aa' * 32}"))
        assert isinstance(answer, Response)
        assert answer.status == 405


async def _piece() -> AsyncIterator[bytes]:
    yield b"no archive"


async def test_types_with_their_schemas(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        ((kind,), _) = (await served.ask("/api/types"))[1].values()
        assert kind["payload_schema"]["$defs"]["Picture"]["description"] == "What is drawn."
        assert kind["result_schema"] == {
            "type": "string",
            "contentMediaType": "application/octet-stream",
        }
        assert kind["doc"] == "Draw <one>."


# --- schemas ------------------------------------------------------------------------------------


@dataclass
class Point:
    x: int
    data: bytes = b""


def test_bytes_within_values_are_base64() -> None:
    schema = schema_of(declared(Point, "payload of x", "here"))
    data = schema["$defs"]["Point"]["properties"]["data"]
    assert (data["type"], data["contentEncoding"]) == ("string", "base64")
