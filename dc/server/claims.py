"""Which blobs messages of peers name, and whether they are here."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec
import trio

from dc import limits_store as limits
from dc._columns import weigh
from dc.blobs import BlobFolder
from dc.errors import PayloadError
from dc.messages_client import Payloads, Submit
from dc.messages_parts import Blob, Inputs, Message, Payload
from dc.messages_worker import Checkpoint, Done, Output


async def claim(blobs: BlobFolder, batch: Iterable[Message]) -> frozenset[Blob]:
    """Claim every blob that a batch names; return those of results and inputs not here.

    Others have their turn now and then: to ask the disk for thousands takes a while.

    Raises:
        PayloadError: one of payloads is not here.
    """
    missing: set[Blob] = set()
    claimed = 0
    for message in batch:
        for blob in _named(message):
            claimed += 1
            if claimed % limits.CLAIMS_AT_ONCE == 0:
                await trio.lowlevel.checkpoint()
            if blobs.claim(blob.digest) == blob.size:
                continue
            if isinstance(message, Payloads):
                raise PayloadError(f"blob {blob.name} is not here: put it to /blobs first")
            missing.add(blob)
    return frozenset(missing)


def _named(message: Message) -> Collection[Blob]:
    """Return the blobs that a message names, each once."""
    column: list[Payload] = []
    match message:
        case Payloads(payloads=column) | Done(results=column):
            pass
        case Submit():
            column = _inputs(message)
        case Output(whole=Blob() as whole):
            column = [whole]
        case Checkpoint():
            column = [message.data]
    if not column or not weigh(column).others:
        return ()
    return dict.fromkeys(item for item in column if isinstance(item, Blob))


def _inputs(message: Submit) -> list[Payload]:
    """Return the inputs of a new job; nothing of what is none, which is refused later."""
    if "inputs" not in message.options:
        return []
    try:
        return list(msgspec.convert(message.options["inputs"], Inputs).values())
    except msgspec.ValidationError:
        return []
