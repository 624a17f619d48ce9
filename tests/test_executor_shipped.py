"""Executors as real processes run plugins that came as archives."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest
import trio

from dc.executor import Executor
from dc.messages_parts import Failure
from dc.pipe import Busy, FromExecutor, InFile, Loaded, Ran, Ready, Run, Wrote
from tests.archives import CODE, unpacked

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="not tried there")

BOUND_SECONDS = 50.0
Columns: TypeAlias = tuple[list[int], list[int], list[bytes | InFile]]


class Process:
    """An executor without plugins of its own, and a folder for archives."""

    def __init__(self, executor: Executor, folder: Path) -> None:
        self.executor = executor
        self.folder = folder
        self.loaded: list[Loaded] = []
        self.jobs = 0

    async def next(self) -> FromExecutor:
        while True:
            message = await self.executor.receive()
            assert message is not None, self.executor.exit_text
            if not isinstance(message, Wrote):
                return message

    async def run(
        self,
        plugin: Path | str,
        payload: Any = "hi",
        *,
        version: str = "1",
        site: str = "",
        environment: dict[str, str] | None = None,
    ) -> Any:
        """Run one task; return its result, or its failure."""
        self.jobs += 1
        columns: Columns = [0], [1], [msgspec.msgpack.encode(payload)]
        where = "shout", version, str(self.folder)
        run = Run(self.jobs, *where, *columns, {}, environment or {}, plugin=str(plugin), site=site)
        await self.executor.send(run)
        while isinstance(message := await self.next(), Loaded | Busy):
            if isinstance(message, Loaded):
                assert message.job == self.jobs
                self.loaded.append(message)
        assert isinstance(message, Ran)
        (outcome,) = message.outcomes
        return msgspec.msgpack.decode(outcome) if isinstance(outcome, bytes) else outcome


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[Process]:
    with trio.fail_after(BOUND_SECONDS):
        executor = await Executor.start([], entry_points=False)
        try:
            process = Process(executor, folder)
            assert await process.next() == Ready([], {}, {})
            yield process
        finally:
            await executor.aclose()


def made(folder: Path, change: tuple[str, str] = ("", ""), **more: Any) -> Path:
    """Return an unpacked archive whose code was changed."""
    files: Mapping[str, str | bytes] = {"code/shouting.py": CODE.replace(*change)}
    return unpacked(folder, {**files, **more.pop("files", {})}, **more)


async def test_versions_run_side_by_side_and_are_imported_once(tmp_path: Path) -> None:
    async with started(tmp_path) as process:
        old = made(process.folder)
        new = made(process.folder, ("upper()", "upper() + '!'"))
        for _ in range(2):
            assert await process.run(old) == "HI"
            assert await process.run(new) == "HI!"
        assert process.loaded == [Loaded(1, str(old)), Loaded(2, str(new))]


async def test_a_broken_import_is_the_tasks_failure(tmp_path: Path) -> None:
    async with started(tmp_path) as process:
        broken = made(process.folder, ("import dc", "import dc\nimport no_such_thing"))
        for _ in range(2):
            failure = await process.run(broken)
            assert isinstance(failure, Failure)
            assert failure.kind == "error"
            assert "plugin 'shouting': cannot be imported: ModuleNotFoundError" in failure.error
            assert "(shouting.py, line 2)" in failure.error
        assert len(process.loaded) == 1
        assert "no_such_thing" in process.loaded[0].error
        assert await process.run(made(process.folder)) == "HI", "others go on"


async def test_a_version_that_the_plugin_has_not(tmp_path: Path) -> None:
    async with started(tmp_path) as process:
        failure = await process.run(made(process.folder), version="7")
        assert "no task type 'shout' version '7'; there is shout 1" in failure.error


async def test_what_is_gone_is_looked_for_again(tmp_path: Path) -> None:
    async with started(tmp_path) as process:
        folder = made(process.folder)
        away = folder.rename(process.folder / "away")
        failure = await process.run(folder)
        assert "what was unpacked of it is gone" in failure.error
        away.rename(folder)
        assert await process.run(folder) == "HI"
        other = made(process.folder, ("upper()", "lower()"))
        failure = await process.run(other, site="/no/such/site")
        assert "what was installed for it is gone: /no/such/site" in failure.error


async def test_dependencies_that_travel_and_those_of_a_site(tmp_path: Path) -> None:
    async with started(tmp_path) as process:
        site = process.folder / "site"
        site.mkdir()
        (site / "marks.py").write_text("MARK = '!'")
        change = "text.upper()", "loudness.loud(text) + marks.MARK"
        code = CODE.replace(*change).replace("import dc", "import dc\nimport loudness, marks")
        files = {"code/shouting.py": code, "deps/loudness.py": "loud = str.upper"}
        folder = unpacked(process.folder, files)
        assert await process.run(folder, site=str(site)) == "HI!"


async def test_variables_are_set_before_the_import(tmp_path: Path) -> None:
    async with started(tmp_path) as process:
        change = "text.upper()", "COLOUR"
        code = CODE.replace(*change).replace("import dc", "import dc, os\nCOLOUR = os.environ['C']")
        folder = unpacked(process.folder, {"code/shouting.py": code})
        assert await process.run(folder, environment={"C": "red"}) == "red"


async def test_what_an_import_prints_and_starts_is_no_tasks(tmp_path: Path) -> None:
    """A thread, a handler and a line of output do not have the executor replaced."""
    async with started(tmp_path) as process:
        lines = (
            "import dc, os, signal, threading",
            "print('imported')",
            "os.environ['SET'] = 'x'",
            "signal.signal(signal.SIGUSR1, lambda *_: None)",
            "threading.Thread(target=threading.Event().wait, daemon=True).start()",
        )
        folder = made(process.folder, ("import dc", "\n".join(lines)))
        for _ in range(3):
            assert await process.run(folder) == "HI"


async def test_an_import_takes_its_time(tmp_path: Path) -> None:
    """The task is not told to take long before it begins."""
    async with started(tmp_path) as process:
        folder = made(process.folder, ("import dc", "import dc, time\ntime.sleep(1.5)"))
        process.jobs += 1
        columns: Columns = [0, 1], [1, 1], [msgspec.msgpack.encode(one) for one in ("hi", "ho")]
        where = 1, "shout", "1", str(process.folder)
        await process.executor.send(Run(*where, *columns, plugin=str(folder)))
        ran: list[int] = []
        while len(ran) < 1:
            message = await process.next()
            if isinstance(message, Ran):
                ran += message.numbers
                assert max(message.times) < 1.5, "the import counts"
            else:
                assert isinstance(message, Loaded | Busy)
