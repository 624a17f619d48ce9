"""What the programs share: how they start, and how they say why they cannot."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import NoReturn

import trio

from dc import interrupt
from dc.errors import DcError

SAME_SIGNAL_SECONDS = 1.0
"""A second signal within this time is taken for the same Ctrl-C."""

WRONG = 2
INTERRUPTED = 130


def run(name: str, program: Callable[[], Awaitable[None]]) -> int:
    """Run a program; return its exit status.

    Args:
        name: what the program is called in messages.
        program: what to run under Trio. A DcError out of it is told in one line.

    Returns:
        0 when it ended by itself, 2 after a DcError, 130 after Ctrl-C.
    """
    try:
        trio.run(program)
    except* DcError as errors:
        print(f"{name}: {first(errors)}", file=sys.stderr)
        return_code = WRONG
    except* KeyboardInterrupt:
        return_code = INTERRUPTED
    else:
        return_code = 0
    return return_code


def status_of(main: Callable[[], int]) -> int:
    """Return the exit status of a program's main function, also if Ctrl-C meets it outside `run`.

    Until it is called, Ctrl-C may end the process at once (dc/interrupt.py).
    """
    try:
        interrupt.is_raised()
        return main()
    except KeyboardInterrupt:
        return INTERRUPTED


def start_anew(arguments: Sequence[str]) -> NoReturn:
    """Start this program anew in its own place, with these arguments behind the interpreter's.

    The process keeps its number, so that whoever watches over it sees nothing.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # as in a program of Windows that has no window
            stream.flush()
    # No shell is wanted.
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606  # nosec B606


def first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error in a group, or in those in it."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
