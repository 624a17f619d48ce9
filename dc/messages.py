"""Everything that goes over the wire, in both directions.

Theory of operation
-------------------
Each binary WebSocket message is one MessagePack array: a *batch* of messages. Each message is an
array itself: its name in lower case, then its fields in the order written here. So a new field
goes to the end and has a default: an older peer ignores it, a newer one fills it in. A message that
is not known is the sender's mistake; what a peer understands is told by the capabilities in its
first message.

The first message of a peer is `Hello`, the first of the server `Welcome`. After that:

    worker  -> server   Held, Heartbeat, Running, Done, Failed, Returned, Goodbye, Leaving,
                        Output, Progress, Checkpoint, Cached, Vitals, Resting
    server  -> worker   Welcome, Assign, Stop, Recorded, Heartbeat, Trouble, Refused, Slots, Rest,
                        End
    client  -> server   Submit, Payloads, EndOfJob, Subscribe, Consumed, Unsubscribe, Watch, Cancel,
                        Heartbeat
    server  -> client   Welcome, Accepted, Stored, Finished, EndOfResults, Status, Heartbeat,
                        Trouble, Refused

Where there is something for each task, a message holds columns: lists of equal length, one element
a task. It costs a third of a list of rows, and both sides work on whole lists.

A worker numbers its reports (Done, Failed, Returned) with `sequence`, without gaps, also over its
restarts; `Recorded` names the last one up to which all are on the server's disk. A worker keeps a
report until then and sends it again after a reconnect.

`Codec.decode` raises ProtocolError for anything that is not a batch of the expected messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from dc import limits
from dc.errors import ProtocolError
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
from dc.messages_parts import LongText, Message, Text, WorkerSlots
from dc.messages_worker import (
    About,
    Assign,
    Cached,
    Checkpoint,
    Done,
    End,
    Failed,
    Goodbye,
    Held,
    Leaving,
    Output,
    Progress,
    Recorded,
    Rest,
    Resting,
    Returned,
    Running,
    Slots,
    Stop,
    Vitals,
)

PROTOCOL: Final = 1
SUBPROTOCOL: Final = "dc.v1"


class Hello(Message, frozen=True):
    """The first message of a worker or a client.

    Of a worker, the capability `orders` says that it understands Slots, Rest and End.
    """

    version: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    role: Literal["worker", "client"]
    software: Text
    capabilities: Annotated[list[Text], Meta(max_length=256)]
    about: About | None = None


class Welcome(Message, frozen=True):
    """The server's answer to Hello.

    `server` names its data folder for good: numbers of jobs mean something only together with it.
    `slots` is how many slots an operator wants a worker to use, 0 for its own.
    """

    version: int
    software: Text
    capabilities: list[Text]
    server: Text = ""
    slots: WorkerSlots = 0


class Heartbeat(Message, frozen=True):
    """A sign of life when there is nothing else to say."""


class Trouble(Message, frozen=True):
    """Why the server acknowledges nothing at present, in one sentence; empty once it does again."""

    text: LongText


class Refused(Message, frozen=True):
    """A named error (the `code` of a class in dc.errors), about a request or the whole connection.

    `request` is -1 when it is about the connection, which the sender then closes.
    """

    request: int
    code: Text
    text: LongText


ToWorker: TypeAlias = (
    Welcome | Assign | Stop | Recorded | Heartbeat | Trouble | Refused | Slots | Rest | End
)
FromWorker: TypeAlias = (
    Hello
    | Held
    | Heartbeat
    | Running
    | Done
    | Failed
    | Returned
    | Goodbye
    | Leaving
    | Output
    | Progress
    | Checkpoint
    | Cached
    | Vitals
    | Resting
)
FromClient: TypeAlias = (
    Hello
    | Submit
    | Payloads
    | EndOfJob
    | Subscribe
    | Consumed
    | Unsubscribe
    | Watch
    | Cancel
    | Heartbeat
)
ToClient: TypeAlias = (
    Welcome | Accepted | Stored | Finished | EndOfResults | Status | Heartbeat | Trouble | Refused
)
FromPeer: TypeAlias = FromWorker | FromClient
Report: TypeAlias = Done | Failed | Returned


class Codec:
    """Encodes batches of messages and decodes those of one direction.

    Args:
        kinds: the union of messages that may come in.
    """

    def __init__(self, kinds: Any) -> None:
        self._encoder = msgspec.msgpack.Encoder()
        batch = Annotated[list[kinds], Meta(max_length=limits.BATCH_MESSAGES)]
        self._decoder = msgspec.msgpack.Decoder(batch)

    def encode(self, batch: Sequence[Message | msgspec.Raw]) -> bytes:
        """Return the batch as bytes; messages in it may be encoded already."""
        return self._encoder.encode(batch)

    def decode(self, data: bytes) -> list[Any]:
        """Return the messages of a batch.

        Raises:
            ProtocolError: the bytes are no batch of messages that may come in here.
        """
        try:
            return self._decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
            raise ProtocolError(
                f"not a batch of known messages: {error}", close_code=1007
            ) from None


def check_columns(message: Any) -> None:
    """Check that all columns of a message are equally long.

    Raises:
        ProtocolError: they are not.
    """
    size = len(message.numbers)
    for name in ("attempts", "times", "elapsed", "payloads", "results"):
        column = getattr(message, name, None)
        if column is not None and len(column) != size:
            text = f"{type(message).__name__}: {len(column)} {name} for {size} numbers"
            raise ProtocolError(text, close_code=1007)
