"""Sites are made once for each set of dependencies, whole or not at all."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
from msgspec.structs import replace

from dc import limits_plugins as limits
from dc.errors import PluginError
from dc.process_tree import all_processes
from dc.worker.installing import InstallError, Tool, find_tool, install
from dc.worker.plugin_folder import PluginFolder
from dc.worker.sites import Sites
from tests.system.processes import until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="not tried there")

MAKE = """
import sys, time, pathlib
folder, *wanted = sys.argv[1:]
time.sleep(0.05)
with open(sys.argv[0] + ".ran", "a") as log:
    log.write(",".join(wanted) + "\\n")
for one in wanted:
    (pathlib.Path(folder) / one.partition(">")[0]).mkdir()
"""
FAIL = """
import sys
print("reading the index")
print("ERROR: no matching distribution", file=sys.stderr)
sys.exit(3)
"""
HANG = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
with open(sys.argv[0] + ".new", "w") as file:
    file.write(f"{os.getpid()} {child.pid}")
os.rename(sys.argv[0] + ".new", sys.argv[0] + ".pids")
time.sleep(1000)
"""


def tool(folder: Path, code: str) -> Tool:
    """Return a program that installs as this code does."""
    script = folder / "tool.py"
    script.write_text(code)
    return Tool("fake", (sys.executable, str(script)))


def sites(folder: Path, code: str = MAKE, *, installs: bool = True) -> Sites:
    made = tool(folder, code)
    return Sites(PluginFolder(folder / "code"), installs=installs, find=lambda: made)


def installed(folder: Path) -> list[str]:
    return (folder / "tool.py.ran").read_text().split()


def left(folder: Path) -> list[str]:
    return sorted(one.name for one in (folder / "code" / "sites").glob("*"))


async def test_a_set_is_installed_once_whoever_asks(tmp_path: Path) -> None:
    found: list[Path | None] = []
    several = [sites(tmp_path) for _ in range(3)]  # as many workers

    async def ask(one: Sites, wanted: Sequence[str]) -> None:
        found.append(await one.site(wanted))

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            for one in several:
                nursery.start_soon(ask, one, ["two", "one >= 1"])
                nursery.start_soon(ask, one, ["one>=1", "two", "three; python_version < '3'"])
        assert len(set(found)) == 1
        (site,) = set(found)
        assert site is not None
        assert {one.name for one in site.iterdir()} == {"one", "two", "dc-site.json"}
        assert installed(tmp_path) == ["one>=1,two"]
        other = await several[0].site(["one>=1"])
    assert other != site
    assert len(left(tmp_path)) == 2


async def test_what_is_of_no_matter_here_needs_no_site(tmp_path: Path) -> None:
    made = sites(tmp_path, FAIL)
    assert await made.site(["three; python_version < '3'", "four; sys_platform == 'none'"]) is None
    assert await made.site([]) is None


async def test_a_failure_tells_why_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InstallError) as error, trio.fail_after(60):
        await sites(tmp_path, FAIL).site(["one"])
    text = str(error.value)
    assert "fake cannot install one: it says 'ERROR: no matching distribution'" in text
    assert error.value.detail.splitlines() == [
        "reading the index",
        "ERROR: no matching distribution",
    ]
    assert left(tmp_path) == []
    with trio.fail_after(60):
        assert await sites(tmp_path, MAKE).site(["one"]), "once it can be installed"


async def test_one_that_takes_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "INSTALL_SECONDS", 0.3)
    with pytest.raises(InstallError, match="one took fake longer than"), trio.fail_after(60):
        await sites(tmp_path, HANG).site(["one"])
    assert left(tmp_path) == []


async def test_cancelling_kills_all_that_was_started_and_leaves_nothing(tmp_path: Path) -> None:
    started = tmp_path / "tool.py.pids"
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sites(tmp_path, HANG).site, ["one"])
            await until(started.exists, "what installs to have started")
            nursery.cancel_scope.cancel()
    pids = set(map(int, started.read_text().split()))
    assert len(pids) == 2
    assert not [one for one in all_processes() if one.pid in pids and one.is_alive]
    assert left(tmp_path) == []
    with trio.fail_after(60):
        assert await sites(tmp_path, MAKE).site(["one"]), "the lock is free"


@pytest.mark.parametrize(
    "text",
    [
        *("--index-url=http://evil", "-r file", "", "a b", "one>=", "./x"),
        "one; os_name ~= 'none'",
        f"one; {'(' * 900}os_name == 'posix'",
    ],
)
async def test_what_is_no_dependency_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(PluginError, match="which says nothing"):
        await sites(tmp_path).site(["one", text])
    assert not (tmp_path / "tool.py.ran").exists()


async def test_a_worker_that_installs_nothing_uses_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="installs nothing"):
        await sites(tmp_path, installs=False).site(["one"])
    with trio.fail_after(60):
        site = await sites(tmp_path).site(["one"])
    assert await sites(tmp_path, installs=False).site(["one"]) == site


async def test_nothing_to_install_with(tmp_path: Path) -> None:
    made = Sites(PluginFolder(tmp_path), installs=True, find=lambda: None)
    with pytest.raises(PluginError, match="there is neither uv nor pip for"):
        await made.site(["one"])


async def test_what_is_named_by_an_address_may_have_to_be_built(tmp_path: Path) -> None:
    """Tools build it even when they are told to take only what is built, as root if need be."""
    named = ["one", "two @ git+https://example.org/two"]
    made = replace(tool(tmp_path, MAKE), built=True)
    some = Sites(PluginFolder(tmp_path / "code"), installs=True, find=lambda: made)
    with trio.fail_after(60):
        with pytest.raises(InstallError, match=r"two.* named by an address"):
            await some.site(named)
        assert not (tmp_path / "tool.py.ran").exists()
        assert await some.site(named[:1]) is not None
        assert await sites(tmp_path, "").site(named) is not None


async def test_a_site_of_which_some_was_removed_is_made_again(tmp_path: Path) -> None:
    made = sites(tmp_path)
    with trio.fail_after(60):
        site = await made.site(["one"])
        assert site is not None
        (site / "dc-site.json").unlink()
        assert await made.site(["one"]) == site
    assert (site / "dc-site.json").is_file()


async def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "code").write_text("a file")
    with pytest.raises(PluginError, match="nothing can be installed to"):
        await sites(tmp_path).site(["one"])


async def test_a_tool_that_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="cannot start /no/such/program"):
        await install(Tool("uv", ("/no/such/program",)), ["one"], tmp_path)


async def test_a_null_in_what_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match=r"cannot start .*null"):
        await sites(tmp_path).site(["one @ http://two\0three"])


async def test_much_output_is_bounded(tmp_path: Path) -> None:
    code = "print('x' * 10**7)\nfor n in range(10**4): print(n)\nraise SystemExit(1)"
    with pytest.raises(InstallError) as error, trio.fail_after(60):
        await install(tool(tmp_path, code), ["one"], tmp_path)
    lines = error.value.detail.splitlines()
    assert len(lines) == limits.INSTALL_LINES
    assert lines[-1] == "9999"


def test_uv_comes_first_and_pip_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    monkeypatch.setattr(sys, "executable", str(bin_ / "python"))
    pip = find_tool({"PATH": str(tmp_path)})
    assert pip is not None
    assert pip.name == "pip"
    assert pip.command[0] == str(bin_ / "python")
    (bin_ / "uv").touch(0o755)
    for path in ("", str(bin_)):
        uv = find_tool({"PATH": path})
        assert uv is not None
        assert (uv.name, uv.command[0]) == ("uv", str(bin_ / "uv"))
        assert uv.command[-2:] == (str(bin_ / "python"), "--target")
        built = find_tool({"PATH": path}, built=True)
        assert built is not None
        assert set(built.command) - set(uv.command) == {"--only-binary", ":all:"}
        assert built.command[-1] == "--target"
