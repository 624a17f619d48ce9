"""Who is let in, by the commands, at a real server: from its first start on."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dc
from dc.errors import NotPermitted, NotSignedIn, WrongServer
from dc.known_servers import read_pin
from dc.server.first_start import TOKEN_FILE
from tests.system.processes import Machine, until
from tests.system.secure_server import started


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with Machine(tmp_path) as machine:
        yield machine


class Laptop:
    """Another user, who knows nothing of the server yet."""

    def __init__(self, machine: Machine, name: str) -> None:
        self._machine = machine
        self._here = {"XDG_CONFIG_HOME": str(machine.folder / name)}

    def __call__(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return self._machine.command("dc", *arguments, environment=self._here)

    def json(self, *arguments: object) -> Any:
        done = self(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def made(machine: Machine, *roles: str) -> tuple[str, Path]:
    """Return the id of a new token, and its file."""
    path = machine.folder / f"{'-'.join(roles)}.token"
    said = [part for role in roles for part in ("--role", role)]
    done = machine.command("dc", "token", "create", *said, "--name", "ada", "--file", path)
    assert done.returncode == 0, done.stderr
    return done.stderr.split()[1], path


def link(machine: Machine) -> str:
    """Return a new link that signs a browser in."""
    return machine.command("dc", "sign-in-link").stdout.strip()


async def test_the_one_who_starts_it_needs_nothing_more(machine: Machine) -> None:
    server = await started(machine)
    assert "#" not in server.program.out.read_text(), "what is no terminal may be a log"
    assert link(machine).startswith(f"{server.address}/sign-in#")
    for command in (["status"], ["workers"], ["invite"], ["token", "list"], ["approve"], ["audit"]):
        done = machine.command("dc", *command)
        assert done.returncode == 0, done.stderr
    line = machine.command("dc", "invite").stdout
    assert line.startswith("python -m dc.worker dc1-")
    token = (machine.data / TOKEN_FILE).read_text().strip()
    written = server.program.text()
    assert token not in written
    assert token.rpartition("_")[2] not in written


async def test_a_later_start_says_no_more_than_its_address(machine: Machine) -> None:
    server = await started(machine)
    assert await server.program.stop() == 0
    again = machine.start(
        "dc.server", "--listen", f"127.0.0.1:{server.address.rpartition(':')[2]}", "--secure",
        "--data", machine.data, name="again",
    )  # fmt: skip
    done = machine.command("dc", "status")
    while done.returncode and again.alive:
        done = machine.command("dc", "status")
    assert done.returncode == 0, done.stderr
    await until(lambda: again.out.read_text().endswith("\n"), "its address", more=again.text)
    assert again.out.read_text().splitlines() == [server.address]


async def test_a_laptop_signs_in_by_a_token(machine: Machine) -> None:
    server = await started(machine)
    number, token = made(machine, "submit")
    laptop = Laptop(machine, "laptop")
    at = ["--server", server.address]
    assert "cannot be verified" in laptop("status", *at).stderr
    assert "is not known: give --pin" in laptop("sign-in", token, *at).stderr
    wrong = laptop("sign-in", token, *at, "--pin", "ab" * 32)
    assert (wrong.returncode, "another key" in wrong.stderr) == (2, True)
    assert laptop("sign-in", token, *at, "--pin", server.pin).returncode == 0
    assert laptop.json("jobs") == {"jobs": []}
    refused = laptop("token", "list")
    assert (refused.returncode, "takes the role admin" in refused.stderr) == (2, True)
    assert machine.command("dc", "token", "revoke", number).returncode == 0
    assert "python -m dc sign-in" in laptop("jobs").stderr


async def test_a_laptop_signs_in_by_a_link_that_works_once(machine: Machine) -> None:
    server = await started(machine)
    laptop, thief = Laptop(machine, "laptop"), Laptop(machine, "thief")
    once = link(machine)
    assert laptop.json("sign-in", once, "--pin", server.pin)["roles"] == ["admin"]
    assert len(laptop.json("token", "list")["tokens"]) == 2
    late = thief("sign-in", once, "--pin", server.pin)
    assert (late.returncode, "lets nobody in" in late.stderr) == (2, True)
    assert laptop("sign-out").returncode == 0
    assert laptop("status").returncode == 2


async def test_who_may_only_look_can_use_the_commands_that_look(machine: Machine) -> None:
    server = await started(machine)
    _, token = made(machine, "view")
    viewer = Laptop(machine, "viewer")
    pin = ["--pin", server.pin]
    assert viewer("sign-in", token, "--server", server.address, *pin).returncode == 0
    for command in ("status", "jobs", "workers", "types", "events", "settings"):
        done = viewer(command)
        assert done.returncode == 0, done.stderr
    refused = viewer("invite")
    assert (refused.returncode, "admin" in refused.stderr) == (2, True)


async def test_programs_say_pin_and_token_themselves(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(machine.folder / "nobody"))
    server = await started(machine)
    token = made(machine, "submit")[1].read_text().strip()
    async with dc.AsyncClient(server.address, token=token, pin=server.pin) as client:
        assert await client.get("/api/jobs") == {"jobs": [], "next": None}
        with pytest.raises(NotPermitted):
            await client.get("/api/tokens")
    monkeypatch.setenv("DC_TOKEN", token)
    monkeypatch.setenv("DC_PIN", read_pin(server.pin)[:16].hex())
    async with dc.AsyncClient(server.address) as client:
        await client.get("/api/status")
    with pytest.raises(NotSignedIn):
        async with dc.AsyncClient(server.address, token=""):
            pass
    with pytest.raises(WrongServer):
        async with dc.AsyncClient(server.address, pin="ab" * 16):
            pass


async def test_a_server_that_was_killed_at_its_first_start_lets_its_operator_in(
    machine: Machine,
) -> None:
    """Wherever it is killed: no token is half there, and the operator is let in afterwards."""
    where = ["--listen", "127.0.0.1:0", "--secure", "--data", machine.data]
    program = machine.start("dc.server", *where, name="killed")
    names = (machine.data / f"{TOKEN_FILE}.new", machine.data / TOKEN_FILE)
    while not any(name.exists() for name in names):
        assert program.alive, program.text()
    program.kill()
    again = machine.start("dc.server", *where, name="again")
    await until(lambda: names[1].exists(), "the end of the first start", more=again.text)
    done = machine.command("dc", "token", "list", "--json")
    assert done.returncode == 0, done.stderr
    admins = [one for one in json.loads(done.stdout)["tokens"] if one["kind"] == "token"]
    assert [one["name"] for one in admins] == ["operator"]
    assert again.alive
