"""How a worker without an address finds servers: the question, the answer, and what they say.

A question goes by UDP to the port that servers use, to all of a network or to one computer:

    dc?1 NONCE(8) 0...            filled up with zeros to DISCOVERY_BYTES

    dc!1 NONCE(8) FACTS           FACTS in MessagePack; never longer than the question

The same facts stand in the TXT record of mDNS (`_dc._tcp.local.`), as text. Nothing in them is
secret, and nothing in them is believed: a worker joins by what it knows of a server's key already,
or by what a person has compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from dc import limits_join

SERVICE: Final = "_dc._tcp.local."
NONCE_BYTES: Final = 8
PIN_BYTES: Final = 16
"""Of a server's pin that is told."""

_QUESTION: Final = b"dc?1"
_ANSWER: Final = b"dc!1"
_HEAD: Final = len(_QUESTION) + NONCE_BYTES
_NAME_BYTES: Final = 60

_Plain = Annotated[str, Meta(pattern=r"\A[!-~]{0,64}\Z")]


class Facts(Struct, frozen=True, array_like=True):
    """What a server says of itself to whoever asks.

    Attributes:
        server: its identity, as in Welcome.
        port: where it listens.
        tls: whether it speaks TLS there.
        pin: the first 16 bytes of the SHA-256 of its public key; empty without TLS.
        version: of dc.
        name: its computer's, for people.
    """

    server: _Plain
    port: Annotated[int, Meta(ge=1, le=65535)]
    tls: bool
    pin: Annotated[bytes, Meta(max_length=PIN_BYTES)] = b""
    version: _Plain = ""
    name: Annotated[str, Meta(max_length=_NAME_BYTES)] = ""


class Found(Struct, frozen=True):
    """A server that has answered, and the address it has answered from."""

    host: str
    facts: Facts


_DECODER: Final = msgspec.msgpack.Decoder(Facts)


def question(nonce: bytes) -> bytes:
    """Return the question with this nonce of 8 bytes."""
    assert len(nonce) == NONCE_BYTES
    return (_QUESTION + nonce).ljust(limits_join.DISCOVERY_BYTES, b"\0")


def read_question(data: bytes) -> bytes | None:
    """Return the nonce of a question, None if it is none. May be given anything."""
    whole = len(data) == limits_join.DISCOVERY_BYTES and data.startswith(_QUESTION)
    return data[len(_QUESTION) : _HEAD] if whole else None


def answer(nonce: bytes, facts: Facts) -> bytes:
    """Return the answer to the question with this nonce."""
    data = _ANSWER + nonce + msgspec.msgpack.encode(facts)
    assert len(data) <= limits_join.DISCOVERY_BYTES
    return data


def read_answer(data: bytes, nonce: bytes) -> Facts | None:
    """Return what an answer to the question with this nonce says, None if it is none.

    May be given anything.
    """
    if len(data) > limits_join.DISCOVERY_BYTES or not data.startswith(_ANSWER + nonce):
        return None
    try:
        facts = _DECODER.decode(data[_HEAD:])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return _checked(facts)


def facts_of(
    server: str, port: int, pin: bytes, version: str, name: str, *, tls: bool = True
) -> Facts:
    """Return the facts of a server, cut to what fits; `pin` may be the whole of it."""
    short = name.encode()[:_NAME_BYTES].decode(errors="ignore")
    short = "".join(letter for letter in short if letter.isprintable())
    return Facts(server, port, tls, pin[:PIN_BYTES] if tls else b"", version[:64], short)


def txt_of(facts: Facts) -> dict[str, str]:
    """Return the facts as the TXT record of mDNS; the port stands beside it."""
    return {
        "dc": "1",
        "id": facts.server,
        "tls": "1" if facts.tls else "0",
        "pin": facts.pin.hex(),
        "version": facts.version,
        "name": facts.name,
    }


def read_txt(txt: Mapping[str, str | None], port: int) -> Facts | None:
    """Return what a TXT record says, None if it is none of dc. May be given anything."""
    said = {key: value or "" for key, value in txt.items()}
    try:
        facts = msgspec.convert(
            (
                *(said.get("id", ""), port, said.get("tls") == "1"),
                *(bytes.fromhex(said.get("pin", "")), said.get("version", "")),
                said.get("name", ""),
            ),
            Facts,
        )
    except (msgspec.ValidationError, ValueError):
        return None
    return _checked(facts) if said.get("dc") == "1" else None


def _checked(facts: Facts) -> Facts | None:
    """Return facts that are of use: one can tell the server again, and print what it is called."""
    has_pin = len(facts.pin) == (PIN_BYTES if facts.tls else 0)
    return facts if facts.server and has_pin and facts.name.isprintable() else None
