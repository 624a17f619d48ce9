"""What keeps a server for everybody although some want all of it: connections, requests, failures.

Nothing here does IO, and all of it is bounded in memory. Connections from the computer itself are
exempt from what is counted by address: whoever is there can do worse, and a proxy on the same
computer brings everybody's. They count in all like others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from dc import limits, limits_guard
from dc.errors import TooManyTries
from dc.server.allowance import Allowance
from dc.server.failures import Failures
from dc.server.networks import is_loopback, network_of
from dc.server.places import Places, Visit

Reason: TypeAlias = Literal["address", "all", "slowest", "requests", "bytes", "failures", "tries"]

REASONS: Final[dict[Reason, str]] = {
    "address": "connections of strangers from one address",
    "all": "connections in all",
    "slowest": "strangers' connections that had to go for others",
    "requests": "requests in a second",
    "bytes": "bytes of requests under way from one address",
    "failures": "wrong tokens, links and codes",
    "tries": "tries of an address that had to wait",
}
"""What is counted, for the metrics."""


class Allowed(Struct, frozen=True):
    """How much there may be.

    Attributes:
        connections: of strangers from one address.
        requests: a second of one token or worker.
        failures: wrong tokens, links and codes of an address before it has to wait.
        places: connections in all.
    """

    connections: int = limits_guard.STRANGERS_PER_ADDRESS
    requests: float = limits_guard.REQUESTS_PER_SECOND
    failures: int = limits_guard.FREE_FAILURES
    places: int = limits.CONNECTIONS


class Guard:
    """Says who may come in, and what it may ask for. Times are seconds of a steady clock.

    Args:
        allowed: how much there may be.

    Attributes:
        refused: how often what was refused, by reason.
        places: the connections.
    """

    def __init__(self, allowed: Allowed = Allowed()) -> None:
        strangers = min(limits_guard.STRANGERS, max(1, allowed.places // 2))
        self.places = Places(allowed.places, strangers, allowed.connections)
        self.refused: Counter[Reason] = Counter()
        burst = limits_guard.REQUESTS_BURST / limits_guard.REQUESTS_PER_SECOND
        most = limits_guard.ADDRESSES
        self._known = Allowance(allowed.requests, max(1.0, allowed.requests * burst), most)
        rate = allowed.requests * limits_guard.STRANGE_REQUESTS_SHARE
        self._strange = Allowance(rate, max(1.0, rate * _STRANGE_SECONDS), most)
        self._failures = Failures(allowed.failures)
        self._wrong = Failures(allowed.failures)
        self._bytes: Counter[str] = Counter()

    # --- connections ------------------------------------------------------------------------------

    def enter(self, host: str, others: int = 0) -> tuple[Visit | None, Visit | None]:
        """Let a connection in.

        Args:
            host: its address, without the port.
            others: connections that are counted elsewhere.

        Returns:
            The visit, None if it is to be closed at once; and a visit that is to be ended for it.
        """
        visit, gone = self.places.enter(counted(host), others)
        if gone is not None:
            self.refused["slowest"] += 1
        if isinstance(visit, Visit):
            return visit, gone
        self.refused[visit] += 1
        return None, gone

    # --- requests ---------------------------------------------------------------------------------

    def ask(self, host: str, who: str, now: float) -> float:
        """Count a request; return 0, or the seconds after which it may be made.

        Args:
            host: where it is from.
            who: the token, session or worker that was shown, empty for none.
            now: the time.
        """
        if who:
            wait = self._known.take(who, now)
        else:
            address = counted(host)
            wait = self._strange.take(address, now) if address else 0.0
        if wait:
            self.refused["requests"] += 1
        return wait

    @contextmanager
    def carried(self, host: str, size: int) -> Iterator[None]:
        """Count so many bytes of a body while the block runs.

        Raises:
            TooManyTries: there are too many from this address.
        """
        address = counted(host)
        if not address or not size:
            yield
            return
        if self._bytes[address] + size > limits_guard.BODY_BYTES_PER_ADDRESS:
            self.refused["bytes"] += 1
            raise too_many(1.0)
        self._bytes[address] += size
        try:
            yield
        finally:
            self._bytes[address] -= size
            if not self._bytes[address]:
                del self._bytes[address]

    # --- signing in -------------------------------------------------------------------------------

    def check_try(self, host: str, now: float) -> None:
        """See to it that an address may show a secret that could be wrong.

        Raises:
            TooManyTries: it has to wait.
        """
        if host and (wait := self._failures.wait(network_of(host), now)):
            self.refused["tries"] += 1
            raise too_many(wait)

    def failed(self, host: str, now: float) -> None:
        """Note that what an address has shown was wrong."""
        self.refused["failures"] += 1
        if host:
            self._failures.add(network_of(host), now)

    def passed(self, host: str) -> None:
        """Note that what an address has shown was right."""
        self._failures.clear(network_of(host))

    def wrong_token(self, host: str, now: float) -> None:
        """Note that an address has shown a token that lets nobody in.

        This is counted apart from links and codes: programs go on showing a token that is over,
        and are not to keep others behind the same router from joining. A good one always counts.

        Raises:
            TooManyTries: there were too many.
        """
        address = network_of(host)
        if address and (wait := self._wrong.wait(address, now)):
            self.refused["tries"] += 1
            raise too_many(wait)
        self.refused["failures"] += 1
        if address:
            self._wrong.add(address, now)


_STRANGE_SECONDS: Final = limits_guard.STRANGE_BURST / (
    limits_guard.REQUESTS_PER_SECOND * limits_guard.STRANGE_REQUESTS_SHARE
)
"""Of the rate of strangers' requests that are their burst."""


def counted(host: str) -> str:
    """Return an address as it is counted, empty for the computer itself."""
    return "" if not host or is_loopback(host) else network_of(host)


def too_many(wait: float) -> TooManyTries:
    """Return the refusal of what may be tried again after so many seconds."""
    seconds = max(1, round(wait + 0.5))
    return TooManyTries(f"too much of this from here: wait {seconds} s", seconds=seconds)


def host_of(address: str) -> str:
    """Return the host of `HOST:PORT`, or of `[HOST]:PORT`."""
    return address.rpartition(":")[0].strip("[]")


def rows(refused: Counter[Reason], reasons: Iterable[Reason] = tuple(REASONS)) -> dict[str, float]:
    """Return all counts by reason, those that are 0 too."""
    return {reason: refused[reason] for reason in reasons}
