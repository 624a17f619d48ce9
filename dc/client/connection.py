"""One connection to the server: a link, a session, and the two tasks between them.

The user's tasks only change the session and wait for it: nobody who waits here holds the stream, so
cancelling them never breaks the connection. What the session has to say is sent in the step that
asks for it (`flush`), as far as the socket takes it. One task receives, another sends what was left
(joined to few messages while a send is under way) and the heartbeats.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

from dc import limits, limits_client
from dc.client.session import Exchange, Session
from dc.errors import ConnectionLost, DcError, ProtocolError
from dc.link import Link
from dc.messages import Codec, ToClient

BROKEN: Final = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)


class Connection:
    """A connection that has not said Hello yet.

    Args:
        link: to the server; this owns it.
        software: what this program calls itself to the server.
    """

    def __init__(self, link: Link, software: str) -> None:
        self.session = Session(software, trio.current_time())
        self._link = link
        self._codec = Codec(ToClient)
        self._output = trio.Event()
        self._changes: dict[int, trio.Event] = {}

    async def open(self) -> None:
        """Exchange the first messages.

        Raises:
            ConnectionLost: the server closed the connection or is silent.
            DcError: it refused this client, or its answer is no dc; this says why.
        """
        with trio.move_on_after(limits.HELLO_SECONDS):
            await self._send_batch()
            while self.session.welcome is None:
                await self._receive_batch()
            return
        raise ConnectionLost(f"the server said nothing for {limits.HELLO_SECONDS:g} seconds")

    async def run(self) -> None:
        """Send and receive until the connection is lost; never raises but when cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._until_lost, self._send_all, nursery.cancel_scope)
                nursery.start_soon(self._until_lost, self._receive_all, nursery.cancel_scope)
        finally:
            self._lose(ConnectionLost("the client was closed"))
            with trio.move_on_after(limits_client.CLOSE_SECONDS, shield=True):
                await self.aclose()

    async def aclose(self) -> None:
        """Close the link."""
        try:
            await self._link.aclose()
        except (*BROKEN, DcError):
            pass  # it is as closed as it can be

    @property
    def is_lost(self) -> bool:
        """Whether nothing can be asked on this connection any more."""
        return self.session.error is not None

    def flush(self) -> None:
        """Send what the session has to say: at once if that can be done."""
        link = self._link
        try:
            while self.session.has_output and link.can_send_now:
                link.send_now(self._codec.encode(self.session.take(trio.current_time())))
        except ConnectionLost:
            pass  # the task that receives learns of it, too, and says so
        if self.session.has_output or link.has_rest:
            self._output.set()

    async def wait_until(self, exchange: Exchange, ready: Callable[[], bool]) -> None:
        """Wait until an exchange has come to where `ready` returns true.

        Raises:
            DcError: the exchange failed first.
        """
        self.flush()
        while not ready():
            if exchange.error is not None:
                raise exchange.error
            event = self._changes.setdefault(exchange.request, trio.Event())
            await event.wait()

    def forget(self, exchange: Exchange) -> None:
        """End an exchange that nobody waits for any more; may be repeated."""
        self.session.forget(exchange)
        self._changes.pop(exchange.request, None)
        self.flush()

    async def _until_lost(self, do: Callable[[], object], others: trio.CancelScope) -> None:
        try:
            await do()  # type: ignore[misc]
        except (*BROKEN, DcError) as error:
            self._lose(_as_dc(error))
        others.cancel()

    def _lose(self, error: DcError) -> None:
        for exchange in self.session.lose(error):
            self.wake(exchange)

    def wake(self, exchange: Exchange) -> None:
        """Have who waits for an exchange look at it again."""
        event = self._changes.pop(exchange.request, None)
        if event is not None:
            event.set()

    async def _receive_all(self) -> None:
        while True:
            with trio.move_on_after(limits.SILENCE_SECONDS) as silence:
                await self._receive_batch()
            if silence.cancelled_caught:
                raise ConnectionLost(f"nothing heard for {limits.SILENCE_SECONDS:g} seconds")

    async def _receive_batch(self) -> None:
        try:
            data = await self._link.receive()
        except BROKEN as error:
            raise _as_dc(error) from error
        if data is None:
            raise ConnectionLost("the server closed the connection")
        for exchange in self.session.receive(self._codec.decode(data)):
            self.wake(exchange)
        if self.session.has_output:
            self.flush()

    async def _send_all(self) -> None:
        while True:
            if not await self._send_batch():
                self._output = trio.Event()
                with trio.move_on_at(self.session.heartbeat_at):
                    await self._output.wait()

    async def _send_batch(self) -> bool:
        try:
            if self._link.has_rest:
                await self._link.flush()
            batch = self.session.take(trio.current_time())
            if batch:
                await self._link.send(self._codec.encode(batch))
        except BROKEN as error:
            raise _as_dc(error) from error
        return bool(batch)


def _as_dc(error: BaseException) -> DcError:
    if isinstance(error, ProtocolError):
        return ProtocolError(f"the server broke the protocol: {error}")
    if isinstance(error, DcError):
        return error
    return ConnectionLost(f"the connection broke ({type(error).__name__}: {error})")
