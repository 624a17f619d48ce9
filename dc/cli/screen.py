"""Where the command line writes: answers to standard output, all else to standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dc.errors import TaskFailed

SHOWN_FAILURES: Final = 3  # with their tracebacks; of the others only the number is said
WIDE: Final = 200  # columns of a table that goes to no terminal: whoever reads it may cut it
_CONTROL: Final = tuple(code for code in (*range(32), *range(127, 160)) if code not in (9, 10))
_DIRECTIONS: Final = 0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)
_UNSEEN: Final = dict.fromkeys((*_CONTROL, *_DIRECTIONS), "\ufffd")


def clean(text: str) -> str:
    """Return a text from elsewhere without characters that would steer the terminal.

    Marks of direction are among them: they would turn round what stands behind them.
    """
    return text.translate(_UNSEEN)


def one_line(text: str) -> str:
    """Return such a text as one line."""
    return clean(" ".join(text.split()))


def to_json(value: Any, *, indent: bool = False) -> bytes:
    """Return a value as JSON; what JSON does not know becomes its text."""
    try:
        data = msgspec.json.encode(value, enc_hook=str)
    except (TypeError, ValueError, RecursionError):  # such as a dict with tuples for keys
        data = msgspec.json.encode(str(value))
    return msgspec.json.format(data, indent=2) if indent else data


class Screen:
    """Standard output and standard error, as they are now.

    Args:
        output: a file for the answer, in place of standard output.
    """

    def __init__(self, output: Path | None = None) -> None:
        self._path = output
        self._file: BinaryIO | None = None
        self._out = Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDE)
        self.error_console = Console(file=sys.stderr, highlight=False)

    @property
    def streams_to_terminal(self) -> bool:
        """Whether answers appear on the terminal, where a progress bar would be in their way."""
        return self._path is None and sys.stdout.isatty()

    def close(self) -> None:
        """Close the file of the answer."""
        sys.stdout.flush()
        if self._file is not None:
            self._file.close()

    def note(self, text: str) -> None:
        """Write a line to standard error."""
        self.error_console.print(Text(clean(text)), soft_wrap=True)

    def write(self, data: str | bytes) -> None:
        """Write a part of the answer as it is."""
        if self._path is not None:
            if self._file is None:
                self._file = self._path.open("wb")
            self._file.write(data if isinstance(data, bytes) else data.encode())
        elif isinstance(data, bytes):
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        else:
            sys.stdout.write(data)

    def json(self, value: Any, *, indent: bool = True) -> None:
        """Write a value as JSON and a line end."""
        self.write(to_json(value, indent=indent).decode() + "\n")

    def answer(self, value: Any) -> None:
        """Write a merged answer: text and bytes as they are, nothing for None, else JSON."""
        if isinstance(value, bytes):
            self.write(value)
        elif isinstance(value, str):
            self.write(value if value.endswith("\n") else value + "\n")
        elif value is not None:
            self.json(value)

    def line(self, value: Any) -> None:
        """Write one of many results, as a line."""
        if isinstance(value, bytes):
            self.write(value + b"\n")
        elif isinstance(value, str):
            self.write(value + "\n")
        else:
            self.json(value, indent=False)

    def table(self, titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Write a table; numbers stand right."""
        listed = [[_cell(value) for value in row] for row in rows]
        table = Table(box=None, pad_edge=False, header_style="bold")
        for index, title in enumerate(titles):
            is_number = bool(listed) and all(row[index].justify == "right" for row in listed)
            table.add_column(title, justify="right" if is_number else "left", overflow="fold")
        for row in listed:
            table.add_row(*row)
        self._out.print(table)

    def fields(self, pairs: Iterable[tuple[str, Any]]) -> None:
        """Write names and values, one a line."""
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in pairs:
            table.add_row(name, _cell(value, justify="left"))
        self._out.print(table)

    def failures(self, failures: Sequence[TaskFailed], count: int) -> None:
        """Write the first failures with their tracebacks, and how many more there are."""
        for failure in failures[:SHOWN_FAILURES]:
            where = f", attempt {failure.attempt} on {failure.worker}" if failure.worker else ""
            head = f"task {failure.number} of job {failure.job} failed ({failure.kind}{where}): "
            self.note(head + str(failure.args[0]))
            if failure.traceback:
                self.note("  " + failure.traceback.strip().replace("\n", "\n  "))
        if count > SHOWN_FAILURES and failures:
            job = failures[0].job
            self.note(
                f"and {count - SHOWN_FAILURES} more failed: python -m dc tasks {job} --failed"
            )


def _cell(value: Any, justify: str = "") -> Text:
    if value is None:
        value = ""
    if isinstance(value, float):
        value = f"{value:.3g}"
        return Text(value, justify="left" if justify else "right")
    if isinstance(value, int) and not isinstance(value, bool):
        return Text(str(value), justify="left" if justify else "right")
    return Text(clean(str(value)))
