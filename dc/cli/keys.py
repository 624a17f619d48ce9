"""Keys as they are pressed on the terminal, by name. It is put back as it was in the end.

A key that writes something is called what it writes; others are `up`, `down`, `left`, `right`,
`home`, `end`, `pageup`, `pagedown`, `enter`, `tab`, `backspace`, `escape`. Ctrl-C is no key: it
interrupts, as elsewhere.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final, TypeAlias

if sys.platform == "win32":
    import msvcrt
else:
    import select
    import termios
    import tty

Press: TypeAlias = Callable[[float], str]
"""Waits for so many seconds at most; returns the name of a key, or nothing if none was pressed."""

BURST_BYTES: Final = 1024
ESCAPE_SECONDS: Final = 0.05
"""That the rest of a key that begins as Escape does may take to come."""

SEQUENCES: Final = MappingProxyType(
    {
        **{f"\x1b[{letter}": name for letter, name in zip("ABCDHF", [
            "up", "down", "right", "left", "home", "end"], strict=True)},
        **{f"\x1bO{letter}": name for letter, name in zip("ABCDHF", [
            "up", "down", "right", "left", "home", "end"], strict=True)},
        "\x1b[1~": "home", "\x1b[4~": "end", "\x1b[5~": "pageup", "\x1b[6~": "pagedown",
        "\x1b[Z": "tab", "\r": "enter", "\n": "enter", "\t": "tab", "\x7f": "backspace",
        "\b": "backspace",
    }
)  # fmt: skip

WINDOWS: Final = MappingProxyType(
    {
        "H": "up", "P": "down", "K": "left", "M": "right", "G": "home", "O": "end",
        "I": "pageup", "Q": "pagedown",
    }
)  # fmt: skip


def next_key(text: str) -> tuple[str, str]:
    """Return the first key of what was typed, and the rest; no name for a key that is not known."""
    for length in range(min(len(text), 4), 0, -1):
        name = SEQUENCES.get(text[:length])
        if name is not None:
            return name, text[length:]
    if text[0] != "\x1b":
        return (text[0] if text[0].isprintable() else ""), text[1:]
    if len(text) == 1 or text[1] not in "[O":
        return "escape", text[1:]
    for end, one in enumerate(text[2:], 3):  # of a key that this program does not use
        if "@" <= one <= "~":
            return "", text[end:]
    return "", ""


@contextmanager
def reading() -> Iterator[Press]:
    """Have keys come one by one, without being shown, for as long as the block runs."""
    if sys.platform == "win32":
        yield _press_on_windows
    else:
        number = sys.stdin.fileno()
        before = termios.tcgetattr(number)
        try:
            tty.setcbreak(number)
            _take_suspend(number)
            yield _Typed(number).press
        finally:
            termios.tcsetattr(number, termios.TCSADRAIN, before)


def _take_suspend(number: int) -> None:
    """Have Ctrl-Z do nothing: it would leave the screen as it is to whatever comes next."""
    if sys.platform != "win32":
        changed: list[Any] = termios.tcgetattr(number)
        changed[6][termios.VSUSP] = os.fpathconf(number, "PC_VDISABLE").to_bytes(1)
        termios.tcsetattr(number, termios.TCSANOW, changed)


class _Typed:
    """What was typed and not taken yet."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._text = ""

    def press(self, seconds: float) -> str:
        """Return the next key, as Press says."""
        if not self._text:
            self._read(seconds)
        if self._text == "\x1b":
            self._read(ESCAPE_SECONDS)
        while self._text:
            name, self._text = next_key(self._text)
            if name:
                return name
        return ""

    def _read(self, seconds: float) -> None:
        if sys.platform != "win32" and not select.select([self._number], [], [], seconds)[0]:
            return
        data = os.read(self._number, BURST_BYTES)
        # The terminal is gone when there is nothing to read.
        self._text += data.decode(errors="ignore") if data else "q"


def _press_on_windows(seconds: float) -> str:
    if sys.platform == "win32":
        until = time.monotonic() + seconds
        while not msvcrt.kbhit():
            if time.monotonic() >= until:
                return ""
            time.sleep(0.02)
        text = msvcrt.getwch()
        if text in "\x00\xe0":
            return WINDOWS.get(msvcrt.getwch(), "")
        if text == "\x03":
            raise KeyboardInterrupt
        return "escape" if text == "\x1b" else next_key(text)[0]
    return ""
