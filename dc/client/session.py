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
  acknowledged (`has_room`); one batch always fits, however large.
- A subscription hands its batches over in pieces of `limits.HAND_OVER_BYTES`. What was handed over
  counts as consumed when the next piece is asked for, and only then gives the server room to send.

After `lose`, every exchange has an error, and so has each later one; nothing is sent any more. What
had come before can still be handed over. Going on over a new connection is the caller's business;
a `Cursor` remembers from where.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from msgspec import structs

from dc import limits
from dc.errors import ConnectionLost, DcError, ProtocolError, by_code
from dc.messages import (
    PROTOCOL,
    Accepted,
    Cancel,
    Consumed,
    EndOfJob,
    EndOfResults,
    Finished,
    Heartbeat,
    Hello,
    Message,
    Payload,
    Payloads,
    Refused,
    Status,
    Stored,
    Submit,
    Subscribe,
    Unsubscribe,
    Watch,
    Welcome,
)

FINAL_STATES = frozenset({"done", "failed", "cancelled"})
MESSAGE_COST = 1024  # bytes that a message without payloads counts when a batch is cut
MOST_QUEUED = 2 * limits.STREAM_BYTES + limits.MESSAGE_BYTES  # beyond any honest server's window


class Exchange:
    """What is going on under one request number. `error` is set once it has failed."""

    def __init__(self, request: int) -> None:
        self.request = request
        self.error: DcError | None = None


class Submission(Exchange):
    """A job being submitted: `accepted`, then `stored` tasks are on disk, then `ended`."""

    def __init__(self, request: int) -> None:
        super().__init__(request)
        self.accepted: Accepted | None = None
        self.sent = 0
        self.stored = 0
        self.ended = False
        self.unstored_bytes = 0
        self._window: deque[tuple[int, int]] = deque()

    def has_room(self, size: int) -> bool:
        """Whether the next batch of payloads, of `size` bytes, may be sent."""
        return not self.unstored_bytes or self.unstored_bytes + size <= limits.UNSTORED_BYTES

    def push(self, count: int, size: int) -> None:
        """Note that `count` more tasks of together `size` bytes were sent."""
        self.sent += count
        self.unstored_bytes += size
        self._window.append((self.sent, size))

    def acknowledge(self, message: Stored) -> None:
        """Take in what is on disk."""
        if message.count > self.sent:
            raise ProtocolError(f"{message.count} tasks stored, {self.sent} were sent")
        self.stored = max(self.stored, message.count)
        self.ended = self.ended or message.ended
        while self._window and self._window[0][0] <= self.stored:
            self.unstored_bytes -= self._window.popleft()[1]


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
        while self.batches and size < limits.HAND_OVER_BYTES:
            batch = self.batches.popleft()
            piece.append(batch)
            size += batch.size
        self.queued_bytes -= size
        self.held_bytes += size
        return piece


class Cursor:
    """How far a job's results were handed over, over all connections.

    In order, the cursor is the next task's number. As they come, it is the server's; the server
    cuts a large record into several batches that share one cursor, so this counts as passed only
    once a batch with another one has come. Until then the numbers that were handed over under it
    are remembered, and dropped if they come again.
    """

    def __init__(self, *, ordered: bool) -> None:
        self.ordered = ordered
        self.after = 0
        self._last = 0
        self._numbers: list[list[int]] = []  # handed over under the cursor `_last`

    def advance(self, batch: Finished) -> Finished:
        """Note a batch as handed over; return what of it is new."""
        if self.ordered:
            self.after = batch.numbers[-1] + 1
            return batch
        if batch.cursor != self._last:
            self.after, self._last, self._numbers = self._last, batch.cursor, []
        elif self._numbers:
            batch = _without(batch, {number for known in self._numbers for number in known})
        self._numbers.append(batch.numbers)
        return batch


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
    """

    def __init__(self, software: str, now: float) -> None:
        self.welcome: Welcome | None = None
        self.error: DcError | None = None
        self.heartbeat_at = now + limits.HEARTBEAT_SECONDS
        self._requests = 0
        self._exchanges: dict[int, Exchange] = {}
        self._submissions: dict[int, Submission] = {}
        self._outbox: deque[tuple[Message, int]] = deque()
        self._queue(Hello(PROTOCOL, "client", software, []))

    # --- what the user's side asks for ----------------------------------------------------------

    def submit(self, type_name: str, version: str, options: dict[str, Any]) -> Submission:
        """Ask for a job; its number comes as `Submission.accepted`."""
        exchange = Submission(self._next_request())
        self._open(exchange, Submit(exchange.request, type_name, version, options))
        return exchange

    def send_payloads(self, exchange: Submission, payloads: list[Payload], size: int) -> None:
        """Send the next tasks of an accepted job; `size` is their bytes on this socket."""
        assert exchange.accepted is not None, "payloads before Accepted"
        assert 0 < len(payloads) <= limits.BATCH_TASKS
        self._queue(Payloads(exchange.accepted.job, exchange.sent, payloads), size)
        exchange.push(len(payloads), size)

    def end_submission(self, exchange: Submission) -> None:
        """Say that there are no more tasks; `Submission.ended` becomes true once it is on disk."""
        assert exchange.accepted is not None, "the end before Accepted"
        self._queue(EndOfJob(exchange.accepted.job))

    def subscribe(self, job: int, *, ordered: bool, after: int) -> Subscription:
        """Ask for results beyond the cursor `after` (0: from the beginning)."""
        exchange = Subscription(self._next_request(), job)
        self._open(exchange, Subscribe(exchange.request, job, ordered, after))
        return exchange

    def consume(self, exchange: Subscription) -> None:
        """Count what was handed over as consumed: the server may send more."""
        size, exchange.held_bytes = exchange.held_bytes, 0
        if size and not exchange.ended and exchange.request in self._exchanges:
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
        if isinstance(exchange, Submission) and exchange.accepted is not None:
            self._submissions.pop(exchange.accepted.job, None)
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
        self._submissions.clear()
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
        submission = self._submissions.get(message.job)
        if submission is not None:
            submission.acknowledge(message)
        return submission

    def _receive_accepted(self, message: Accepted) -> Exchange | None:
        exchange = self._exchanges.get(message.request)
        if exchange is None:  # its user has gone: an empty job is left, and is to go, too
            self.cancel(message.job)
            return None
        if not isinstance(exchange, Submission) or exchange.accepted is not None:
            raise ProtocolError(f"request {message.request} accepted, which was no submission")
        exchange.accepted = message
        self._submissions[message.job] = exchange
        return exchange

    def _receive_refusal(self, message: Refused) -> Exchange | None:
        if message.request < 0:
            raise by_code(message.code, message.text)
        exchange = self._exchanges.pop(message.request, None)
        if exchange is not None:
            exchange.error = by_code(message.code, message.text)
            if isinstance(exchange, Submission) and exchange.accepted is not None:
                self._submissions.pop(exchange.accepted.job, None)
        return exchange


def _without(batch: Finished, known: set[int]) -> Finished:
    if known.isdisjoint(batch.numbers):
        return batch
    rows = zip(batch.numbers, batch.attempts, batch.times, batch.outcomes, strict=True)
    columns = list(zip(*(row for row in rows if row[0] not in known), strict=True)) or [()] * 4
    numbers, attempts, times, outcomes = map(list, columns)
    return structs.replace(
        batch, numbers=numbers, attempts=attempts, times=times, outcomes=outcomes
    )


def _still_sends(exchange: Exchange) -> bool:
    if isinstance(exchange, Subscription):
        return not exchange.ended
    if isinstance(exchange, Cancelling):
        return False
    return isinstance(exchange, Watching) and not exchange.final
