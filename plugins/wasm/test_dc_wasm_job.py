"""Modules that are an input of their job: read once, and bytes of any size in and out."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from dc_wasm import Settings, running, wasm_bytes
from dc_wasm.failures import ModuleRefused, WasmFailed
from dc_wasm.kept import Kept
from test_dc_wasm_texts import ECHO, FOREVER, SAME, command, function, written

import dc
from dc.inputs import Input

HERE = Path(__file__).parent
UPPER = (HERE / "examples" / "upper.wasm").read_bytes()


class Job:
    """A job whose tasks run here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inputs: dict[str, Input] = {}

    def give(self, name: str, data: bytes) -> None:
        """Give it an input."""
        path = self.folder / name
        path.write_bytes(data)
        self.inputs[name] = Input(path, len(data))

    def run(self, data: bytes) -> bytes:
        """Run a task of it."""
        context = dc.Context(7, 0, 1, self.folder / "scratch")
        context.inputs = self.inputs
        return wasm_bytes.run(data, context)


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setattr(running, "WORKSHOP", running.Workshop(Kept(None)))
    return Job(tmp_path)


@pytest.mark.parametrize("size", [0, 16, 200_000])
def test_a_function(job: Job, size: int) -> None:
    job.give("module", function(SAME, "(func $s (drop (memory.grow (i32.const 9)))) (start $s)"))
    data = bytes(at % 251 for at in range(size))
    assert job.run(data) == data


def test_a_command(job: Job) -> None:
    job.give("module", UPPER)
    text = b"Hello, wasm! " * 200_000
    assert job.run(text) == text.upper()
    assert job.run(b"") == b""


def test_output_of_a_command_is_bounded_by_the_disk_alone(job: Job) -> None:
    job.give("settings", msgspec.json.encode(Settings(memory=65536 * 2)))
    job.give("module", UPPER)
    text = bytes(2**20)
    assert job.run(text) == text


def test_the_module_is_read_once(job: Job) -> None:
    job.give("module", ECHO)
    assert job.run(b"one") == b"one"
    job.inputs["module"].path.write_bytes(b"another")
    assert job.run(b"two") == b"two"


def test_settings(job: Job) -> None:
    body = f"(drop (call $args_get (i32.const 100) (i32.const 200))) {written(1, 200, 9)}"
    job.give("module", command(body, "args_get", "fd_write"))
    job.give("settings", b'{"args": ["-v"], "seconds": 5}')
    assert job.run(b"") == b"module\0-v"


def test_limits(job: Job) -> None:
    job.give("module", FOREVER)
    job.give("settings", b'{"fuel": 1000}')
    with pytest.raises(WasmFailed, match="used up its fuel of 1000"):
        job.run(b"x")


@pytest.mark.parametrize("text", [b"", b"{", b'{"no_such": 1}', b'{"memory": 1}', b"\xff"])
def test_settings_that_are_none(job: Job, text: bytes) -> None:
    job.give("module", ECHO)
    job.give("settings", text)
    with pytest.raises(dc.PayloadError, match="the job's input 'settings': "):
        job.run(b"x")


def test_no_module(job: Job) -> None:
    with pytest.raises(dc.PayloadError, match="the job has no input 'module': submit it with"):
        job.run(b"x")
    job.give("module", b"text")
    with pytest.raises(ModuleRefused, match="this is no WebAssembly module"):
        job.run(b"x")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("(unreachable)", "trap: unreachable code"),
        ("(call $proc_exit (i32.const 2))", "the command ended with code 2"),
    ],
)
def test_a_command_that_fails(job: Job, body: str, text: str) -> None:
    job.give("module", command(body, "proc_exit"))
    with pytest.raises(WasmFailed, match=text):
        job.run(b"x")
