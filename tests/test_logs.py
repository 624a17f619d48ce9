"""Lines of logs, in both formats: what they are about, and that they stay lines."""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import unicodedata
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dc.log_fields import FIELDS, about
from dc.logs import JSON, TEXT, JsonFormat, TextFormat, add_format_option, one_line
from dc.messages_parts import Failure
from dc.records import Attempts, Outcomes
from dc.server.record_log import log_record

AT = 1_700_000_000.25


def record(text: str, *arguments: object, **fields: object) -> logging.LogRecord:
    error = fields.pop("error", None)
    info = (type(error), error, error.__traceback__) if isinstance(error, Exception) else None
    made = logging.LogRecord("dc.test", logging.WARNING, "file", 1, text, arguments, info)
    made.created, made.msecs = AT, 250.0
    made.__dict__.update(fields)
    return made


def raised(text: str) -> Exception:
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


# --- text ---------------------------------------------------------------------------------------


def test_a_line_of_text_says_what_it_is_about() -> None:
    line = TextFormat().format(record("%s goes on", "it", **about(task=2, job=1, worker="a b")))
    assert line[4:].partition(" ")[2].partition(" ")[2] == (
        'WARNING it goes on job=1 task=2 worker="a b"'
    )


@given(st.text(), st.text())
def test_nothing_gets_out_of_its_line(text: str, name: str) -> None:
    line = TextFormat().format(record("%s", text, worker=name))
    assert len(line.splitlines()) == 1
    assert not [one for one in line if unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp")]


@pytest.mark.parametrize("name", ["", "a b", "a=b", 'a"b', "job=7", "a\nb", "\u2003"])
def test_a_name_is_read_as_one_value(name: str) -> None:
    line = TextFormat().format(record("x", worker=name))
    assert json.loads(line.partition("worker=")[2]) == one_line(name)


def test_a_traceback_cannot_pass_for_lines_of_its_own() -> None:
    error = raised("first\n2026-01-01 00:00:00,000 INFO all is well\x1b[31m")
    first, *rest = TextFormat().format(record("it failed", error=error)).split("\n")
    assert first.endswith("WARNING it failed")
    assert all(line.startswith("  ") for line in rest)
    assert "\x1b" not in "".join(rest)
    assert "ValueError" in "".join(rest)


def test_marks_that_turn_a_text_around_are_shown() -> None:
    assert one_line("a\u202eb\u2066c\x9bd") == "a\\u202eb\\u2066c\\x9bd"


# --- JSON ---------------------------------------------------------------------------------------


@given(st.text(), st.text())
def test_a_line_of_json_can_be_read(text: str, name: str) -> None:
    line = JsonFormat().format(record("%s", text, **about(job=1, task=2, attempt=3, worker=name)))
    assert line.isascii()
    assert "\n" not in line
    read = json.loads(line)
    assert list(read) == ["time", "level", "logger", "message", "job", "task", "attempt", "worker"]
    assert (read["message"], read["worker"]) == (text, name)
    assert (read["level"], read["logger"], read["job"]) == ("warning", "dc.test", 1)
    assert read["time"] == "2023-11-14T22:13:20.250Z"
    assert datetime.fromisoformat(read["time"]).timestamp() == AT


def test_an_error_is_a_field() -> None:
    read = json.loads(JsonFormat().format(record("it failed", error=raised("why"))))
    assert read["exception"].endswith("ValueError: why")
    assert read["message"] == "it failed"


# --- fields -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [TextFormat, JsonFormat])
def test_what_all_lines_are_about_is_overruled_by_one(form: type[TextFormat | JsonFormat]) -> None:
    made = form()
    made.always["worker"] = "mine"
    assert "mine" in made.format(record("x"))
    other = made.format(record("x", worker="other"))
    assert "other" in other
    assert "mine" not in other


def test_only_known_fields_are_said() -> None:
    with pytest.raises(AssertionError):
        about(jobs=1)
    line = JsonFormat().format(record("x", thing="y", job=None))
    assert not set(json.loads(line)) & {"thing", *FIELDS}


def test_failures_of_tasks_are_logged_on_request(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "dc.server")
    failure = Failure("error", "ValueError: why")
    log_record(Outcomes(1, 5, "desk", AT, [7, 8], [1, 2], [0.1, 0.2], [b"done", failure]))
    log_record(Attempts(5, [9], [3], [0], [1]))
    found = [(one.getMessage(), TextFormat().fields(one)) for one in caplog.records]
    assert found == [
        (
            "failed for good: error: ValueError: why",
            {"job": 5, "task": 8, "attempt": 2, "worker": "desk"},
        ),
        ("waits for another attempt", {"job": 5, "task": 9, "attempt": 3}),
    ]


# --- the option ---------------------------------------------------------------------------------


def asked(*argv: str) -> str:
    parser = argparse.ArgumentParser()
    add_format_option(parser)
    said: str = parser.parse_args(argv).log_format
    return said


def test_the_format_is_said_by_option_or_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DC_LOG_FORMAT", raising=False)
    assert asked() == TEXT
    assert asked("--log-format", "json") == JSON
    monkeypatch.setenv("DC_LOG_FORMAT", "json")
    assert asked() == JSON
    assert asked("--log-format", "text") == TEXT


@pytest.mark.parametrize("environment", [True, False])
def test_another_format_is_refused(
    environment: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if environment:
        monkeypatch.setenv("DC_LOG_FORMAT", "xml")
    with pytest.raises(SystemExit):
        asked(*(() if environment else ("--log-format", "xml")))
    assert "'xml' is no format of logs; there are text and json" in capsys.readouterr().err


def test_a_program_logs_in_its_format() -> None:
    code = (
        "import logging; from dc import logs; logs.log_to_stderr(verbose=False, form='json');"
        "logs.say_in_all(worker='desk'); logging.getLogger('dc.x').info('hello %d', 5);"
        "logging.getLogger('dc.x').debug('not this')"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    read = json.loads(ran.stderr)
    assert (read["message"], read["worker"], read["logger"]) == ("hello 5", "desk", "dc.x")
