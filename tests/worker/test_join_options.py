"""Where a worker is told to go: on its command line, in a file, in the environment."""

from __future__ import annotations

import argparse
import io
import os
import sys
from pathlib import Path

import pytest

from dc import limits_join, program
from dc.errors import StartError
from dc.invites import Invite
from dc.worker import join_options
from dc.worker.finding import Where
from dc.worker.join_options import JoinOptions, read, without_code

INVITE = Invite(b"secret-ten", b"p" * 16, [("192.0.2.7", 8220)])
CODE = INVITE.text


def said(*argv: str, environ: dict[str, str] | None = None, source: str = "") -> JoinOptions:
    parser = argparse.ArgumentParser()
    join_options.add_arguments(parser)
    return read(parser.parse_args(argv), {} if environ is None else environ, io.StringIO(source))


def test_nothing_an_address_or_a_code() -> None:
    assert said() == JoinOptions()
    assert said("--trust-network").trusts_network
    assert said("https://192.0.2.7:8220").where == Where(url="https://192.0.2.7:8220")
    assert said(CODE).where == Where(INVITE)
    assert said(CODE.upper()).where == Where(INVITE)


def test_a_code_in_the_environment_is_taken_out_of_it() -> None:
    environ = {"DC_JOIN": CODE, "HOME": "/"}
    assert said(environ=environ).where == Where(INVITE)
    assert environ == {"HOME": "/"}


def test_what_is_said_on_the_command_line_goes_before_the_environment() -> None:
    other = Invite(b"another-10", b"", [("h", 1)])
    environ = {"DC_JOIN": other.text}
    assert said(CODE, environ=environ).where == Where(INVITE)
    assert environ == {}
    assert said("192.0.2.7", environ={"DC_JOIN": CODE}).where == Where(url="192.0.2.7")


@pytest.mark.parametrize("text", ["{}\n", "\n  {}", "root=/dev/nfs dc.invite={} quiet\n"])
def test_a_code_in_a_file(tmp_path: Path, text: str) -> None:
    file = tmp_path / "code"
    file.write_text(text.format(CODE))
    assert said("--join", str(file)).where == Where(INVITE)
    assert said("--join", "-", source=text.format(CODE)).where == Where(INVITE)


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        ([CODE[:-1]], "not whole"),
        ([CODE, "--join", "x"], "one join code"),
        (["h:1", "--join", "-"], "not both"),
        (["--join", "/nonexistent"], "--join /nonexistent: No such file"),
        (["--join", "/"], "--join /: Is a directory"),
        (["ftp://h"], "not a server's address"),
    ],
)
def test_what_cannot_be(argv: list[str], why: str) -> None:
    with pytest.raises(StartError, match=why) as error:
        said(*argv, source=CODE)
    assert CODE[4:20] not in str(error.value)


def test_a_file_without_a_code_is_not_read_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "code"
    file.write_text("x" * limits_join.CODE_BYTES + f" {CODE}")
    with pytest.raises(StartError, match="no join code in it"):
        said("--join", str(file))
    file.write_bytes(b"\xff\0")
    with pytest.raises(StartError, match="no join code in it"):
        said("--join", str(file))


def test_a_code_is_taken_off_the_command_line() -> None:
    argv = ["-m", "dc.worker", CODE, "--name", "x"]
    assert without_code(argv) == (["-m", "dc.worker", "--name", "x"], CODE)
    assert without_code(["-m", "dc.worker", "URL"]) == (["-m", "dc.worker", "URL"], "")


def test_the_program_is_started_anew_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[list[str], str | None]] = []

    def start_anew(argv: list[str]) -> None:
        started.append((argv, os.environ.get("DC_JOIN")))

    monkeypatch.setattr(program, "start_anew", start_anew)
    monkeypatch.delenv("DC_JOIN", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    join_options.hide_code(["-m", "dc.worker", "URL"])
    assert started == []
    join_options.hide_code(["-m", "dc.worker", CODE, "--show"])
    assert started == [(["-m", "dc.worker", "--show"], CODE)]
    monkeypatch.setattr(sys, "platform", "win32")
    join_options.hide_code(["-m", "dc.worker", CODE])
    assert len(started) == 1


def test_a_name_that_begins_as_a_code_does_is_none() -> None:
    words = ["-m", "dc.worker", "--name", "dc1-lab", CODE]
    assert without_code(words) == (words[:-1], CODE)
    assert without_code(words[:-1]) == (words[:-1], "")
