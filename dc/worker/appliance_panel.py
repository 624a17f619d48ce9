"""The consoles of a computer that was booted from the image: a screen, and serial lines.

Nothing here waits for a console: what it does not take at once is kept for the next time, and what
is too much is not written.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import trio

from dc import limits_appliance

if sys.platform != "win32":
    import termios
    import tty

_FLAGS: Final = getattr(os, "O_NOCTTY", 0) | getattr(os, "O_NONBLOCK", 0)

_BEGIN: Final = "\x1b[?25l\x1b[9;0]\x1b[14;0]\x1b[H"
"""Hides the cursor, has the screen stay on, and begins at its upper left."""
_TITLE, _PLAIN, _REST, _BELOW = "\x1b[7m", "\x1b[0m", "\x1b[K\r\n", "\x1b[J"


class Console:
    """One console.

    Args:
        path: its device; as long as that is not there, nothing is written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number = -1
        self._waiting = b""

    @property
    def number(self) -> int:
        """The number of its open file; -1 while there is none."""
        if self._number < 0:
            with suppress(OSError):
                self._number = os.open(self._path, os.O_RDWR | _FLAGS)
        return self._number

    def write(self, text: str) -> bool:
        """Write a text, now or later; return False, and do not, if too much waits already."""
        data = text.encode("ascii", errors="replace")
        if len(self._waiting) + len(data) > limits_appliance.CONSOLE_BYTES:
            self.flush()
        if len(self._waiting) + len(data) > limits_appliance.CONSOLE_BYTES:
            return False
        self._waiting += data
        self.flush()
        return True

    def flush(self) -> None:
        """Write what waits, as far as the console takes it."""
        number = self.number
        while self._waiting and number >= 0:
            try:
                done = os.write(number, self._waiting)
            except BlockingIOError:
                return
            except OSError:  # it was taken out
                self.close()
                return
            self._waiting = self._waiting[done:]

    @property
    def is_idle(self) -> bool:
        """Whether all was written."""
        return not self._waiting

    def close(self) -> None:
        """Close it; it may be opened again."""
        if self._number >= 0:
            with suppress(OSError):
                os.close(self._number)
        self._number, self._waiting = -1, b""


class Panel:
    """All consoles.

    Args:
        screen: the one that is drawn on.
        lines: those that are written to line by line.
    """

    def __init__(self, screen: Path, lines: Sequence[Path]) -> None:
        self._screen = Console(screen)
        self._lines = [Console(path) for path in lines]
        self._drawn: list[str] = []
        self._drawn_at = -limits_appliance.REDRAW_SECONDS

    def draw(self, lines: Sequence[str], now: float) -> None:
        """Draw the screen, if anything of it has changed, or if it is long ago.

        Args:
            lines: of it, the first one its title.
            now: in seconds, of any clock that does not go back.
        """
        self._screen.flush()
        is_due = now - self._drawn_at >= limits_appliance.REDRAW_SECONDS
        if self._screen.is_idle and (is_due or lines != self._drawn):
            title, *rest = lines
            text = _REST.join([f"{_TITLE}{title}{_PLAIN}", *rest])
            if self._screen.write(f"{_BEGIN}{text}{_REST}{_BELOW}"):
                self._drawn, self._drawn_at = list(lines), now

    def tell(self, lines: Sequence[str]) -> None:
        """Write lines to the consoles that have no screen."""
        for console in self._lines:
            console.flush()
            for line in lines:
                console.write(f"dc: {line}\r\n")

    @property
    def has_keys(self) -> bool:
        """Whether keys can be pressed here."""
        return self._screen.number >= 0 and os.isatty(self._screen.number)

    async def key(self) -> str:
        """Return what is pressed next on the screen's keyboard; what was pressed before is lost."""
        number = self._screen.number
        if sys.platform != "win32":
            before = termios.tcgetattr(number)
            try:
                tty.setcbreak(number, termios.TCSAFLUSH)
                await trio.lowlevel.wait_readable(number)
                return os.read(number, limits_appliance.KEYS_BYTES).decode(errors="replace")
            finally:
                termios.tcsetattr(number, termios.TCSANOW, before)
        return ""

    def close(self) -> None:
        """Close all."""
        for console in (self._screen, *self._lines):
            console.close()
