"""A plugin that is edited while its tasks run, with real processes: nobody is restarted."""

from __future__ import annotations

from pathlib import Path

from tests.system.processes import Machine, Server, until

TASKS = 1000
HERE = str(Path(__file__))  # a gate that is open
CODE = '''\
"""Tells which version of it runs."""
import time
from pathlib import Path

import dc

from .word import WORD

@dc.task_type
def which(gate: str) -> str:
    """Say a word, once a file is there."""
    while not Path(gate).exists():
        time.sleep(0.005)
    from . import late
    return f"{WORD} {late.WORD}"
'''


def write(machine: Machine, word: str) -> None:
    """Write the plugin `edited`: a package whose modules are imported early and late."""
    folder = machine.plugins / "edited"
    folder.mkdir(exist_ok=True)
    for name, text in (("late", f"WORD = {word!r}\n"), ("word", f"WORD = {word!r}\n")):
        (folder / f"{name}.py").write_text(text)
    (folder / "__init__.py").write_text(CODE)


def archive(server: Server) -> str:
    """Return the archive that new jobs of the type get."""
    (found,) = (one for one in server.json("/api/types")["types"] if one["name"] == "which")
    return str(found["archive"])


async def changed(server: Server, before: str) -> str:
    await until(lambda: archive(server) != before, "the edit to be taken up")
    return archive(server)


def counts(server: Server, job: int) -> dict[str, int]:
    found: dict[str, int] = server.json(f"/api/jobs/{job}")["counts"]
    return found


def unpacked(folder: Path) -> set[str]:
    return {one.name for one in (folder / "plugins").iterdir()}


async def test_old_tasks_run_old_code_and_new_ones_new(machine: Machine) -> None:
    write(machine, "old")
    server = await machine.server()
    worker = await machine.worker(server, "one", slots=2, plugins=[])
    other = await machine.worker(server, "two", slots=1, plugins=[])
    before, gate = archive(server), machine.folder / "gate"
    async with machine.client(server) as client:
        first = await client.submit("which", [HERE] * 50 + [str(gate)] * (TASKS - 50))
        await server.is_done(first.number, 50)
        await until(lambda: counts(server, first.number)["running"] == 3, "tasks at the gate")
        executors = {*worker.children(), *other.children()}
        assert len(executors) == 3
        write(machine, "new")
        after = await changed(server, before)
        second = await client.submit("which", [HERE] * (TASKS // 10))
        assert counts(server, first.number)["done"] == 50, "they run on while it is edited"
        gate.touch()
        assert {value async for value in second.results()} == {"new new"}
        write(machine, "newest +")  # larger, so that it is seen whatever the clock of the disk
        third_archive = await changed(server, after)
        third = await client.submit("which", [HERE] * 10)
        assert {value async for value in third.results()} == {"newest + newest +"}
        assert [value async for value in first.results()] == ["old old"] * TASKS
    assert all(one.alive for one in (server.program, worker, other))
    assert executors == {*worker.children(), *other.children()}, "some were replaced"
    await until(lambda: before not in unpacked(machine.data), "old code to be unloaded")
    assert third_archive in unpacked(machine.data)


async def test_a_job_keeps_its_code_over_a_kill_and_without_its_folder(machine: Machine) -> None:
    write(machine, "old")
    server = await machine.server()
    async with machine.client(server) as client:
        job = await client.submit("which", [HERE] * 20)
        await until(lambda: job.number > 0, "the job")
    server.program.kill()
    write(machine, "newer")
    (machine.plugins / "edited" / "__init__.py").unlink()
    server = await machine.server(server.port)
    assert not [one for one in server.json("/api/types")["types"] if one["name"] == "which"]
    rows = server.json("/api/plugins")["plugins"]
    assert [(one["name"], one["jobs"]) for one in rows if not one["in_service"]] == [("edited", 1)]
    await machine.worker(server, "one", plugins=[])
    async with machine.client(server) as client:
        job = await client.job(1)
        assert [value async for value in job.results()] == ["old old"] * 20


async def test_a_broken_edit_is_told_and_changes_nothing(machine: Machine) -> None:
    write(machine, "old")
    server = await machine.server()
    await machine.worker(server, "one", plugins=[])
    (machine.plugins / "edited" / "__init__.py").write_text("def broken(:\n")
    await until(lambda: bool(server.json("/api/plugins")["broken"]), "the mistake to be told")
    told = machine.command("dc", "plugins", "--server", server.address)
    assert "stays in service: cannot be imported: SyntaxError" in told.stderr
    async with machine.client(server) as client:
        job = await client.submit("which", [HERE])
        assert [value async for value in job.results()] == ["old old"]
