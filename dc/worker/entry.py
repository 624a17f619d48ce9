"""How a worker gets in: finds its server, joins it, and is the worker of its key from then on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace
from trio.abc import Stream

from dc import limits, pins
from dc.dial import Server, dial
from dc.errors import StartError, WrongServer
from dc.tls_stream import TlsStream
from dc.worker.attendant import Attendant
from dc.worker.finding import Finding, Where
from dc.worker.join_port import JoinPort, SeenPin
from dc.worker.joined_servers import JoinedServers
from dc.worker.joining import Applicant
from dc.worker.way import Way
from dc.worker.worker_key import WorkerKey, open_key
from dc.worker_proof import Challenge, Proof


class Applying(Struct, frozen=True):
    """What was asked for on the command line.

    Attributes:
        where: where to go.
        name: of the worker.
        about: what it is, for who approves.
        trusts_network: whether the yes on a server's page is enough, where nothing is known of it.
    """

    where: Where
    name: str
    about: dict[str, str]
    trusts_network: bool = False


class Entry:
    """A worker's way into its server.

    Args:
        way: to the server.
        key: by which the worker is known there.
        known: the servers it has joined.
        seen: of which key the server has shown a certificate.
        is_in: whether this is one of them.
        told: takes the server's date, and whether it is that server for certain which says it.
    """

    def __init__(
        self,
        way: Way,
        key: WorkerKey,
        known: JoinedServers,
        seen: SeenPin,
        *,
        is_in: bool,
        told: Callable[[str, bool], None] = lambda _, __: None,
    ) -> None:
        self._way = way
        self._key = key
        self._known = known
        self._seen = seen
        self._is_in = is_in
        self._told = told

    def prove(self, challenge: Challenge) -> Proof:
        """Return the answer to a challenge of the server.

        Raises:
            WrongServer: it is a challenge of another server, for which this one could use the
                answer.
        """
        named, pin = challenge.server, self._seen()
        if named != pin if pin else any(named == one.pin for one in self._known.all):
            raise WrongServer(
                f"what {self.server.url} asks this worker to sign is of another server: somebody "
                "may be in between; go to that other one by its own address"
            )
        self._told(challenge.date, self.server.tls)
        return self._key.prove(challenge)

    @property
    def server(self) -> Server:
        """Where it was reached last."""
        return self._way.server

    async def open(self) -> Stream:
        """Open a connection to it; raises as `Way.open` does."""
        return await self._way.open()

    @contextmanager
    def doubted(self) -> Iterator[None]:
        """If the server will not have the worker, write down that it is to be asked first again."""
        try:
            yield
        except (StartError, ExceptionGroup) as error:  # a group as it comes out of a nursery
            if isinstance(error, ExceptionGroup) and error.subgroup(StartError) is None:
                raise
            joined = self._known.at(self.server.authority)
            if self._is_in and joined is not None:
                with suppress(OSError):
                    self._known.note(replace(joined, is_in=False))
            raise


class KeySeen:
    """Dials, and remembers of which key the server has shown a certificate."""

    def __init__(self, dial: Callable[[Server], Awaitable[Stream]] = dial) -> None:
        self._dial = dial
        self._pin = ""

    def __call__(self) -> str:
        """Return its pin in hexadecimal digits; empty if authorities vouch for it, or if no TLS."""
        return self._pin

    async def dial(self, server: Server) -> Stream:
        """Open a connection."""
        stream = await self._dial(server)
        self._pin = ""
        if server.pin and isinstance(stream, TlsStream):
            self._pin = pins.pin_of(stream.cipher.certificate).hex()
        return stream


async def enter(applying: Applying, folder: Path, attendant: Attendant | None = None) -> Entry:
    """Return once a worker is in its server, or will be as soon as it connects.

    Args:
        applying: what was asked for.
        folder: the worker's.
        attendant: what is around the worker.

    Raises:
        StartError: it is not let in, or its folder cannot be written to; the message says more.
    """
    attendant = attendant or Attendant()
    terminal = attendant.terminal
    try:
        key, known = open_key(folder), JoinedServers(folder)
        finding = Finding(known, attendant.discover, terminal, here=attendant.here)
        goal = await finding.find(applying.where)
        seen = KeySeen()
        way = Way(goal.servers, seen.dial, finding.with_pin)
        if goal.joined is not None and not goal.joined.is_in:
            can_compare = applying.trusts_network or terminal.is_there
            about = {_cut(name): _cut(text) for name, text in applying.about.items()}
            me = Applicant(key.public, _cut(applying.name), about, can_compare)
            port = JoinPort(
                *(me, goal.joined, way, seen, known, terminal),
                is_known=goal.is_known,
                asks=not applying.trusts_network,
            )
            await port.run()
    except OSError as error:
        text = f"cannot write to {folder} ({error.strerror or error})"
        raise StartError(f"{text}: give a folder that can be written to, by --data DIR") from None
    is_in = goal.joined is not None
    return Entry(way, key, known, seen, is_in=is_in, told=attendant.told_date)


def _cut(text: str) -> str:
    return text[: limits.TEXT_CHARS] or "-"
