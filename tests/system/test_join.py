"""Computers become workers of a server with TLS: real programs, over real sockets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
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


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureServer]:
    """A server for all tests that leave it as it is; each has workers of other names."""
    with Machine(tmp_path_factory.mktemp("secure")) as machine:
        yield trio.run(SecureServer.start, machine)


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
    server = await SecureServer.again(machine, 0, server.token)
    one = worker(machine, "one", f"https://localhost:{server.server.port}")
    await server.has_workers("one", programs=(one,))
    assert [key["name"] for key in await server.keys()] == ["one"]


async def test_a_code_comes_from_a_file_or_the_environment(
    machine: Machine, secure: SecureServer, tmp_path: Path
) -> None:
    code = await secure.invite(uses=2)
    file = tmp_path / "cmdline"
    file.write_text(f"root=/dev/nfs dc.invite={code.code} quiet\n")
    one = worker(machine, "filed", "--join", file)
    two = worker(machine, "told", environment={"DC_JOIN": code.code})
    await secure.has_workers("filed", "told", programs=(one, two))
    assert await secure.uses_left(code) == 0


async def test_a_man_in_the_middle_is_refused_and_the_code_is_still_good(
    machine: Machine, secure: SecureServer
) -> None:
    code = await secure.invite()
    said = invites.read(code.code)
    wrong = Invite(said.secret, b"x" * invites.PIN_BYTES, said.addresses).text
    one = worker(machine, "amid", wrong)
    assert await one.ended() == 2
    assert "shows another key" in one.text()
    assert await secure.uses_left(code) == 1
    one = worker(machine, "amid", code.code)
    await secure.has_workers("amid", programs=(one,))


async def test_an_operator_says_yes_or_no(machine: Machine, secure: SecureServer) -> None:
    code = await secure.invite(uses=2, approve=True)
    yes = worker(machine, "yes", code.code)
    no = worker(machine, "no", code.code)
    for one in (yes, no):
        await says(one, "waiting for an operator to approve this worker at https://127.0.0.1")
    keys = {key["name"]: key["key"] for key in await secure.keys()}
    await secure.ask("POST", f"/api/worker-keys/{keys['yes']}/approve", {})
    await secure.ask("DELETE", f"/api/worker-keys/{keys['no']}")
    assert await no.ended() == 2
    assert "an operator said no" in no.text()
    await secure.has_workers("yes", programs=(yes,))


async def test_a_restarted_worker_goes_on_waiting(machine: Machine, secure: SecureServer) -> None:
    code = await secure.invite(approve=True)
    one = worker(machine, "again", code.code)
    await says(one, "waiting for an operator")
    one.kill()
    one = worker(machine, "again")
    await says(one, "waiting for an operator")
    key = await secure.key_of("again")
    await secure.ask("POST", f"/api/worker-keys/{key['key']}/approve", {})
    await secure.has_workers("again", programs=(one,))


async def test_a_worker_that_is_not_known_any_more_needs_another_code(
    machine: Machine, secure: SecureServer
) -> None:
    one = worker(machine, "gone", (await secure.invite()).code)
    await secure.has_workers("gone", programs=(one,))
    await one.stop()
    await secure.ask("DELETE", f"/api/worker-keys/{(await secure.key_of('gone'))['key']}")
    one = worker(machine, "gone")
    assert await one.ended(START_SECONDS) == 2
    one = worker(machine, "gone")
    assert await one.ended(START_SECONDS) == 2
    assert "make a join code" in one.text()
    one = worker(machine, "gone", "--new-key", (await secure.invite()).code)
    await secure.has_workers("gone", programs=(one,))


async def test_without_a_code_both_sides_show_a_number(
    machine: Machine, secure: SecureServer
) -> None:
    one = worker(machine, "numbered", secure.server.url, "--trust-network")
    await says(one, f"compare it at {secure.server.url}/workers")
    key = await secure.key_of("numbered")
    assert f"{key['number'][:3]} {key['number'][3:]}" in one.text()
    await secure.ask("POST", f"/api/worker-keys/{key['key']}/approve", {})
    await secure.has_workers("numbered", programs=(one,))
    # Nobody is there to compare it:
    two = worker(machine, "alone", secure.server.url)
    assert await two.ended() == 2
    assert "nobody is here to compare a number: make a join code" in two.text()


@pytest.mark.skipif(sys.platform == "win32", reason="it has no pseudo-terminals")
@pytest.mark.parametrize("answer", ["y", "n"])
async def test_a_person_at_the_terminal_compares_it(
    secure: SecureServer, tmp_path: Path, answer: str
) -> None:
    name, (here, there) = f"person-{answer}", os.openpty()
    command = [sys.executable, "-m", "dc.worker", secure.server.url, "--name", name]
    command += ["--slots", "1", "--spares", "0", "--data", str(tmp_path / "w")]
    process = subprocess.Popen(  # noqa: ASYNC220  as the other programs here
        command, stdin=there, stdout=there, stderr=there, start_new_session=True
    )
    os.close(there)
    try:
        said = b""
        while b"[y/N]" not in said:
            said += await trio.to_thread.run_sync(os.read, here, 4096)
        key = await secure.key_of(name)
        assert f"{key['number'][:3]} {key['number'][3:]}".encode() in said
        # A server that says yes by itself is not enough.
        await secure.ask("POST", f"/api/worker-keys/{key['key']}/approve", {})
        os.write(here, f"{answer}\n".encode())
        if answer == "y":
            await secure.has_workers(name)
        else:
            assert await trio.to_thread.run_sync(process.wait, 30) == 2
    finally:
        process.kill()
        process.wait()
        os.close(here)


async def test_killed_at_any_step_it_is_in_in_the_end_and_the_code_is_not_burnt(
    machine: Machine, secure: SecureServer
) -> None:
    async with trio.open_nursery() as nursery:
        for step, when in [(0, "before"), (0, "after"), (1, "before"), (1, "after"), (2, "before")]:
            nursery.start_soon(killed, machine, secure, step, when)


async def killed(machine: Machine, secure: SecureServer, step: int, when: str) -> None:
    """Kill a worker at a step of joining, and start it again."""
    name = f"killed-{step}-{when}"
    code = await secure.invite()
    arguments = ("tests.system.killed_joining", step, when)
    one = worker(machine, name, code.code, program=arguments, environment=HERE)
    assert await one.ended(START_SECONDS) == -signal.SIGKILL, one.text()
    folder = machine.folder / f"w-{name}"
    noted = (folder / "servers").exists()
    assert noted == ((step, when) != (0, "before"))
    assert (folder / "worker.key").exists()
    # Whoever was killed before anything was written down has to be told the code again.
    one = worker(machine, name, *([] if noted else [code.code]))
    await secure.has_workers(name, programs=(one,))
    assert await secure.uses_left(code) == 0
    assert [key["state"] for key in await secure.keys() if key["name"] == name] == ["joined"]
    assert secret_of(code) not in (folder / "servers").read_text()
