"""What is around a worker: who reads what it says, how servers are found, what runs beside it."""

from __future__ import annotations

import trio

from dc.dial import Server
from dc.discovery import Found
from dc.messages_worker import Appliance
from dc.prepared import Prepared
from dc.worker.app import WorkerApp
from dc.worker.discovering import Discovery
from dc.worker.finding import HERE
from dc.worker.terminal import Terminal


class Attendant:
    """That of a worker that was started by a user.

    Attributes:
        terminal: who has started it.
        appliance: what the server is told of a computer that was booted from the image.
        here: where a server may be that lets everybody in; None if none is to be looked for.
        prepared: a process that waits to be the first executor, if there is one.
    """

    def __init__(self) -> None:
        self.terminal = Terminal()
        self.here: Server | None = HERE
        self.appliance: Appliance | None = None
        self.prepared: Prepared | None = None

    async def discover(self) -> list[Found]:
        """Look for servers in the network."""
        return await Discovery().run()

    def told_date(self, date: str, is_known: bool) -> None:
        """Take the header Date of a server; `is_known` is whether nobody else can have sent it."""

    async def beside(self, app: WorkerApp, server: Server) -> None:
        """Run beside a worker that has got into its server, until it is cancelled."""
        del app, server
        await trio.sleep_forever()
