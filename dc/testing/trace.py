"""What happened in a run, in the order in which it happened."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import trio
from msgspec import Struct, structs

LINE_CHARS: Final = 300
MOST_ENTRIES: Final = 60_000
ADDRESS: Final = re.compile(" at 0x[0-9a-f]+")
"""Where an object is in memory, as its repr says, such as that of a callback: not the seed's."""

Entry = tuple[float, str, tuple[Any, ...]]


class Trace:
    """Entries are kept as they come and become text only when somebody reads them.

    Args:
        folder: where the run keeps its files; its name is left out, for it is not the seed's.
        on_too_much: called when so much has happened that the programs must be going in circles.
    """

    def __init__(self, folder: str, on_too_much: Callable[[], None]) -> None:
        self._on_too_much = on_too_much
        self._entries: list[Entry] = []
        self._folder = folder
        self._began = trio.current_time()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, who: str, *what: Any) -> None:
        """Note that something happened to somebody: texts and messages."""
        self._entries.append((trio.current_time() - self._began, who, what))
        if len(self._entries) == MOST_ENTRIES:
            self._on_too_much()

    @property
    def now(self) -> float:
        """Seconds since the run began."""
        return trio.current_time() - self._began

    def lines(self, task: tuple[int, int] | None = None) -> Iterator[str]:
        """Yield the entries as text; with a task, only those that concern it, and all faults.

        Args:
            task: a job and a number; a negative number stands for all of the job.
        """
        for at, who, what in self._entries:
            if task is None or who == "fault" or any(_concerns(one, *task) for one in what):
                yield f"{at:10.4f} {who:12} {' '.join(map(_text, what))}"[:LINE_CHARS]

    def digest(self) -> str:
        """Return a hash of all of it."""
        found = hashlib.sha256()
        for at, who, what in self._entries:
            line = f"{at!r} {who} {' '.join(map(repr, what))}\n"
            found.update(ADDRESS.sub("", line.replace(self._folder, "~")).encode())
        return found.hexdigest()


def _text(what: Any) -> str:
    if not isinstance(what, Struct):
        return str(what)
    fields = (f"{name}={_short(value)}" for name, value in structs.asdict(what).items())
    return f"{type(what).__name__}({', '.join(fields)})"


def _short(value: Any) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, list) and value and isinstance(value[0], (bytes, Struct)):
        return f"[{', '.join(_short(one) for one in value[:3])}, … {len(value)}]"
    text = repr(value)
    return text if len(text) < 100 else f"{text[:100]}…"


def _concerns(what: Any, job: int, number: int) -> bool:
    """Whether an entry's part is about a task: a message, a record, or a job and a number."""
    if isinstance(what, tuple):
        return what[0] == job and (number < 0 or what[1] == number)
    for name in ("message", "record", "run"):
        if isinstance(inner := getattr(what, name, None), Struct):
            return _concerns(inner, job, number)
    if batch := getattr(what, "batch", None):
        return any(_concerns(one, job, number) for one in batch)
    if getattr(what, "job", None) != job:
        return False
    numbers = getattr(what, "numbers", None)
    if numbers is None:
        return getattr(what, "number", number) == number
    return number < 0 or number in numbers
