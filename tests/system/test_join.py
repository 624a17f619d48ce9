"""Computers become workers of a server with TLS: real programs, over real sockets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from dc import invites
from dc.invites import Invite
from dc.view_access import MadeInvite
from tests.system.processes import ROOT, START_SECONDS, Machine, Program, until
from tests.system.secured import SecureServer

HERE = {"PYTHONPATH": str(ROOT)}


def worker(machine: Machine, name: str, *arguments: object, **options: Any) -> Program:
    """Start a worker with a folder of its name."""
    rest = "--name", name, "--slots", 1, "--spares", 0, "--data", machine.folder / f"w-{name}"
    program = options.pop("program", ("dc.worker",))
    return machine.start(*program, *arguments, *rest, name=name, **options)


async def says(program: Program, text: str) -> None:
    """Wait until a program has said something."""
    await until(lambda: text in program.text(), f"{text!r}", START_SECONDS, program.text)


def command_line(program: Program) -> str:
    """What other users see of a program; nothing where there is no such file."""
    path = Path(f"/proc/{program.pid}/cmdline")
    return path.read_text() if path.exists() else ""


def secret_of(code: MadeInvite) -> str:
    return invites.read(code.code).secret.hex()


async def test_a_code_is_all_that_a_computer_needs(machine: Machine) -> None:
    server = await SecureServer.start(machine)
    code = await server.invite()
    one = worker(machine, "one", code.code)
    await server.has_workers("one", programs=(one,))
    assert invites.PREFIX not in command_line(one)
    job = {"type": "square", "tasks": [3, 4]}
    made = await server.ask("POST", "/api/jobs", job)
    path = f"/api/jobs/{made['job']}"
    await server.until(path, lambda found: found["counts"]["done"] == 2, "the job", one)

    # It is good once; whoever uses it is told what to do.
    two = worker(machine, "two", code.code)
    assert await two.ended() == 2
    assert "does not take this join code" in two.text()
    assert secret_of(code) not in two.text()

    # From then on it is that worker: without an address, and wherever the server is.
    await one.stop()
    one = worker(machine, "one")
    await server.has_workers("one", programs=(one,))
    await one.stop()
    await server.program.stop(signal.SIGTERM)
    server = await SecureServer.again(machine, server.server.port + 1, server.token)
    one = worker(machine, "one", f"https://localhost:{server.server.port}")
    await server.has_workers("one", programs=(one,))
    assert [key["name"] for key in await server.keys()] == ["one"]


async def test_a_code_comes_from_a_file_or_the_environment(
    machine: Machine, tmp_path: Path
) -> None:
    server = await SecureServer.start(machine)
    code = await server.invite(uses=2)
    file = tmp_path / "cmdline"
    file.write_text(f"root=/dev/nfs dc.invite={code.code} quiet\n")
    one = worker(machine, "one", "--join", file)
    two = worker(machine, "two", environment={"DC_JOIN": code.code})
    await server.has_workers("one", "two", programs=(one, two))
    assert await server.uses_left(code) == 0


async def test_a_man_in_the_middle_is_refused_and_the_code_is_still_good(machine: Machine) -> None:
    server = await SecureServer.start(machine)
    code = await server.invite()
    said = invites.read(code.code)
    wrong = Invite(said.secret, b"x" * invites.PIN_BYTES, said.addresses).text
    one = worker(machine, "one", wrong)
    assert await one.ended() == 2
    assert "shows another key" in one.text()
    assert await server.uses_left(code) == 1
    one = worker(machine, "one", code.code)
    await server.has_workers("one", programs=(one,))


async def test_an_operator_says_yes_or_no(machine: Machine) -> None:
    server = await SecureServer.start(machine)
    code = await server.invite(uses=2, approve=True)
    yes = worker(machine, "yes", code.code)
    no = worker(machine, "no", code.code)
    for one in (yes, no):
        await says(one, "waiting for an operator to approve this worker at https://127.0.0.1")
    keys = {key["name"]: key["key"] for key in await server.keys()}
    await server.ask("POST", f"/api/worker-keys/{keys['yes']}/approve", {})
    await server.ask("DELETE", f"/api/worker-keys/{keys['no']}")
    assert await no.ended() == 2
    assert "an operator said no" in no.text()
    await server.has_workers("yes", programs=(yes,))


async def test_a_restarted_worker_goes_on_waiting(machine: Machine) -> None:
    server = await SecureServer.start(machine)
    code = await server.invite(approve=True)
    one = worker(machine, "one", code.code)
    await says(one, "waiting for an operator")
    one.kill()
    one = worker(machine, "one")
    await says(one, "waiting for an operator")
    (key,) = await server.keys()
    await server.ask("POST", f"/api/worker-keys/{key['key']}/approve", {})
    await server.has_workers("one", programs=(one,))


async def test_without_a_code_both_sides_show_a_number(machine: Machine) -> None:
    server = await SecureServer.start(machine)
    one = worker(machine, "one", server.server.url, "--trust-network")
    await says(one, f"compare it at {server.server.url}/workers")
    (key,) = await server.keys()
    assert f"{key['number'][:3]} {key['number'][3:]}" in one.text()
    await server.ask("POST", f"/api/worker-keys/{key['key']}/approve", {})
    await server.has_workers("one", programs=(one,))
    # Nobody is there to compare it:
    two = worker(machine, "two", server.server.url)
    assert await two.ended() == 2
    assert "nobody is here to compare a number: make a join code" in two.text()


@pytest.mark.skipif(sys.platform == "win32", reason="it has no pseudo-terminals")
@pytest.mark.parametrize("answer", ["y", "n"])
async def test_a_person_at_the_terminal_compares_it(
    machine: Machine, tmp_path: Path, answer: str
) -> None:
    server = await SecureServer.start(machine)
    here, there = os.openpty()
    command = [sys.executable, "-m", "dc.worker", server.server.url, "--name", "one"]
    command += ["--slots", "1", "--spares", "0", "--data", str(tmp_path / "w")]
    process = subprocess.Popen(  # noqa: ASYNC220  as the other programs here
        command, stdin=there, stdout=there, stderr=there, start_new_session=True
    )
    os.close(there)
    try:
        said = b""
        while b"[y/N]" not in said:
            said += await trio.to_thread.run_sync(os.read, here, 4096)
        (key,) = await server.keys()
        assert f"{key['number'][:3]} {key['number'][3:]}".encode() in said
        # A server that says yes by itself is not enough.
        await server.ask("POST", f"/api/worker-keys/{key['key']}/approve", {})
        os.write(here, f"{answer}\n".encode())
        if answer == "y":
            await server.has_workers("one")
        else:
            assert await trio.to_thread.run_sync(process.wait, 30) == 2
    finally:
        process.kill()
        process.wait()
        os.close(here)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", [0, 1, 2])
async def test_killed_at_any_step_it_is_in_in_the_end_and_the_code_is_not_burnt(
    machine: Machine, step: int, when: str
) -> None:
    server = await SecureServer.start(machine)
    code = await server.invite()
    arguments = ("tests.system.killed_joining", step, when)
    one = worker(machine, "one", code.code, program=arguments, environment=HERE)
    assert await one.ended() == -signal.SIGKILL
    noted = (machine.folder / "w-one" / "servers").exists()
    assert noted == ((step, when) != (0, "before"))
    assert (machine.folder / "w-one" / "worker.key").exists()
    # Whoever was killed before anything was written down has to be told the code again.
    one = worker(machine, "one", *([] if noted else [code.code]))
    await server.has_workers("one", programs=(one,))
    assert await server.uses_left(code) == 0
    assert [key["state"] for key in await server.keys()] == ["joined"]
    assert secret_of(code) not in (machine.folder / "w-one" / "servers").read_text()
