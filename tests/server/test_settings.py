"""Settings that change while the server runs: what holds, what is written, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from dc import limits_shown, limits_store
from dc.blobs import BlobFolder
from dc.errors import OptionsError
from dc.plugins import Plugins
from dc.records_shown import SettingChanged
from dc.server import __main__ as program
from dc.server.app import ServerApp, Settings
from dc.server.keep import Keep
from dc.server.quotas import NONE, Quotas
from dc.server.settings import CHANGEABLE, SettingsBook, Values, as_text, from_text
from dc.server.site import Site
from dc.server.types import PluginTypes
from dc.store_memory import MemoryStore
from tests.server.test_api import Served

GIVEN = Values(Quotas(job=5), Keep(3.5, 9), 77)


def test_values_are_the_same_as_text() -> None:
    for values in (Values(), GIVEN, Values(Quotas(1, 2, 3, 2**62), Keep(0, 0), 0)):
        assert from_text(as_text(values)) == values
    assert from_text(as_text(Values())).quotas is NONE, "then nothing is counted"
    assert as_text(Values()).keys() == CHANGEABLE.keys()


def test_what_is_set_holds_until_it_is_taken_back() -> None:
    book, changes = SettingsBook(GIVEN), []
    book.on_change = lambda: changes.append(book.now)
    records = book.change({"quota-job": "4GiB", "keep-days": "7", "reserve": "0"})
    assert records[0] == SettingChanged("quota-job", str(4 * 2**30))
    assert book.now == Values(Quotas(job=4 * 2**30), Keep(7.0, 9), 0)
    assert book.change({"quota-job": None}) == [SettingChanged("quota-job", None)]
    assert book.now.quotas == GIVEN.quotas
    assert changes == [Values(Quotas(job=4 * 2**30), Keep(7.0, 9), 0), book.now]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("listen", "1.2.3.4:5"),
        ("nothing", "1"),
        ("quota-job", "much"),
        ("quota-job", "-1"),
        ("quota-job", ""),
        ("quota-all", "1e400"),
        ("reserve", "nan"),
        ("keep-days", "nan"),
        ("keep-days", "-1"),
        ("keep-days", "1e300"),
        ("keep-jobs", "1.5"),
        ("keep-jobs", "9" * 50),
        ("keep-jobs", "\u0663"),
    ],
)
def test_what_cannot_be_set_changes_nothing(name: str, value: str) -> None:
    book = SettingsBook(GIVEN)
    with pytest.raises(OptionsError, match=name):
        book.change({"keep-days": "7", name: value} if name != "keep-days" else {name: value})
    assert book.now == GIVEN


def test_what_an_operator_set_goes_before_the_command_line() -> None:
    book = SettingsBook()
    decided = {"keep-days": "7", "quota-job": "broken", "of-a-later-dc": "1"}
    book.recovered(GIVEN, decided)
    assert book.now == Values(GIVEN.quotas, Keep(7.0, 9), 77)


def test_every_option_is_shown_with_its_help() -> None:
    options = program.parse(["--keep-days", "30", "--quota-job", "4GiB", "--verbose"]).options
    by_name = {one.name: one for one in options}
    assert by_name.keys() >= {"listen", "data", "plugins", "verbose", *CHANGEABLE}
    assert by_name["keep-days"].origin == "command line", "though it is the same as the usual"
    assert by_name["keep-jobs"].origin == "default"
    assert by_name["verbose"].value == "yes"
    assert by_name["keep-days"].doc.endswith("(default 30; 0: never)")
    views = {one.name: one for one in SettingsBook(GIVEN).views(options)}
    assert views["quota-job"].text == "5 bytes"
    assert (views["listen"].changeable, views["reserve"].changeable) == (False, True)


def test_what_was_not_said_is_as_usual() -> None:
    said = program.parse([])
    assert (said.keep, said.quotas, said.reserve, said.plugins) == (Keep(), NONE, None, [])
    assert (said.check, said.verbose, said.data) == (False, False, Path("dc-data"))
    assert program.parse(["--plugins", "a", "--plugins", "b"]).plugins == [Path("a"), Path("b")]


# --- over HTTP ------------------------------------------------------------------------------------


class Configured(Served):
    """A server without a socket, over a store that others may have."""

    def __init__(self, folder: Path, store: MemoryStore) -> None:
        self.store = store
        said = program.parse(["--quota-all", "1MiB"])
        more: dict[str, Any] = {"quotas": said.quotas, "options": said.options}
        settings = Settings("dc test", "http://127.0.0.1:1", folder, 0.0, **more)
        self.app = ServerApp(store, BlobFolder(folder), PluginTypes(Plugins()), settings)
        self.site = Site(self.app)

    async def set(self, changes: dict[str, Any]) -> tuple[int, Any]:
        return await self.ask("PATCH", "/api/settings", changes)


def named(answer: Any) -> dict[str, tuple[str, str]]:
    return {one["name"]: (one["value"], one["origin"]) for one in answer["settings"]}


async def test_settings_are_changed_and_outlive_the_server(tmp_path: Path) -> None:
    store = MemoryStore()
    served = Configured(tmp_path, store)
    await served.app.recover()
    async with trio.open_nursery() as nursery:
        await nursery.start(served.app.run)
        _, answer = await served.ask("GET", "/api/settings")
        assert named(answer)["quota-all"] == (str(2**20), "command line")
        assert named(answer)["keep-jobs"] == (str(limits_store.KEEP_JOBS), "default")
        status, answer = await served.set({"quota-all": "2MiB", "keep-jobs": 5, "keep-days": 0.5})
        assert status == 200
        assert named(answer)["quota-all"] == (str(2**21), "operator")
        assert served.app.reactor.board.usage.quotas.all == 2**21
        assert served.app.retention.keep == Keep(0.5, 5)
        assert "0.5 days" in served.app.reactor.board.kept
        assert await store.settings() == {
            "quota-all": str(2**21), "keep-jobs": "5", "keep-days": "0.5",
        }  # fmt: skip
        served.app.stop()
    again = Configured(tmp_path, store)
    await again.app.recover()
    async with trio.open_nursery() as nursery:
        await nursery.start(again.app.run)
        assert again.app.reactor.board.usage.quotas.all == 2**21
        assert again.app.retention.keep == Keep(0.5, 5)
        _, answer = await again.set({"quota-all": None})
        assert named(answer)["quota-all"] == (str(2**20), "command line")
        assert again.app.reactor.board.usage.quotas.all == 2**20
        again.app.stop()
    assert "quota-all" not in await store.settings()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"listen": "x"}, "body"),
        ({"quota-all": -1}, "body"),
        ({"quota-all": True}, "body"),
        ({"quota-all": 1e300}, "body"),
        ({"quota-all": [1]}, "body"),
        ({"quota-all": "9" * 41}, "body"),
        ({"quota-all": "x"}, "options"),
        ({"keep-jobs": 1.5}, "options"),
        ([], "body"),
    ],
)
async def test_settings_that_are_refused(tmp_path: Path, body: Any, code: str) -> None:
    served = Configured(tmp_path, MemoryStore())
    await served.app.recover()
    async with trio.open_nursery() as nursery:
        await nursery.start(served.app.run)
        status, problem = await served.set(body)
        assert (status, problem["code"]) == (400, code)
        assert served.app.reactor.board.settings.now.quotas == Quotas(all=2**20)
        served.app.stop()


# --- events and the past, over HTTP ---------------------------------------------------------------


async def test_events_page_by_page(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits_shown, "EVENTS_SEARCHED", 4)
    served = Configured(tmp_path, MemoryStore())
    await served.app.recover()
    async with trio.open_nursery() as nursery:
        await nursery.start(served.app.run)
        for days in range(1, 11):
            await served.set({"keep-days": days})
        await trio.sleep(2.5)
        found: list[int] = []
        path = "/api/events?limit=4"
        while True:
            _, page = await served.ask("GET", path)
            found += [one["event"] for one in page["events"]]
            if page["next"] is None:
                break
            path = f"/api/events?limit=4&cursor={page['next']}"
        assert found == list(range(11, 0, -1))
        _, page = await served.ask("GET", "/api/events?kind=setting.changed&after=9")
        assert [one["text"] for one in page["events"]] == [
            "keep-days is 10 days", "keep-days is 9 days",
        ]  # fmt: skip
        texts, path = [], "/api/events?search=IS+1"
        for _ in range(9):
            _, page = await served.ask("GET", path)
            texts += [one["text"] for one in page["events"]]
            if page["next"] is None:
                break
            path = f"/api/events?search=IS+1&cursor={page['next']}"
        assert texts == ["keep-days is 10 days", "keep-days is 1 days"]
        for wrong in (
            "cursor=x",
            "limit=0",
            "limit=9999",
            "level=bad",
            "after=-1",
            "job=-1",
            "a=b",
        ):
            status, problem = await served.ask("GET", f"/api/events?{wrong}")
            assert (status, problem["code"]) in ((400, "query"), (400, "cursor")), wrong
        served.app.stop()


async def test_the_past_over_http(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    served = Configured(tmp_path, MemoryStore())
    await served.app.recover()
    async with trio.open_nursery() as nursery:
        await nursery.start(served.app.run)
        await trio.sleep(1.5)
        status, history = await served.ask("GET", "/api/history?points=10")
        assert status == 200
        assert len(history["at"]) <= 10
        assert history["series"].keys() >= {"done", "queued", "busy", "bytes"}
        for wrong in ("since=nan", "since=-1", "until=inf", "points=0", "points=1001", "since=x"):
            status, problem = await served.ask("GET", f"/api/history?{wrong}")
            assert (status, problem["code"]) == (400, "query"), wrong
        status, problem = await served.ask("GET", "/api/history?since=10&until=10")
        assert (status, problem["code"]) == (400, "options")
        status, problem = await served.ask("GET", "/api/worker-history/nobody")
        assert (status, problem["code"]) == (404, "unknown_worker")
        status, overview = await served.ask("GET", "/api/overview")
        assert status == 200
        assert overview["attention"] == []
        assert overview["status"]["disk_free"] > 0
        served.app.stop()
