"""What `sign-in` says to a server, before there is a client that is let in."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import trio
from msgspec import Struct
from msgspec.structs import replace

from dc import limits, limits_http
from dc.client.patience import named
from dc.dial import Server, dial, read_url, shown_pin
from dc.errors import ConnectionLost, HttpError, ProtocolError, StartError
from dc.http_client import HttpClient

BROKEN: Final = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)


class Answer(Struct, frozen=True):
    """The body of an answer, and the cookie that it sets."""

    body: bytes
    cookie: str = ""


class Port:
    """Asks servers, one question at a time. Its methods raise ConnectionLost as well."""

    def exchange(
        self, url: str, pin: bytes, method: str, path: str, *, token: str = "", body: Any = None
    ) -> Answer:
        """Make a request; DcError if the server refuses, WrongServer if it is another one.

        Args:
            url: of the server.
            pin: of its key; empty for a certificate that authorities know.
            method: of the request.
            path: of the API.
            token: to be let in by, if one is.
            body: a value that is sent as JSON.
        """
        server = replace(read_url(url), pin=pin)
        answer: Answer = self._run(server, _exchange, method, path, token, body)
        return answer

    def verify(self, url: str) -> None:
        """See to it that authorities know the certificate of a server; WrongServer if not."""
        self._run(read_url(url), _verify)

    def pin_shown(self, url: str) -> bytes:
        """Return the pin of the key that a server shows, whoever it is. Nothing is sent to it.

        StartError if there is no pin of what it shows.
        """
        pin: bytes = self._run(read_url(url), _pin_shown)
        return pin

    def _run(self, server: Server, ask: Any, *args: Any) -> Any:
        try:
            return trio.run(_bounded, ask, server, *args)
        except HttpError as error:
            raise named(error) from error
        except (*BROKEN, trio.TooSlowError) as error:
            text = str(error) or "it did not answer in time"
            raise ConnectionLost(f"cannot reach the server at {server.url}: {text}") from error
        except ProtocolError as error:
            text = f"what answers at {server.url} is no dc server of this version ({error})"
            raise ConnectionLost(text) from error


async def _bounded(ask: Any, *args: Any) -> Any:
    with trio.fail_after(limits.HELLO_SECONDS):
        return await ask(*args)


async def _exchange(server: Server, method: str, path: str, token: str, value: Any) -> Answer:
    async def open_stream() -> trio.abc.Stream:
        return await dial(server)

    client = HttpClient(open_stream, server.authority)
    headers = [("Authorization", f"Bearer {token}")] if token else []
    body = b"" if value is None else msgspec.json.encode(value)
    if body:
        headers.append(("Content-Type", "application/json"))
    try:
        async with client.exchange(method, path, headers, body) as answer:
            cookie = answer.headers.get("set-cookie", "")
            return Answer(await answer.body(limits_http.ANSWER_BYTES), cookie)
    finally:
        await client.aclose()


async def _verify(server: Server) -> None:
    await trio.aclose_forcefully(await dial(server))


async def _pin_shown(server: Server) -> bytes:
    try:
        return await shown_pin(server)
    except ProtocolError as error:  # it speaks TLS well, whatever else it is
        raise StartError(str(error)) from error
