"""Backups of a server that works, and what is made of them."""

from __future__ import annotations

import hashlib
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from dc import limits
from dc.store_file import DATABASE
from tests.system.processes import Machine

TASKS = 200


def identity(data: Path) -> str:
    with closing(sqlite3.connect(data / DATABASE)) as database:
        return str(database.execute("SELECT identity FROM folder").fetchone()[0])


async def test_a_job_goes_on_from_a_backup(machine: Machine) -> None:
    server = await machine.server()
    await machine.worker(server, "one")
    archive, restored = machine.folder / "backup.tar", machine.folder / "restored"
    large = [bytes([n]) * (limits.INLINE_BYTES + n) for n in range(3)]
    async with machine.client(server) as client:
        blobs = await client.submit("noop", large)
        assert [value async for value in blobs.results(large="value")] == large
        job = await client.submit("slow", range(TASKS))
        await server.is_done(job.number, 10)
        done = machine.command("dc", "backup", archive, "--server", server.address)
        assert done.returncode == 0, done.stderr
        assert server.json(f"/api/jobs/{job.number}")["counts"]["done"] < TASKS
        again = machine.command("dc", "backup", archive, "--server", server.address)
        assert (again.returncode, "is there already" in again.stderr) == (2, True)
    assert not list(machine.data.glob("backup-*")), "the copy is not left behind"
    server.program.kill()
    done = machine.command("dc.server", "--data", restored, "--restore", archive)
    assert done.stdout == f"restored and checked: 2 jobs in {restored}\n", done.stderr
    assert identity(restored) != identity(machine.data), "its next jobs are others"
    machine.data = restored
    server = await machine.server()
    await machine.worker(server, "two")
    async with machine.client(server) as client:
        assert [value async for value in (await client.job(1)).results(large="value")] == large
        job = await client.job(2)
        assert [value async for value in job.results()] == list(range(TASKS))
    assert await server.program.stop() == 0
    done = machine.command("dc.server", "--data", restored, "--check")
    assert (done.returncode, done.stdout) == (0, f"{restored} is whole\n"), done.stderr
    (blob,) = restored.glob(f"blobs/*/{hashlib.sha256(large[2]).hexdigest()[2:]}")
    blob.write_bytes(b"scribbled")
    done = machine.command("dc.server", "--data", restored, "--check")
    assert (done.returncode, "has other bytes" in done.stdout) == (1, True), done.stdout


async def test_what_is_no_backup_is_not_restored(machine: Machine) -> None:
    server = await machine.server()
    archive = machine.folder / "backup.tar"
    done = machine.command("dc", "backup", archive, "--server", server.address)
    assert done.returncode == 0, done.stderr
    whole = archive.read_bytes()
    other = machine.folder / "other.tar"
    with tarfile.open(other, "w") as tar:
        tar.add(Path(__file__), "../outside")
    cases = {
        "cut": (whole[: len(whole) // 2], "is damaged"),
        "scribbled": (whole[:5000] + b"?" * 4000 + whole[9000:], "is damaged"),
        "empty": (b"", "is damaged"),
        "other": (other.read_bytes(), "is no backup of dc"),
    }
    for name, (data, text) in cases.items():
        archive.write_bytes(data)
        folder = machine.folder / name
        done = machine.command("dc.server", "--data", folder, "--restore", archive)
        assert (done.returncode, text in done.stderr) == (2, True), done.stderr
        assert "Traceback" not in done.stderr
    archive.write_bytes(whole)
    done = machine.command("dc.server", "--data", machine.data, "--restore", archive)
    assert "is not empty: restore to a new folder" in done.stderr
    done = machine.command("dc.server", "--data", machine.data, "--restore", archive / "none")
    assert done.returncode == 2, done.stderr


@pytest.mark.parametrize("option", [[], ["--accept-loss"]])
async def test_a_server_without_its_log(machine: Machine, option: list[str]) -> None:
    server = await machine.server()
    await machine.worker(server, "one")
    async with machine.client(server) as client:
        await (await client.submit("square", range(5))).wait()
    server.program.kill()
    (machine.data / "dc.sqlite3-wal").unlink()
    where = ["--listen", "127.0.0.1:0", "--data", machine.data, *option]
    if option:
        program = machine.start("dc.server", *where, name="server")
        server = await type(server).up(program)
        assert server.json("/api/jobs")["jobs"] == []
        assert "--accept-loss" in program.err.read_text()
    else:
        done = machine.command("dc.server", *where)
        assert (done.returncode, "put that file back" in done.stderr) == (2, True), done.stderr
