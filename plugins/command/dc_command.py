"""Runs any program: arguments, standard input and files in; exit code, output and files out.

The program runs in a folder of its own that is removed afterwards. Programs are not told apart from
their environment: what is installed on the worker is what runs.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

import msgspec

import dc

TAIL_CHARS: Final = 2000  # of the standard error that an error shows


class Command(msgspec.Struct):
    """A program to run.

    Attributes:
        args: the program and its arguments; no shell reads them.
        stdin: its standard input.
        files: by name, relative to its folder, files that it finds there.
        outputs: names of files that it makes, to be returned.
        env: environment variables to set beside the worker's own.
        check: whether an exit code other than 0 fails the task.
    """

    args: list[str]
    stdin: bytes = b""
    files: dict[str, bytes] = {}
    outputs: list[str] = []
    env: dict[str, str] = {}
    check: bool = True


class Finished(msgspec.Struct):
    """How a program ended: its exit code (or the negative signal), what it printed and made."""

    exit_code: int
    stdout: bytes = b""
    stderr: bytes = b""
    outputs: dict[str, bytes] = {}


class CommandFailed(Exception):
    """The program could not be started, ended with a code other than 0, or made no output file."""


@dc.task_type
def command(call: Command, context: dc.Context) -> Finished:
    """Run a program."""
    if not call.args:
        raise dc.PayloadError("a command needs at least the program's name in args")
    folder = context.scratch / "work"
    folder.mkdir()
    for name, data in call.files.items():
        path = _inside(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    wanted = {name: _inside(folder, name) for name in call.outputs}
    exit_code, stdout, stderr = _run(call, context.scratch, folder)
    if call.check and exit_code != 0:
        tail = stderr.decode("utf-8", "replace").strip()[-TAIL_CHARS:]
        raise CommandFailed(f"{shlex.join(call.args)}: exit code {exit_code}: {tail}")
    return Finished(exit_code, stdout, stderr, _collected(wanted, check=call.check))


@command.split
def lines_of(*inputs: str | Sequence[str] | Command) -> Iterator[Command]:
    """Yield a command for each input.

    Text is read as a shell reads words, and `@FILE` stands for each line of a file; lists are the
    program and its arguments.
    """
    for given in inputs:
        if isinstance(given, Command):
            yield given
        elif not isinstance(given, str):
            yield Command(list(given))
        elif given.startswith("@"):
            with Path(given[1:]).open(encoding="utf-8") as file:
                yield from _commands_in(file)
        else:
            yield Command(_words(given))


def _commands_in(lines: IO[str]) -> Iterator[Command]:
    for line in lines:
        if line.strip() and not line.lstrip().startswith("#"):
            yield Command(_words(line))


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise dc.PayloadError(f"not a command line: {line.strip()!r}: {error}") from None


def _run(call: Command, scratch: Path, folder: Path) -> tuple[int, bytes, bytes]:
    """Run the program; what it prints goes to files, so that it may print at any speed."""
    paths = {name: scratch / name for name in ("stdin", "stdout", "stderr")}
    paths["stdin"].write_bytes(call.stdin)
    environment: Mapping[str, str] = {**os.environ, **call.env}
    with (
        paths["stdin"].open("rb") as stdin,
        paths["stdout"].open("wb") as stdout,
        paths["stderr"].open("wb") as stderr,
    ):
        try:
            process = subprocess.run(
                call.args,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                cwd=folder,
                env=environment,
                check=False,
            )
        except (OSError, ValueError) as error:
            raise CommandFailed(f"{shlex.join(call.args)}: cannot be started: {error}") from None
    return process.returncode, paths["stdout"].read_bytes(), paths["stderr"].read_bytes()


def _inside(folder: Path, name: str) -> Path:
    """Return the path of a file in the folder; names may not lead out of it."""
    path = Path(name)
    if not name or "\0" in name or path.is_absolute() or ".." in path.parts or not path.parts:
        raise dc.PayloadError(f"file name {name!r} must be relative and stay within its folder")
    return folder / path


def _collected(wanted: Mapping[str, Path], *, check: bool) -> dict[str, bytes]:
    found = {name: path.read_bytes() for name, path in wanted.items() if path.is_file()}
    missing = wanted.keys() - found.keys()
    if check and missing:
        raise CommandFailed(f"the program did not make {', '.join(sorted(missing))}")
    return found
