"""Real workers on computers that pass for booted from the image: told to go off, and woken."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final

import pytest
import trio

from dc.wake import magic_packet
from tests.system.networks import Networks
from tests.system.processes import ROOT, Machine, Program, Server, until
from tests.system.test_networks import PORT, SECONDS, Lab
from tests.system.test_operators import TASKS, at_work, order, state_of
from tests.system.test_processes import check_each_once

MAC: Final = "52:54:00:12:34:56"


async def booted(machine: Machine, server: Server, name: str) -> Program:
    return await machine.worker(
        server,
        name,
        program=("tests.system.booted_worker", MAC, server.address),
        environment={"PYTHONPATH": str(ROOT)},
    )


async def test_computers_are_told_under_load_and_nothing_is_lost(machine: Machine) -> None:
    server = await machine.server()
    one, two, three = [await booted(machine, server, name) for name in ("one", "two", "three")]
    plain = await machine.worker(server, "plain")
    async with machine.client(server) as client:
        job = await at_work(machine, server, client)
        refused = machine.command("dc", "worker", "reboot", "--all", "--server", server.address)
        assert refused.returncode != 0
        assert "plain is no computer that was booted from the image" in refused.stderr
        order(machine, server, "reboot", "one", "--now")
        order(machine, server, "power-off", "two")
        order(machine, server, "reread", "three", "--now")
        assert await one.ended() == 3, one.text()
        assert await two.ended() == 0, two.text()
        assert await three.ended() == 4, three.text()
        assert "an operator has its computer booted anew" in one.text()
        await check_each_once(machine, job, TASKS)
        crashes = [
            server.json(f"/api/jobs/{job.number}/tasks/{n}")["crashes"] for n in range(TASKS)
        ]
        assert not any(crashes), "somebody was blamed"
    shown = state_of(server, "two")
    assert (shown["state"], shown["appliance"]["macs"]) == ("gone", [MAC])
    assert await plain.stop() == 0


@pytest.fixture
def lab(machine: Machine) -> Iterator[Lab]:
    """A server, and other computers in its network."""
    with Networks() as networks:
        lab = Lab(networks, machine)
        lab.server = trio.run(lab.serve, "server", "data")
        yield lab


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such namespaces")
async def test_a_computer_that_is_off_is_called_also_by_a_server_that_was_restarted(
    lab: Lab,
) -> None:
    arguments = MAC, lab.code(), "--name", "desk", "--spares", 0
    desk = lab.start("desk", "tests.system.booted_worker", *arguments, name="desk")
    await lab.is_in("desk", desk)
    lab.command("data", "server", "worker", "power-off", "desk")
    assert await desk.ended(SECONDS) == 0
    assert await lab.server.stop() == 0
    where = "--listen", f"0.0.0.0:{PORT}", "--data", lab.machine.folder / "data"
    lab.server = again = lab.start("server", "dc.server", *where, name="data")
    await until(lambda: "listening at" in again.text(), "the server", SECONDS, again.text)
    card = lab.start("desk", "tests.system.network_card", name="card")
    await until(lambda: "listening" in card.text(), "the card", SECONDS, card.text)
    said = lab.command("data", "server", "worker", "wake", "desk")
    assert "a call to wake was sent to desk" in said
    assert "10.77.1.255" in said
    assert await card.ended(SECONDS) == 0
    assert card.text().split()[-3:] == [magic_packet(MAC).hex()] * 3
