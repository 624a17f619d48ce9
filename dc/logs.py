"""How programs log: a line of text for each thing, or of JSON, with what it is about as fields.

What is about a job, a task, an attempt, a worker … says so by `about`, and not only in its words:
so logs can be searched for it in either format. A line is always one line, and nothing in it takes
hold of the terminal: names and errors come from anywhere, and control characters in them are shown
as escapes. Of text the traceback follows on lines of their own, indented.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from dc.log_fields import FIELDS, about

TEXT: Final = "text"
JSON: Final = "json"
VARIABLE: Final = "DC_LOG_FORMAT"

_CONTROL: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters of terminals, and those that change the direction or the lines of a text."""


def one_line(text: str) -> str:
    """Return a text with its control characters, and the ends of its lines, as escapes."""
    return _CONTROL.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


class LineFormat(logging.Formatter):
    """Lines of text or JSON.

    Attributes:
        always: what all lines are about that do not say otherwise.
    """

    def __init__(self) -> None:
        super().__init__()
        self.always: dict[str, int | str] = {}

    def fields(self, record: logging.LogRecord) -> dict[str, int | str]:
        """Return what a line is about."""
        said: Mapping[str, object] = {**self.always, **record.__dict__}
        return {name: value for name in FIELDS if isinstance(value := said.get(name), int | str)}

    def trace(self, record: logging.LogRecord) -> str:
        """Return the traceback of the error that a line is about, or nothing."""
        return self.formatException(record.exc_info) if record.exc_info else ""


class TextFormat(LineFormat):
    """`TIME LEVEL what happened job=1 task=2`, in local time, for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and the lines of a traceback."""
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        line = f"{moment},{record.msecs:03.0f} {record.levelname} {one_line(record.getMessage())}"
        for name, value in self.fields(record).items():
            line += f" {name}={_plain(value)}"
        lines = [f"  {one_line(one)}" for one in self.trace(record).splitlines()]
        return "\n".join([line, *lines])


class JsonFormat(LineFormat):
    """One object a line: `time` (RFC 3339, UTC), `level`, `logger`, `message`, FIELDS, `exception`.

    What is not ASCII is escaped.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self.fields(record),
        }
        if trace := self.trace(record):
            line["exception"] = trace
        return json.dumps(line)


def _plain(value: int | str) -> str:
    """Return a value as it stands behind `name=`, in quotes where it could be read as more."""
    text = one_line(str(value))
    return json.dumps(text, ensure_ascii=False) if re.search(r'[\s"=\\]|^$', text) else text


def log_to_stderr(*, verbose: bool, form: str = TEXT) -> None:
    """Have all that is logged go to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormat() if form == JSON else TextFormat())
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler])


def say_in_all(**fields: int | str) -> None:
    """Have all lines from now on be about something, which `about` may overrule."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, LineFormat):
            handler.formatter.always.update(about(**fields))


def add_format_option(parser: ArgumentParser) -> None:
    """Let a command line say the format; the environment says it otherwise."""
    parser.add_argument(
        "--log-format",
        metavar="FORMAT",
        type=read_format,
        default=os.environ.get(VARIABLE, TEXT),
        help=f"of what is logged: {TEXT} or {JSON} (default: that of {VARIABLE}, or {TEXT})",
    )


def read_format(text: str) -> str:
    """Return a format that was asked for.

    Raises:
        ArgumentTypeError: there is no such format.
    """
    if text not in (TEXT, JSON):
        raise ArgumentTypeError(f"{text[:40]!r} is no format of logs; there are {TEXT} and {JSON}")
    return text
