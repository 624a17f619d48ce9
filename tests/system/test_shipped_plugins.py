"""Workers that have nothing but dc run the server's plugins, with what these depend on."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

import dc
from dc.errors import TaskFailed
from dc.worker.installing import find_tool
from tests.system.empty_environment import compiled_wheel, empty_environment
from tests.system.processes import Machine

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and paths of POSIX")

SECONDS = 100.0
PROJECT = """\
[project]
name = "{name}"
version = "1"
dependencies = ["{dependency}"]
[project.entry-points.dc]
{name} = "{name}"
"""
CODE = """\
import dc

@dc.task_type
def {name}(number: int) -> int:
    from dc_test_twice import twice
    return twice(number)
"""


def write(machine: Machine, name: str, dependency: str) -> None:
    """Write a plugin that has a dependency which is not installed beside the server."""
    folder = machine.plugins / name
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PROJECT.format(name=name, dependency=dependency))
    (folder / f"{name}.py").write_text(CODE.format(name=name))


def only(wheels: Path, path: Path) -> dict[str, str]:
    """Return variables by which uv and pip find these wheels, and nothing else."""
    found = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PATH": str(path)}
    return {**found, "UV_NO_INDEX": "1", "UV_FIND_LINKS": str(wheels), "UV_OFFLINE": "1"}


async def results(client: dc.AsyncClient, name: str, *payloads: Any) -> list[Any]:
    job = await client.submit(name, payloads)
    return [value async for value in job.results()]


async def failure(client: dc.AsyncClient, name: str) -> TaskFailed:
    with pytest.raises(TaskFailed) as error:
        await results(client, name, 21)
    return error.value


@pytest.mark.parametrize("tool", ["uv", "pip"])
async def test_a_compiled_dependency_is_installed_once(machine: Machine, tool: str) -> None:
    programs = machine.folder / "bin"
    programs.mkdir()
    if tool == "uv":
        found = find_tool()
        assert found is not None
        assert found.name == "uv", "install dc[dev]"
        (programs / "uv").symlink_to(shutil.which(found.command[0]) or "")
    python = empty_environment(machine.folder / "empty", *(["pip"] if tool == "pip" else []))
    wheels = compiled_wheel(machine.folder / "wheel")
    write(machine, "twice", "dc-test-twice>=1")
    write(machine, "again", "dc-test-twice >= 1")
    server = await machine.server()
    start: dict[str, Any] = {"python": python, "environment": only(wheels, programs), "plugins": []}
    worker = await machine.worker(server, "one", slots=2, **start)
    with trio.fail_after(SECONDS):
        async with machine.client(server) as client:
            assert await results(client, "twice", *range(20)) == list(range(0, 40, 2))
            assert await results(client, "again", 21) == [42]
            assert await results(client, "square", 5) == [25], "the server's plugins run there"
    assert worker.text().count("installing dc-test-twice>=1 by " + tool) == 1
    sites = machine.folder / "worker-one" / "code" / "sites"
    assert len(list(sites.iterdir())) == 1


async def test_what_cannot_be_installed_fails_its_tasks_alone(machine: Machine) -> None:
    python = empty_environment(machine.folder / "empty", "pip")
    wheels = machine.folder / "wheels"
    wheels.mkdir()
    write(machine, "twice", "dc-test-twice>=1")
    server = await machine.server()
    environment = only(wheels, machine.folder)
    start: dict[str, Any] = {"python": python, "environment": environment, "plugins": []}
    worker = await machine.worker(server, "one", **start)
    with trio.fail_after(SECONDS):
        async with machine.client(server) as client:
            error = await failure(client, "twice")
            assert "plugin 'twice' cannot be used by this worker: pip cannot install" in str(error)
            assert "No matching distribution found for dc-test-twice>=1" in error.args[0]
            assert "dc-test-twice" in error.traceback
            assert "pip cannot install" in str(await failure(client, "twice"))
            assert await results(client, "square", 5) == [25]
    assert worker.text().count("installing dc-test-twice") == 1, "it is remembered"
    code = machine.folder / "worker-one" / "code"
    assert list((code / "sites").iterdir()) == []


async def test_nothing_to_install_with_and_not_allowed(machine: Machine) -> None:
    python = empty_environment(machine.folder / "empty")
    write(machine, "twice", "dc-test-twice>=1")
    server = await machine.server()
    environment = {"PATH": str(machine.folder)}
    await machine.worker(server, "one", python=python, environment=environment, plugins=[])
    with trio.fail_after(SECONDS):
        async with machine.client(server) as client:
            assert "there is neither uv nor pip for" in str(await failure(client, "twice"))
            assert await results(client, "noop", b"x") == [b"x"]


async def test_a_worker_runs_what_is_signed_by_those_that_it_trusts(machine: Machine) -> None:
    """Signed without the server: by a key that it does not have. Its own plugins it runs anyway."""
    signed = machine.folder / "signed"
    signed.mkdir()
    project = PROJECT.format(name="signed", dependency="distributed-computing")
    (signed / "pyproject.toml").write_text(project)
    (signed / "signed.py").write_text(
        "import dc\n\n@dc.task_type\ndef cube(number: int) -> int:\n    return number**3\n"
    )
    key = machine.folder / "key"
    assert machine.command("dc", "plugins", "keygen", key).returncode == 0
    done = machine.command("dc", "plugins", "sign", signed, "--key", key)
    assert done.returncode == 0, done.stderr
    server = await machine.server(plugins=[machine.plugins, signed])
    trusting = ("--spares", 0, "--trust", f"{key}.pub")
    worker = await machine.worker(server, "one", plugins=[], arguments=trusting)
    with trio.fail_after(SECONDS):
        async with machine.client(server) as client:
            assert await results(client, "cube", 3) == [27]
            with pytest.warns(dc.NoWorkerWarning, match="signed by a key"):
                job = await client.submit("square", [5])
            await machine.worker(server, "two", arguments=trusting)
            assert [value async for value in job.results()] == [25], "by its own code"
    assert "square" not in worker.text()
