"""A real server that everybody has to sign in at, on a loopback address."""

from __future__ import annotations

import re
from typing import Any

from tests.system.processes import START_SECONDS, Machine, Program, until

LAST = "its key, to compare: "


class SecureServer:
    """What its first start has printed.

    Attributes:
        program: the process.
        address: of the server.
        pin: of its key, as it is printed.
    """

    def __init__(self, program: Program) -> None:
        lines = program.out.read_text().splitlines()
        self.program = program
        self.address = lines[0]
        self.pin = lines[-1].removeprefix(LAST)


async def started(machine: Machine, **options: Any) -> SecureServer:
    """Start one for the first time; return once it has said all."""
    where = ["--listen", "127.0.0.1:0", "--secure", "--data", machine.data]
    program = machine.start("dc.server", *where, name="server", **options)
    await until(
        lambda: bool(re.search(f"{LAST}.*\n", program.out.read_text())) or not program.alive,
        "a secure server",
        START_SECONDS,
        program.text,
    )
    assert program.alive, program.text()
    return SecureServer(program)
