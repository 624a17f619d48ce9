"""Performs what a worker that joins decides: asks the server, writes down, tells, waits."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol, TypeVar

import msgspec
import trio
from msgspec.structs import replace

from dc import limits_join
from dc.errors import HttpError, StartError, WrongServer
from dc.http_client import HttpClient
from dc.join_number import NONCE_BYTES
from dc.view_access import Join, Joined, Knock, KnockAnswer, Reveal
from dc.view_server import Problem
from dc.worker.joined_server import JoinedServer
from dc.worker.joined_servers import JoinedServers
from dc.worker.joining import (
    Action,
    Answered,
    Applicant,
    Ask,
    Compare,
    Compared,
    Enter,
    Event,
    Fail,
    Forget,
    Impostor,
    Joining,
    KnockAnswered,
    Lost,
    Note,
    Pause,
    Refused,
    Say,
    Woke,
)
from dc.worker.terminal import Terminal
from dc.worker.way import FAILED, Way

log: Final = logging.getLogger("dc.worker")

T = TypeVar("T")

QUESTION: Final = "does the page show the same number, for this computer? [y/N]"


class SeenPin(Protocol):
    """Tells of which key the server showed a certificate."""

    def __call__(self) -> str:
        """Return it as hexadecimal digits; empty if authorities vouch for it, or without TLS."""


class JoinPort:
    """Lets one worker join one server.

    Args:
        me: who wants to.
        server: what is known of the server.
        way: to it.
        seen: of which key the server has shown a certificate.
        known: the servers of this worker, on its disk.
        terminal: who has started the worker.
        is_known: whether it can be told from all others; see Joining.
        asks: whether a number is compared here as well, and not on the server's page alone.
        pause: waits for so many seconds.
    """

    def __init__(
        self,
        me: Applicant,
        server: JoinedServer,
        way: Way,
        seen: SeenPin,
        known: JoinedServers,
        terminal: Terminal,
        *,
        is_known: bool = True,
        asks: bool = True,
        pause: Callable[[float], Awaitable[None]] = trio.sleep,
    ) -> None:
        self._key = me.key
        self._server = server
        self._way = way
        self._seen = seen
        self._known = known
        self._terminal = terminal
        self._asks = asks
        self._pause = pause
        self._joining = Joining(me, server, is_known=is_known)
        self._http = HttpClient(way.open, way.server.authority)
        self._is_in = False

    async def run(self) -> None:
        """Return once the worker is in.

        Raises:
            StartError: it will not be let in; the message says what to do.
            OSError: it cannot be written down.
        """
        try:
            actions = self._joining.start(secrets.token_bytes(NONCE_BYTES))
            while not self._is_in:
                event: Event | None = None
                for action in actions:
                    event = await self._perform(action)
                if event is not None:
                    actions = self._joining.handle(event, secrets.token_bytes(NONCE_BYTES))
        finally:
            await self._http.aclose()

    async def _perform(self, action: Action) -> Event | None:
        """Do one thing; return the event that answers it, None if none does."""
        match action:
            case Ask():
                return await self._ask(action)
            case Pause():
                await self._pause(action.seconds)
                return Woke()
            case Compare():
                return await self._compare(action)
            case Note():
                self._server = replace(action.server, addresses=self._addresses(action.server))
                self._known.note(self._server)
            case Forget():
                self._known.forget(self._server)
            case Say():
                log.warning("%s", action.text)
            case Enter():
                self._is_in = True
            case Fail():
                raise StartError(action.text)
        return None

    def _addresses(self, server: JoinedServer) -> list[str]:
        return list(dict.fromkeys([*self._way.addresses, *server.addresses]))

    async def _compare(self, action: Compare) -> Event:
        self._terminal.show_number(action.number, action.url)
        if not self._asks:
            return Compared(same=True)
        return Compared(same=(await self._terminal.ask(QUESTION)).lower() in ("y", "yes"))

    # --- asking ---------------------------------------------------------------------------------

    async def _ask(self, action: Ask) -> Event:
        try:
            with trio.fail_after(limits_join.JOIN_SECONDS):
                return await self._answer(action.what)
        except WrongServer as error:
            return Impostor(str(error))
        except HttpError as error:
            code, text = problem_of(error)
            return Refused(code, text, self._way.server.url)
        except FAILED as error:
            return Lost(f"cannot reach {self._way.server.url}: {error}")
        except trio.TooSlowError:
            seconds = limits_join.JOIN_SECONDS
            return Lost(f"no answer from {self._way.server.url} for {seconds:g} s")

    async def _answer(self, what: Join | Knock | Reveal | None) -> Event:
        if isinstance(what, Knock):
            answer = _as(await self._http.send_json("POST", "/api/join/knock", what), KnockAnswer)
            return KnockAnswered(answer, self._way.server.url, self._seen())
        if what is None:
            said = await self._http.get_json(f"/api/join/keys/{self._key}")
        else:
            path = "/api/join" if isinstance(what, Join) else "/api/join/reveal"
            said = await self._http.send_json("POST", path, what)
        return Answered(_as(said, Joined), self._way.server.url, self._seen())


def problem_of(error: HttpError) -> tuple[str, str]:
    """Return the code and the text of the error that the server named; of any other one, `http`."""
    try:
        said = msgspec.json.decode(str(error.args[0]), type=Problem)
    except msgspec.MsgspecError:
        return error.code, str(error)
    return said.code, said.detail


def _as(said: Any, kind: type[T]) -> T:
    """Return what a server has said, checked.

    Raises:
        HttpError: it is something else.
    """
    try:
        return msgspec.convert(said, kind)
    except msgspec.ValidationError as error:
        raise HttpError(f"its answer is not that of a dc server ({error})") from None
