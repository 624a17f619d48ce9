"""How a worker is let in by a server: a machine without IO. Events go in, actions come out.

    with a code:      note it, ask to join, note the answer
    known already:    ask how far it is in
    not known yet:    knock; show a number that the server's page shows as well; ask here and there
                      whether both are the same. Only then it is known

The last action of a list is the one that an event answers. Whatever happens between two of them,
the same is asked again from the beginning: a server that has let a key in says so as often as it is
asked, and uses up a code for it once.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from dc import limits_join, limits_worker
from dc.errors import (
    InviteRefused,
    NotPermitted,
    NotPossible,
    TooManyTries,
    UnknownKey,
    WorkerDeleted,
)
from dc.join_number import NONCE_BYTES, commitment, number
from dc.view_access import Join, Joined, Knock, KnockAnswer, Reveal
from dc.worker.joined_server import JoinedServer

NO_CODE: Final = (
    "make a join code on the server (python -m dc invite, or Add a computer on its page), and "
    "start this worker with it"
)

# --- events ---------------------------------------------------------------------------------------


class Answered(Struct, frozen=True):
    """The server has said how far this worker is in.

    Attributes:
        answer: what it said.
        url: where it was reached.
        pin: of the key it showed, as hexadecimal digits; empty if authorities vouch for it.
    """

    answer: Joined
    url: str
    pin: str


class KnockAnswered(Struct, frozen=True):
    """The server has said its half of the number; `url` and `pin` as of Answered."""

    answer: KnockAnswer
    url: str
    pin: str


class Refused(Struct, frozen=True):
    """The server has refused what was asked, by the code of an error; `url` as of Answered."""

    code: str
    text: str
    url: str


class Lost(Struct, frozen=True):
    """The server was not reached, or did not answer."""

    why: str


class Impostor(Struct, frozen=True):
    """What was reached is not the server of the code."""

    why: str


class Woke(Struct, frozen=True):
    """A pause is over."""


class Compared(Struct, frozen=True):
    """A person has compared the numbers; `same` is what they said."""

    same: bool


Event: TypeAlias = Answered | KnockAnswered | Refused | Lost | Impostor | Woke | Compared

# --- actions --------------------------------------------------------------------------------------


class Ask(Struct, frozen=True):
    """Ask the server; None asks how far this worker is in."""

    what: Join | Knock | Reveal | None = None


class Note(Struct, frozen=True):
    """Write down what is known of the server, before anything that follows."""

    server: JoinedServer


class Forget(Struct, frozen=True):
    """Forget the server."""


class Say(Struct, frozen=True):
    """Tell the user."""

    text: str


class Compare(Struct, frozen=True):
    """Show a number of six digits, and ask whether the page of the server shows the same."""

    number: str
    url: str


class Pause(Struct, frozen=True):
    """Wait for so many seconds."""

    seconds: float


class Enter(Struct, frozen=True):
    """The worker is in: it may connect."""


class Fail(Struct, frozen=True):
    """The worker will not be let in; the text says what to do."""

    text: str


Action: TypeAlias = Ask | Note | Forget | Say | Compare | Pause | Enter | Fail


class Applicant(Struct, frozen=True):
    """Who wants to join.

    Attributes:
        key: its public key.
        name: as it calls itself.
        about: what it is, for who approves.
        can_compare: whether somebody is there to compare a number, or none has to be.
    """

    key: str
    name: str
    about: dict[str, str]
    can_compare: bool


class Joining:
    """A worker that joins one server.

    Args:
        me: who wants to.
        server: what is known of the server; with the secret of a code, if there is one.
        is_known: whether it can be told from all others: by its pin from a code or from before, or
            because authorities vouch for it. Nothing that another one says is believed.
    """

    def __init__(self, me: Applicant, server: JoinedServer, *, is_known: bool = True) -> None:
        self._me = me
        self._server = server
        self._is_known = is_known
        self._asked = Ask(self._join() if server.secret else None)
        self._failures = self._polls = 0
        self._is_waiting = self._was_refused = False
        self._nonce = b""
        self._number = ""
        self._random = bytes(NONCE_BYTES)

    def start(self, random: bytes) -> list[Action]:
        """Return what to do first; `random` as for `handle`."""
        self._random = random
        return [Note(self._server), self._asked] if self._server.secret else self._begin()

    def handle(self, event: Event, random: bytes) -> list[Action]:
        """Return what to do after an event.

        Args:
            event: what has happened.
            random: NONCE_BYTES random bytes that were never used before.
        """
        assert len(random) == NONCE_BYTES
        self._random = random
        match event:
            case Lost():
                return self._again(event.why)
            case Impostor():
                return [Fail(event.why)]
            case Woke():
                return self._begin()
            case Compared():
                return self._compared(same=event.same)
            case Refused():
                return self._refused(event)
            case KnockAnswered():
                return self._knocked(event)
            case Answered():
                self._failures = 0
                return self._revealed(event) if self._nonce else self._answered(event)

    def _begin(self) -> list[Action]:
        return [self._asked] if self._is_known else self._knock()

    # --- what the server says -------------------------------------------------------------------

    def _answered(self, event: Answered) -> list[Action]:
        answer, server = event.answer, self._server
        is_in = answer.state == "joined"
        pin = event.pin or server.pin  # the whole of what was known, if it was less
        self._server = replace(
            server,
            server=answer.server,
            pin=pin,
            secret="",
            is_in=is_in,  # nosec B106
        )
        self._asked = Ask()
        note = Note(self._server)
        if is_in:
            return [note, Enter()]
        return [note, *self._wait(event.url)]

    def _wait(self, url: str) -> list[Action]:
        """Wait for an operator's yes; say so once."""
        text = f"waiting for an operator to approve this worker at {_page(url)}"
        said = [] if self._is_waiting else [Say(text)]
        self._is_waiting = True
        longest = limits_join.POLL_SECONDS * 1.5 ** min(self._polls, 30)
        self._polls += 1
        return [*said, Pause(self._jittered(min(longest, limits_join.POLL_SECONDS_MOST)))]

    def _refused(self, event: Refused) -> list[Action]:
        if event.code == TooManyTries.code:
            return self._again(f"{event.url} says: {event.text}")
        if self._nonce:
            return self._not_heard(event)
        if event.code == InviteRefused.code and not self._was_refused:
            # Perhaps it has joined by this very code, which was taken back since.
            self._was_refused, self._asked = True, Ask()
            return [self._asked]
        if event.code == UnknownKey.code:
            return self._unknown(event)
        return self._unlike(event)

    def _unknown(self, event: Refused) -> list[Action]:
        """Go on after a server that is known has said that it does not know this worker."""
        if self._was_refused:
            text = f"{event.url} does not take this join code: it was used, or has ended, or was"
            return [Forget(), Fail(f"{text} taken back; {NO_CODE}")]
        if self._is_waiting:
            return [Forget(), Fail(f"{event.url} does not let this worker in: an operator said no")]
        return self._knock()

    # --- the number -----------------------------------------------------------------------------

    def _knock(self) -> list[Action]:
        """Bind this side to its half of the number, before it hears the other one."""
        me = self._me
        if not me.can_compare:
            text = "the server does not know this worker, and nobody is here to compare a number"
            return [Fail(f"{text}: {NO_CODE}")]
        self._nonce = self._random
        return [Ask(Knock(commitment(self._nonce), me.key, me.name, me.about))]

    def _knocked(self, event: KnockAnswered) -> list[Action]:
        try:
            theirs = bytes.fromhex(event.answer.nonce)
        except ValueError:
            theirs = b""
        if len(theirs) != NONCE_BYTES or not self._nonce:
            return self._again(f"{event.url} gave no half of a number")
        pin = event.pin or event.answer.server
        self._number = number(pin, self._me.key, self._nonce, theirs)
        return [Ask(Reveal(self._me.key, self._nonce.hex()))]

    def _not_heard(self, event: Refused) -> list[Action]:
        """Go on after the server has refused to compare a number."""
        if event.code == NotPossible.code:
            text = f"{event.url} knows this worker, but this worker does not know it any more"
            return [Fail(f"{text}; {NO_CODE}, or be another worker by --new-key")]
        if event.code == InviteRefused.code:
            return self._again(f"{event.url} has waited for this worker's half of a number")
        return self._unlike(event)

    def _unlike(self, event: Refused) -> list[Action]:
        """Go on after the server has refused in a way that is not this exchange's."""
        if event.code == WorkerDeleted.code:
            return [Forget(), Fail(event.text)]
        if event.code in (NotPermitted.code, "not_found"):
            return [Fail(f"{event.url} lets no workers in in this way ({event.text}): {NO_CODE}")]
        return self._again(f"{event.url} says: {event.text}")

    def _revealed(self, event: Answered) -> list[Action]:
        """Show the number. Nothing of the server is kept until a person has compared it."""
        self._server = replace(
            self._server, server=event.answer.server, pin=event.pin or self._server.pin
        )
        return [Compare(self._number, _page(event.url))]

    def _compared(self, *, same: bool) -> list[Action]:
        if not same:
            text = (
                "the numbers are not the same: somebody may be in between, or another worker asks"
            )
            return [Fail(f"{text} at the same time; {NO_CODE}")]
        self._nonce, self._asked = b"", Ask()
        self._is_known = self._is_waiting = True
        return [Note(self._server), self._asked]

    # --- again ----------------------------------------------------------------------------------

    def _again(self, why: str) -> list[Action]:
        """Ask again after a while, from the beginning; a half of a number is used only once."""
        longest = limits_worker.RECONNECT_SECONDS * 2.0 ** min(self._failures, 30)
        pause = self._jittered(min(longest, limits_worker.RECONNECT_SECONDS_MOST))
        self._failures += 1
        self._nonce, self._number = b"", ""
        return [Say(f"{why}; trying again in {pause:.1f} s"), Pause(pause)]

    def _jittered(self, seconds: float) -> float:
        """Return half of it to all of it: workers that wait for one thing do not ask at once."""
        return seconds * (0.5 + self._random[0] / 512)

    def _join(self) -> Join:
        return Join(self._server.secret, self._me.key, self._me.name, self._me.about)


def _page(url: str) -> str:
    return f"{url}/workers"
