"""How far large bytes are on their way: rows of a live bar, or plain lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from rich.progress import Progress, TaskID

from dc.cli.screen import Screen, clean
from dc.client.transfers import Transfer

LINE_SECONDS: Final = 5.0  # between two plain lines: seldom enough for a log
NAME_CHARS: Final = 40  # of a transfer's name in a row


def size_text(size: float) -> str:
    """Return a number of bytes as `12 bytes`, `3.4 MB` or `5.6 GB`."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size:.0f} bytes"


class Speed:
    """How quick a transfer is, since it was first seen."""

    def __init__(self, now: float, moved: int) -> None:
        self._since = now
        self._before = moved

    def text(self, transfer: Transfer, now: float) -> str:
        """Return bytes a second and the time left, as far as they are known."""
        moved, seconds = transfer.moved - self._before, now - self._since
        if moved <= 0 or seconds <= 0:
            return ""
        rate = moved / seconds
        return f"{size_text(rate)}/s, {(transfer.size - transfer.moved) / rate:.0f} s left"


class TransferRows:
    """Rows of a live progress bar, one for each transfer that is under way.

    Args:
        progress: the bar; its rows have the fields `count` and `rest`.
        clock: gives the time in seconds.
    """

    def __init__(self, progress: Progress, clock: Callable[[], float]) -> None:
        self._progress = progress
        self._clock = clock
        self._rows: dict[Transfer, tuple[TaskID, Speed]] = {}

    def show(self, transfers: Sequence[Transfer]) -> None:
        """Bring the rows up to date."""
        for gone in [known for known in self._rows if known not in transfers]:
            self._progress.remove_task(self._rows.pop(gone)[0])
        now = self._clock()
        for transfer in transfers:
            if transfer not in self._rows:
                name = clean(transfer.name)[-NAME_CHARS:]
                row = self._progress.add_task(name, total=transfer.size, count="", rest="")
                self._rows[transfer] = row, Speed(now, transfer.moved)
            row, speed = self._rows[transfer]
            self._progress.update(
                row,
                completed=transfer.moved,
                count=f"{size_text(transfer.moved)} of {size_text(transfer.size)}",
                rest=speed.text(transfer, now),
            )


class TransferLines:
    """A line for each transfer every few seconds, the first after a while.

    Args:
        screen: where to write.
        clock: gives the time in seconds.
    """

    def __init__(self, screen: Screen, clock: Callable[[], float]) -> None:
        self._screen = screen
        self._clock = clock
        self._next: dict[Transfer, tuple[float, Speed]] = {}

    def show(self, transfers: Sequence[Transfer]) -> None:
        """Write lines if it is time for some."""
        self._next = {known: self._next[known] for known in self._next if known in transfers}
        now = self._clock()
        for transfer in transfers:
            at, speed = self._next.setdefault(
                transfer, (now + LINE_SECONDS, Speed(now, transfer.moved))
            )
            if now >= at:
                self._next[transfer] = now + LINE_SECONDS, speed
                count = f"{size_text(transfer.moved)} of {size_text(transfer.size)}"
                rest = speed.text(transfer, now)
                self._screen.note(f"{transfer.name}: {count}" + (f", {rest}" if rest else ""))
