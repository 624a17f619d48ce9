"""Where a worker is told to go, on its command line: an address, a join code, or neither."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import Final, TextIO

from msgspec import Struct

from dc import invites, limits_join, program
from dc.dial import pinned, read_url
from dc.errors import StartError
from dc.worker.finding import Where

VARIABLE: Final = "DC_JOIN"
"""Of the environment: a join code."""

EPILOG: Final = """\
A join code (dc1-..., from `python -m dc invite` or the page of the server) is all that a computer
needs to become a worker. Other users of this computer can see the arguments of programs, so a code
that stands there is taken off as soon as it is read; better give it by --join or DC_JOIN. Mostly it
is good for one computer alone. Once it has joined, a worker needs neither the code nor an address.
"""


class JoinOptions(Struct, frozen=True):
    """What was said; `trusts_network`: a number is compared on the server's page alone."""

    where: Where = Where()
    trusts_network: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add(
        "where",
        metavar="CODE|URL",
        nargs="?",
        default="",
        help="a join code (dc1-...), or the address of the server; without either, the server that "
        "was joined last, or one that is found on this computer or in its networks",
    )
    add("--join", metavar="FILE", help="a file with a join code, - for standard input")
    add(
        "--trust-network",
        action="store_true",
        help="join a server that is found when its page says yes to the number shown here, without "
        "asking here as well: for networks in which all computers are yours",
    )


def read(
    values: argparse.Namespace,
    environ: MutableMapping[str, str] = os.environ,
    source: TextIO | None = None,
) -> JoinOptions:
    """Return what was asked for. The code is taken out of the environment, which tasks can see.

    Args:
        values: of the command line.
        environ: of this process.
        source: standard input, if it is another one.

    Raises:
        StartError: the code or the address is none, or more than one was given.
    """
    variable = environ.pop(VARIABLE, "")
    code = values.where if invites.is_code(values.where) else ""
    url = "" if code else values.where
    if values.join is not None:
        if code:
            raise StartError("give one join code: as the argument, or by --join")
        code = _from_file(values.join, source or sys.stdin)
    code = code or ("" if url else variable)
    if code and url:
        raise StartError("give a join code or an address, not both: a code has the addresses")
    if url:
        pinned(read_url(url), environ)
    return JoinOptions(Where(invites.read(code) if code else None, url), values.trust_network)


def _from_file(name: str, source: TextIO) -> str:
    """Return the code in a file: on a line of its own, or behind `dc.invite=` as for a boot image.

    Raises:
        StartError: it cannot be read, or there is none.
    """
    try:
        if name == "-":
            text = source.read(limits_join.CODE_BYTES)
        else:
            with Path(name).open(encoding="ascii", errors="replace") as file:
                text = file.read(limits_join.CODE_BYTES)
    except OSError as error:
        raise StartError(f"--join {name}: {error.strerror or error}") from None
    return code_in(name, text)


def code_in(name: str, text: str) -> str:
    """Return the code in the text of a file: on its own, or behind `dc.invite=`.

    Raises:
        StartError: there is none; `name` is the file's.
    """
    for word in text.split():
        if invites.is_code(word.removeprefix("dc.invite=")):
            return word.removeprefix("dc.invite=")
    raise StartError(f"--join {name}: there is no join code in it, which begins with dc1-")


def hide_code(argv: Sequence[str]) -> None:
    """Start this program anew without the join code among its arguments, if there is one.

    Others of this computer see arguments, and not the environment. On Windows it would be another
    process, which whoever has started this one does not know.
    """
    rest, code = without_code(argv)
    if code and sys.platform != "win32":
        os.environ[VARIABLE] = code
        program.start_anew(rest)


def without_code(argv: Sequence[str]) -> tuple[list[str], str]:
    """Return arguments without the join code among them, and the code; empty if there is none."""
    codes = [one for one in argv if is_whole(one)]
    return [one for one in argv if not is_whole(one)], codes[0] if codes else ""


def is_whole(text: str) -> bool:
    """Whether a text is a join code. A name, say, may look like the beginning of one."""
    try:
        invites.read(text)
    except StartError:
        return False
    return True
