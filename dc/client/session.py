"""One connection's conversation with the server, without IO.

Theory of operation
-------------------
A session lives as long as its connection. The user's side asks for *exchanges* (a submission, a
subscription, a watch, a cancellation); each has a request number and keeps what the server said
about it. `receive` takes the server's messages and returns the exchanges that changed, so that the
shell can wake whoever waits for them; `take` gives the next messages to send. Time comes in as
`now`, in seconds of any steady clock.

Flow control, both ways:

- A submission may have `limits.UNSTORED_BYTES` of payloads that the server has not yet
  acknowledged (`Backlog.has_room`); one batch always fits, however large.
- A subscription hands its batches over in pieces of `limits_client.HAND_OVER_BYTES`. What was
  handed over counts as consumed when the next piece is asked for. Once it comes to a part of
  `limits.STREAM_BYTES`, the server is told, so that it has room to send.

After `lose`, every exchange has an error, and so has each later one; nothing is sent any more. What
had come before can still be handed over. Going on over a new connection is the caller's business:
a `Cursor` remembers from where results are wanted, a `Backlog` what is not yet stored.

While the server says that it is in trouble, `trouble` is what it says, and whoever watches a job is
told so as of a change of the job's state.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from dc import limits, limits_client
from dc.client.backlog import Backlog
from dc.errors import ConnectionLost, DcError, ProtocolError, by_code
from dc.messages import PROTOCOL, Heartbeat, Hello, Refused, Trouble, Welcome
from dc.messages_client import (
    Accepted,
    Cancel,
    Consumed,
    EndOfJob,
    EndOfResults,
    Finished,
    Payloads,
    Status,
    Stored,
    Submit,
    Subscribe,
    Unsubscribe,
    Watch,
)
from dc.messages_parts import Message, Payload

FINAL_STATES = frozenset({"done", "failed", "cancelled"})
MESSAGE_COST = 1024  # bytes that a message without payloads counts when a batch is cut
MOST_QUEUED = 2 * limits.STREAM_BYTES + limits.MESSAGE_BYTES  # beyond any honest server's window


class Exchange:
    """What is going on under one request number. `error` is set once it has failed."""

    def __init__(self, request: int) -> None:
        self.request = request
        self.error: DcError | None = None


class Submission(Exchange):
    """A job being submitted over this connection; `backlog` is what is to reach the server's disk.

    A submission that resumes another one says nothing before it is `accepted`: then it sends what
    the server lacks.
    """

    def __init__(
        self, request: int, backlog: Backlog, asked: tuple[str, str], *, resumes: bool
    ) -> None:
        super().__init__(request)
        self.accepted: Accepted | None = None
        self.asked = asked
        self.backlog = backlog
        self.resumes = resumes

    @property
    def may_send(self) -> bool:
        """Whether payloads go out at once."""
        return self.accepted is not None or not self.resumes


class Subscription(Exchange):
    """The results of a job as they come in."""

    def __init__(self, request: int, job: int) -> None:
        super().__init__(request)
        self.job = job
        self.batches: deque[Finished] = deque()
        self.queued_bytes = 0
        self.held_bytes = 0
        self.ended = False

    def push(self, batch: Finished) -> None:
        """Queue a batch of results."""
        size = len(batch.numbers)
        if not 0 < size == len(batch.attempts) == len(batch.times) == len(batch.outcomes):
            raise ProtocolError("Finished: columns empty or of unequal length", close_code=1007)
        if batch.size < 0 or self.queued_bytes + batch.size > MOST_QUEUED:
            raise ProtocolError("Finished: more results than the client gave room for")
        self.queued_bytes += batch.size
        self.batches.append(batch)

    def pop(self) -> list[Finished]:
        """Hand over the next piece; empty if nothing has come."""
        piece: list[Finished] = []
        size = 0
        while self.batches and size < limits_client.HAND_OVER_BYTES:
            batch = self.batches.popleft()
            piece.append(batch)
            size += batch.size
        self.queued_bytes -= size
        self.held_bytes += size
        return piece


class Watching(Exchange):
    """The last reported state of a job; `fresh` until someone has looked at it."""

    def __init__(self, request: int, job: int) -> None:
        super().__init__(request)
        self.job = job
        self.status: Status | None = None
        self.fresh = False

    @property
    def final(self) -> bool:
        """Whether no further report will come."""
        return self.status is not None and self.status.state in FINAL_STATES

    def push(self, status: Status) -> None:
        """Take in a report; an older one that nobody has looked at is forgotten."""
        self.status = status
        self.fresh = True


class Cancelling(Watching):
    """A cancellation: one report, sent once it is on disk, is the answer."""


class Session:
    """The client's half of one connection.

    Args:
        software: what this program calls itself to the server.
        now: the time.

    Attributes:
        welcome: the server's first message.
        error: why the connection was lost.
        trouble: why the server acknowledges nothing at present.
        said: by a type's name and version as they were asked for, what the server said of it.
    """

    def __init__(self, software: str, now: float) -> None:
        self.welcome: Welcome | None = None
        self.error: DcError | None = None
        self.trouble = ""
        self.said: dict[tuple[str, str], Accepted] = {}
        self.heartbeat_at = now + limits.HEARTBEAT_SECONDS
        self._requests = 0
        self._exchanges: dict[int, Exchange] = {}
        self._outbox: deque[tuple[Message, int]] = deque()
        self._queue(Hello(PROTOCOL, "client", software, []))

    # --- what the user's side asks for ----------------------------------------------------------

    def submit(
        self,
        backlog: Backlog,
        type_name: str,
        version: str,
        options: dict[str, Any],
        key: str = "",
        *,
        resume: bool = False,
    ) -> Submission:
        """Ask for a job; its number comes as `Submission.accepted`.

        Args:
            backlog: what the job's tasks go through; with `resume` what is in it is sent.
            type_name: of the tasks.
            version: of the type; the server's newest if empty.
            options: those that were said.
            key: of the submission.
            resume: whether the server may have the job already.
        """
        asked = (type_name, version)
        exchange = Submission(self._next_request(), backlog, asked, resumes=resume)
        message = Submit(exchange.request, type_name, version, options, key, resume)
        self._open(exchange, message)
        return exchange

    def send_payloads(self, exchange: Submission, payloads: list[Payload], size: int) -> None:
        """Send the next tasks of a job; `size` is their bytes on this socket."""
        assert 0 < len(payloads) <= limits.BATCH_TASKS
        batch = exchange.backlog.push(payloads, size)
        if exchange.may_send:
            self._queue(Payloads(exchange.request, batch.first, payloads), size)

    def end_submission(self, exchange: Submission) -> None:
        """Say that there are no more tasks; `Backlog.whole` becomes true once it is on disk."""
        exchange.backlog.ended = True
        if exchange.may_send:
            self._queue(EndOfJob(exchange.request))

    def subscribe(self, job: int, *, ordered: bool, after: int) -> Subscription:
        """Ask for results beyond the cursor `after` (0: from the beginning)."""
        exchange = Subscription(self._next_request(), job)
        self._open(exchange, Subscribe(exchange.request, job, ordered, after))
        return exchange

    def consume(self, exchange: Subscription) -> None:
        """Count what was handed over as consumed; once it is much, the server may send more."""
        if exchange.held_bytes * limits_client.CONSUMED_SHARE < limits.STREAM_BYTES:
            return
        size, exchange.held_bytes = exchange.held_bytes, 0
        if not exchange.ended and exchange.request in self._exchanges:
            self._queue(Consumed(exchange.request, size))

    def watch(self, job: int) -> Watching:
        """Ask for the job's state, now and whenever it changes."""
        exchange = Watching(self._next_request(), job)
        self._open(exchange, Watch(exchange.request, job))
        return exchange

    def cancel(self, job: int) -> Cancelling:
        """Ask for the job's cancellation."""
        exchange = Cancelling(self._next_request(), job)
        self._open(exchange, Cancel(exchange.request, job))
        return exchange

    def forget(self, exchange: Exchange) -> None:
        """End an exchange that nobody waits for any more, whatever its state; may be repeated."""
        if self._exchanges.pop(exchange.request, None) is None:
            return
        if _still_sends(exchange):
            self._queue(Unsubscribe(exchange.request))

    # --- what the shell brings and takes --------------------------------------------------------

    def receive(self, batch: Sequence[Any]) -> list[Exchange]:
        """Take in the server's messages.

        Returns:
            The exchanges that changed.

        Raises:
            ProtocolError: the server broke the rules.
            DcError: the server refused the connection; this names why.
        """
        changed: list[Exchange] = []
        for message in batch:
            if type(message) is Trouble:
                changed += self._receive_trouble(message)
                continue
            exchange = self._receive(message)
            if exchange is not None:
                changed.append(exchange)
        return changed

    def take(self, now: float) -> list[Message]:
        """Return the next messages to send, as one batch; empty if there are none."""
        batch: list[Message] = []
        size = 0
        while self._outbox and size < limits.BATCH_BYTES:
            message, cost = self._outbox.popleft()
            batch.append(message)
            size += cost
        if not batch and now >= self.heartbeat_at and self.error is None:
            batch.append(Heartbeat())
        if batch:
            self.heartbeat_at = now + limits.HEARTBEAT_SECONDS
        return batch

    @property
    def has_output(self) -> bool:
        """Whether `take` has something to send, heartbeats aside."""
        return bool(self._outbox)

    def lose(self, error: DcError) -> list[Exchange]:
        """The connection is gone: fail everything that goes on, and return it."""
        if self.error is None:
            self.error = error
        lost = list(self._exchanges.values())
        for exchange in lost:
            exchange.error = self._error_of(exchange)
        self._exchanges.clear()
        self._outbox.clear()
        return lost

    # --- inside ---------------------------------------------------------------------------------

    def _next_request(self) -> int:
        self._requests += 1
        return self._requests

    def _open(self, exchange: Exchange, message: Message) -> None:
        if self.error is not None:
            exchange.error = self._error_of(exchange)
            return
        self._exchanges[exchange.request] = exchange
        self._queue(message)

    def _queue(self, message: Message, size: int = 0) -> None:
        if self.error is None:
            self._outbox.append((message, size + MESSAGE_COST))

    def _error_of(self, exchange: Exchange) -> DcError:
        """Why a lost connection failed this exchange: each gets an error object of its own.

        What was wrong with a submission is that submission's error; to all others it is only the
        end of the connection.
        """
        error = self.error
        assert error is not None
        if isinstance(error, ConnectionLost):
            return type(error)(str(error))
        if isinstance(exchange, Submission):
            return by_code(error.code, str(error))
        return ConnectionLost(f"the connection was closed: {error}")

    def _receive(self, message: Any) -> Exchange | None:
        kind = type(message)
        if self.welcome is None and kind is not Welcome and kind is not Refused:
            raise ProtocolError(f"{kind.__name__} before Welcome")
        if kind is Finished or kind is EndOfResults:
            return self._receive_results(message)
        if kind is Status:
            return self._receive_status(message)
        if kind is Stored:
            return self._receive_stored(message)
        if kind is Accepted:
            return self._receive_accepted(message)
        if kind is Refused:
            return self._receive_refusal(message)
        if kind is Welcome:
            self._receive_welcome(message)
        return None

    def _receive_welcome(self, message: Welcome) -> None:
        if self.welcome is not None:
            raise ProtocolError("a second Welcome")
        self.welcome = message

    def _receive_results(self, message: Finished | EndOfResults) -> Exchange | None:
        exchange = self._exchanges.get(message.request)
        if exchange is None:  # crossed our Unsubscribe on its way
            return None
        if not isinstance(exchange, Subscription) or exchange.ended:
            raise ProtocolError(f"results for request {message.request}, which asked for none")
        if isinstance(message, Finished):
            exchange.push(message)
        else:
            exchange.ended = True
        return exchange

    def _receive_status(self, message: Status) -> Exchange | None:
        exchange = self._exchanges.get(message.request)
        if exchange is None:
            return None
        if not isinstance(exchange, Watching):
            raise ProtocolError(f"a state for request {message.request}, which asked for none")
        exchange.push(message)
        if exchange.final or isinstance(exchange, Cancelling):
            del self._exchanges[message.request]
        return exchange

    def _receive_stored(self, message: Stored) -> Exchange | None:
        exchange = self._exchanges.get(message.request)
        if exchange is None:
            return None
        if not isinstance(exchange, Submission) or exchange.accepted is None:
            raise ProtocolError(f"request {message.request} stored, which is no submission")
        exchange.backlog.acknowledge(message.count, ended=message.ended)
        return exchange

    def _receive_accepted(self, message: Accepted) -> Exchange | None:
        exchange = self._exchanges.get(message.request)
        if exchange is None:  # its user has gone
            return None
        if not isinstance(exchange, Submission) or exchange.accepted is not None:
            raise ProtocolError(f"request {message.request} accepted, which was no submission")
        exchange.accepted = message
        if exchange.resumes:
            self._send_again(exchange, message)
        else:
            self.said[exchange.asked] = message
        return exchange

    def _send_again(self, exchange: Submission, accepted: Accepted) -> None:
        """Send what the server lacks of a resumed submission."""
        backlog = exchange.backlog
        try:
            for batch in backlog.resume(accepted):
                self._queue(Payloads(exchange.request, batch.first, batch.payloads), batch.size)
        except DcError as error:
            exchange.error = error
            return
        if backlog.ended and not accepted.ended:
            self._queue(EndOfJob(exchange.request))

    def _receive_trouble(self, message: Trouble) -> list[Exchange]:
        self.trouble = message.text
        watching = [
            one
            for one in self._exchanges.values()
            if isinstance(one, Watching) and one.status is not None
        ]
        for one in watching:
            one.fresh = True
        return list(watching)

    def _receive_refusal(self, message: Refused) -> Exchange | None:
        if message.request < 0:
            raise by_code(message.code, message.text)
        exchange = self._exchanges.pop(message.request, None)
        if exchange is not None:
            exchange.error = by_code(message.code, message.text)
        return exchange


def _still_sends(exchange: Exchange) -> bool:
    if isinstance(exchange, Submission):
        return not exchange.backlog.whole
    if isinstance(exchange, Subscription):
        return not exchange.ended
    if isinstance(exchange, Cancelling):
        return False
    return isinstance(exchange, Watching) and not exchange.final
