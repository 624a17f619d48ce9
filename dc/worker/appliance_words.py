"""The words of a configuration, as they stand on a kernel line, in a file, or in a DHCP option.

    dc.invite=dc1-…   dc.server=HOST:PORT   dc.slots=N   dc.name=NAME   dc.label=KEY=VALUE
    dc.ip=ADDR/PREFIX[@IF]   dc.gw=ADDR   dc.dns=ADDR[,ADDR]   dc.shell=1   dc.trust-network=1

A kernel line has them among others, a value with blanks in quotes. A file has one on each line, and
`#` before remarks. A DHCP option has them with blanks between, or a join code or an address alone.
All of it may be anything: what is no such word is told in a sentence, and left out. No sentence
says what a value was, for it may be a secret that was written wrongly.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from dc import invites, limits_appliance

PREFIX: Final = "dc."
WORDS: Final = frozenset(
    ("invite", "server", "slots", "name", "label", "ip", "gw", "dns", "shell", "trust-network")
)
OF_DHCP: Final = WORDS - {"ip", "gw", "dns", "shell", "trust-network"}
"""What a DHCP server may say. Who answers DHCP has not always a say in who may do what here."""

KERNEL_LINE: Final = "the kernel line"
FILE: Final = "dc.conf"
OPTION: Final = "DHCP option 224"


class Said(Struct, frozen=True):
    """What one source says.

    Attributes:
        source: for people.
        words: names without `dc.`, and values, in the order in which they stand.
        remarks: sentences on what is wrong with it.
    """

    source: str
    words: list[tuple[str, str]] = []
    remarks: list[str] = []


def of_kernel_line(data: bytes) -> Said:
    """Return what a kernel line says. Its other words are none of ours."""
    text = data[: limits_appliance.CONFIG_BYTES].decode(errors="replace")
    words = [one for one in _unquoted(text) if one.startswith(PREFIX)]
    return _said(KERNEL_LINE, words, WORDS)


def of_file(data: bytes) -> Said:
    """Return what a configuration file says."""
    text = data[: limits_appliance.CONFIG_BYTES].decode(errors="replace")
    lines = [line.strip() for line in text.replace("\r", "\n").split("\n")]
    found = [line for line in lines if line.strip("\0") and not line.startswith("#")]
    return _said(FILE, found, WORDS)


def of_option(digits: str) -> Said:
    """Return what a DHCP option says, of its bytes as hexadecimal digits."""
    try:
        data = binascii.unhexlify("".join(digits.split()).replace(":", ""))
    except (binascii.Error, ValueError):
        return Said(OPTION, remarks=[f"{OPTION} is no text"])
    text = data[: limits_appliance.CONFIG_BYTES].decode(errors="replace").strip("\0 \t\r\n")
    if text and not text.startswith(PREFIX) and len(text.split()) == 1:
        kind = "invite" if invites.is_code(text) else "server"
        return Said(OPTION, [(kind, text)])
    words = [f"{PREFIX}invite={one}" if invites.is_code(one) else one for one in _unquoted(text)]
    return _said(OPTION, words, OF_DHCP)


def _unquoted(text: str) -> Iterator[str]:
    """Yield the words of a line as the kernel takes it apart: blanks in quotes end none."""
    word, quoted = "", False
    for letter in [*text, " "]:
        if letter == '"':
            quoted = not quoted
        elif letter.isspace() and not quoted:
            if word == "--":  # what follows is the first program's
                return
            if word:
                yield word
            word = ""
        else:
            word += letter
    if word.strip():
        yield word.strip()


def _said(source: str, texts: Iterable[str], known: frozenset[str]) -> Said:
    said, garbage = Said(source), 0
    for text in texts:
        name, equals, value = text.partition("=")
        name, value = name.strip(), value.strip()
        if not name.startswith(PREFIX):
            garbage += 1
            continue
        short = name.removeprefix(PREFIX)
        if short not in known:
            where = "is not taken from" if short in WORDS else "is no word that is known, in"
            said.remarks.append(f"{shown(name)} {where} {source}: it is left out")
        elif not equals or not value:
            said.remarks.append(f"{name} in {source} has no value: give {name}=VALUE")
        else:
            said.words.append((short, value))
    if garbage:
        lines = "1 word is" if garbage == 1 else f"{garbage} words are"
        said.remarks.append(f"{source}: {lines} no configuration (dc.NAME=VALUE), and left out")
    return said


def shown(text: str) -> str:
    """Return the beginning of something that was written by others, to be shown."""
    short = "".join(letter if " " <= letter <= "~" else "?" for letter in text[:33])
    return short if len(text) <= 32 else f"{short[:30]}.."
