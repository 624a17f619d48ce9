"""Words that tell a computer which was booted from the image what to do: `dc.slots=2`.

They stand in the configuration of an image, one on a line, or behind a kernel's command line. The
configuration is of a fixed size, and begins with a line by which it is found in whatever holds it:

    (MAGIC)
    dc.invite=dc1-…
    dc.label=room=upper floor
    (line ends up to the last byte)
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeAlias

from dc import invites, limits, limits_image
from dc.errors import OptionsError, StartError

Word: TypeAlias = tuple[str, str]
"""A name without its `dc.`, and what is said."""

MAGIC: Final = "".join(("#dc-image-", "configuration-1\n")).encode()
"""The first line. It is put together here, so that this file, which is in the image as well, is not
taken for its configuration."""

MOST: Final[Mapping[str, int]] = MappingProxyType({"gw": 1, "dns": 3})
"""Addresses in one word: the system's library asks three servers of names."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_SERVER: Final = re.compile(r"(?:https?://)?(?:\[[0-9A-Fa-f:.]+\]|[\w.-]{1,253})(?::\d{1,5})?/?")
_CARD: Final = re.compile(r"[A-Za-z0-9._-]{1,15}")


def checked(words: Iterable[Word]) -> list[Word]:
    """Return words as they are to be written.

    Raises:
        OptionsError: one is none that a computer takes, or there are too many.
    """
    found = [(name, _value(name, text)) for name, text in words]
    once = [name for name, _ in found if name != "label"]
    if twice := {name for name in once if once.count(name) > 1}:
        raise OptionsError(f"dc.{min(twice)} is said twice")
    if len(found) > limits_image.WORDS:
        raise OptionsError(f"these are more than {limits_image.WORDS} words for an image")
    return found


def area(words: Iterable[Word]) -> bytes:
    """Return the configuration of an image, of AREA_BYTES; OptionsError if they do not fit."""
    lines = "".join(f"dc.{name}={text}\n" for name, text in checked(words))
    data = MAGIC + lines.encode()
    most = limits_image.AREA_BYTES
    if len(data) > most:
        raise OptionsError(f"the configuration has {len(data):,} bytes, and {most:,} fit: say less")
    return data.ljust(most, b"\n")


def read_area(data: bytes) -> list[Word]:
    """Return the words of a configuration; OptionsError if it is none that is whole."""
    if len(data) != limits_image.AREA_BYTES or not data.startswith(MAGIC):
        raise OptionsError("there is no whole configuration in it")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text or not text.endswith("\n"):
        raise OptionsError("the configuration in it is damaged")
    lines = (line.strip() for line in text.replace("\r", "\n").split("\n"))
    words = (line.partition("=") for line in lines if line.startswith("dc."))
    return [(name.removeprefix("dc.").strip(), said.strip()) for name, _, said in words]


def kernel_line(words: Iterable[Word]) -> str:
    """Return words as they stand behind a kernel's command line, in a script for iPXE as well.

    Raises:
        OptionsError: one cannot stand there, or they are too long.
    """
    line = " ".join(_kernel_word(name, text) for name, text in checked(words))
    if len(line) > limits_image.LINE_BYTES:
        raise OptionsError(f"the kernel's line would have more than {limits_image.LINE_BYTES:,}")
    return line


def _kernel_word(name: str, text: str) -> str:
    """Return a word; one with blanks is quoted as the kernel takes it."""
    parts = text.split(" ")
    if not text.isascii() or set(text) & set('"$\\') or any(one[:1] in "#|&" for one in parts[1:]):
        raise OptionsError(
            f"dc.{name}: on a kernel's line there are ASCII characters without \" $ \\, and no "
            "word begins with # | &"
        )
    return f'"dc.{name}={text}"' if " " in text else f"dc.{name}={text}"


# --- what each may be, for who writes it and for who reads it ------------------------------------


def slots_of(text: str) -> int:
    """Return the number of slots that is said; 0 if it is none."""
    is_number = text.isascii() and text.isdigit() and len(text) < 6
    return int(text) if is_number and int(text) <= limits_image.SLOTS else 0


def is_own_address(text: str) -> bool:
    """Whether it is a computer's own address, ADDRESS/PREFIX[@CARD]."""
    address, at, card = text.partition("@")
    try:
        ipaddress.ip_interface(address)
    except ValueError:
        return False
    return "/" in address and (not at or _CARD.fullmatch(card) is not None)


def addresses_of(text: str, most: int) -> list[str]:
    """Return the addresses that are said, with commas between; none if they are none or more."""
    try:
        found = [str(ipaddress.ip_address(one.strip())) for one in text.split(",")]
    except ValueError:
        return []
    return found if len(found) <= most else []


def _value(name: str, text: str) -> str:
    check = _CHECKS.get(name)
    if check is None:
        raise OptionsError(f"dc.{name[:40]} is no word for an image")
    text = text.strip(" ")
    if not text or len(text) > limits_image.VALUE_CHARS or not text.isprintable():
        most = limits_image.VALUE_CHARS
        raise OptionsError(f"dc.{name}: give 1 to {most:,} characters, on one line")
    return check(text)


def _invite(text: str) -> str:
    try:
        invites.read(text)
    except StartError as error:
        raise OptionsError(str(error)) from None
    return "".join(text.split()).lower()


def _server(text: str) -> str:
    if not _SERVER.fullmatch(text):
        raise OptionsError(f"dc.server: {text[:80]!r} is no HOST:PORT, and no URL")
    return text


def _slots(text: str) -> str:
    if not (slots := slots_of(text)):
        most = limits_image.SLOTS
        raise OptionsError(f"dc.slots: {text[:40]!r} is no number from 1 to {most:,}")
    return str(slots)


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise OptionsError(
            f"dc.name: {text[:80]!r}: give letters, digits, dots and hyphens, 63 at most"
        )
    return text


def _label(text: str) -> str:
    key, equals, value = text.partition("=")
    if not key.strip() or not equals or max(len(key), len(value)) > limits.TEXT_CHARS:
        raise OptionsError(f"dc.label: {text[:80]!r} is no KEY=VALUE")
    return f"{key.strip()}={value.strip()}"


def _own_address(text: str) -> str:
    if not is_own_address(text):
        raise OptionsError(f"dc.ip: {text[:80]!r} is no ADDRESS/PREFIX, as 192.168.1.50/24")
    return text


def _addresses(name: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not (found := addresses_of(text, MOST[name])):
            raise OptionsError(f"dc.{name}: {text[:80]!r} is no IP address")
        return ",".join(found)

    return check


def _yes(name: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text != "1":
            raise OptionsError(f"dc.{name}: it is 1 or not said")
        return text

    return check


_CHECKS: Final[Mapping[str, Callable[[str], str]]] = MappingProxyType(
    {
        "invite": _invite,
        "server": _server,
        "slots": _slots,
        "name": _name,
        "label": _label,
        "ip": _own_address,
        "gw": _addresses("gw"),
        "dns": _addresses("dns"),
        "shell": _yes("shell"),
        "trust-network": _yes("trust-network"),
    }
)

NAMES: Final[Sequence[str]] = tuple(_CHECKS)
"""Of all words."""
