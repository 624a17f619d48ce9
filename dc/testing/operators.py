"""What the operators of a simulation do with its workers, over HTTP, as a fault of a plan says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import trio

from dc.errors import DcError, HttpError
from dc.http_client import HttpClient
from dc.testing.plan import Fault
from dc.testing.sim_world import SimWorld
from dc.testing.world import HOST

ANSWER_SECONDS: Final = 40.0  # that an operator waits: the server may wait for its disk for 30
AGAIN_SECONDS: Final = 1.0

ORDERS: Final[dict[str, tuple[str, dict[str, bool]]]] = {
    "operator drains": ("drain", {}),
    "operator pauses": ("pause", {}),
    "operator has leave": ("drain", {"leave": True}),
    "operator stops": ("stop", {}),
    "operator restarts": ("restart", {}),
    "operator restarts now": ("restart", {"now": True}),
    "operator reboots": ("reboot", {}),
    "operator powers off now": ("power-off", {"now": True}),
    "operator deletes": ("delete", {}),
}
"""By kind of fault, what is asked of a worker, and how."""


class Operators:
    """Those who look after the workers.

    Args:
        world: the world.
        wait: waits so many seconds, or until it is calm.
    """

    def __init__(self, world: SimWorld, wait: Callable[[float], Awaitable[None]]) -> None:
        self._world = world
        self._wait = wait

    async def do(self, fault: Fault) -> None:
        """Do what a fault says, and take it back after a while, if that is possible."""
        name = self._world.plan.workers[fault.draw % len(self._world.plan.workers)].name
        if fault.kind == "operator sets slots":
            await self._ask("set", names=[name], set={"slots": 1 + fault.steps % 4})
            return
        action, more = ORDERS[fault.kind]
        await self._ask(action, names=[name], **more)
        if action in ("drain", "pause"):
            await self._wait(fault.seconds)
            await self._ask("resume", names=[name])

    async def let_go(self) -> None:
        """Take back all decisions: from now on every worker works."""
        for action, more in (("resume", {}), ("set", {"set": {"slots": None}})):
            while not await self._ask(action, all=True, **more):  # noqa: ASYNC110  # nothing tells
                await trio.sleep(AGAIN_SECONDS)

    async def _ask(self, action: str, **body: Any) -> bool:
        """Ask the server for something; return whether it said that it is done.

        That there is nobody to do it to is as good.
        """
        client = HttpClient(self._world.opener([]), HOST)
        try:
            with trio.move_on_after(ANSWER_SECONDS):
                await client.send_json("POST", f"/api/workers/{action}", body)
                self._world.ledger.trace.add("operator", f"{action} {body}")
                return True
        except HttpError as error:
            return error.status == 404
        except DcError:
            pass
        finally:
            with trio.CancelScope(shield=True):
                await client.aclose()
        return False
