"""The command plugin: programs that end well, badly, and not at all."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from dc_command import Command, CommandFailed, Finished, command

import dc
import dc.testing


def python(code: str, **more: object) -> Command:
    return Command([sys.executable, "-c", code], **more)  # type: ignore[arg-type]


def run(call: Command) -> Finished:
    result = dc.testing.run(command, call)
    assert isinstance(result, Finished)
    return result


def test_output_and_input() -> None:
    code = "import sys; print(sys.stdin.read().upper()); print('e', file=sys.stderr)"
    assert run(python(code, stdin=b"hello")) == Finished(0, b"HELLO\n", b"e\n")


def test_more_output_than_a_pipe_holds() -> None:
    code = "import sys; sys.stderr.write('e' * 10**6); sys.stdout.write('o' * 10**6)"
    result = run(python(code, stdin=bytes(10**6)))
    assert (len(result.stdout), len(result.stderr)) == (10**6, 10**6)


def test_files_in_and_out() -> None:
    code = """
from pathlib import Path
assert sorted(map(str, Path().rglob("*"))) == ["inner", "inner/in.txt"]
Path("out.txt").write_bytes(Path("inner/in.txt").read_bytes() * 2)
"""
    result = run(python(code, files={"inner/in.txt": b"ab"}, outputs=["out.txt"]))
    assert result.outputs == {"out.txt": b"abab"}


def test_environment() -> None:
    code = "import os; print(os.environ['COLOUR'], 'PATH' in os.environ)"
    assert run(python(code, env={"COLOUR": "red"})).stdout == b"red True\n"


def test_exit_code() -> None:
    failing = python("import sys; print('why', file=sys.stderr); sys.exit(3)")
    with pytest.raises(CommandFailed, match="exit code 3: why"):
        run(failing)
    failing.check = False
    assert run(failing) == Finished(3, b"", b"why\n")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_signal() -> None:
    killed = python("import os; os.kill(os.getpid(), 9)", check=False)
    assert run(killed).exit_code == -9


def test_missing_output() -> None:
    with pytest.raises(CommandFailed, match="did not make a, b"):
        run(python("", outputs=["b", "a"]))
    assert run(python("", outputs=["a"], check=False)).outputs == {}


@pytest.mark.parametrize("args", [["/no/such/program"], ["no-such-program-anywhere"], ["a\0b"]])
def test_program_that_cannot_be_started(args: list[str]) -> None:
    with pytest.raises(CommandFailed, match="cannot be started"):
        run(Command(args))


def test_no_program() -> None:
    with pytest.raises(dc.PayloadError, match="at least the program's name"):
        run(Command([]))


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "", ".", "a\0b"])
def test_names_that_lead_out(name: str) -> None:
    with pytest.raises(dc.PayloadError, match="must be relative"):
        run(python("", files={name: b""}))
    with pytest.raises(dc.PayloadError, match="must be relative"):
        run(python("", outputs=[name]))


def test_inputs_of_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "commands"
    file.write_text("echo 'a  b'\n\n # no command\nls -l\n")
    payloads = list(command.split_inputs("echo one", f"@{file}", ["a b", "c"], Command(["x"])))
    assert [one.args for one in payloads] == [
        ["echo", "one"],
        ["echo", "a  b"],
        ["ls", "-l"],
        ["a b", "c"],
        ["x"],
    ]
    with pytest.raises(dc.PayloadError, match="not a command line"):
        list(command.split_inputs("echo 'open"))


def test_in_a_real_executor() -> None:
    folder = Path(__file__).parent
    [result] = dc.testing.run_in_executor(folder, "command", [{"args": ["echo", "one"]}])
    assert result.stdout == b"one\n"
