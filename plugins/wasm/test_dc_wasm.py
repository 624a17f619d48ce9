"""The wasm plugin: modules that work, and how they are given."""

from __future__ import annotations

import bisect
import math
import os
import struct
import sys
import time
from hashlib import sha256, shake_256
from pathlib import Path
from typing import Any

import pytest
from dc_wasm import Call, running, wasm
from dc_wasm.failures import ModuleRefused, WasmFailed
from dc_wasm.kept import Kept
from test_dc_wasm_texts import ECHO, FOREVER, SAME, command, function, written
from wasmtime import wat2wasm

import dc
import dc.testing
from dc.plugins import load_plugins

HERE = Path(__file__).parent
EXAMPLES = HERE / "examples"


@pytest.fixture(autouse=True)
def _no_files_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "WORKSHOP", running.Workshop(Kept(None)))


def run(module: bytes, data: bytes = b"", **settings: Any) -> bytes:
    result = dc.testing.run(wasm, Call(module=module, input=data, **settings))
    assert isinstance(result, bytes)
    return result


# --- functions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 16, 64_000])
def test_a_function_over_bytes(size: int) -> None:
    data = os.urandom(size)
    assert run(ECHO, data) == data
    assert run(ECHO, data, deterministic=False, fuel=10**6) == data


def test_each_run_has_a_fresh_instance() -> None:
    counts = function(
        "(global.set $count (i32.add (global.get $count) (i32.const 1)))"
        "(i32.store (i32.const 0) (global.get $count)) (i64.const 4)",
        "(global $count (mut i32) (i32.const 0))",
    )
    assert [run(counts) for _ in range(3)] == [b"\1\0\0\0"] * 3


def test_what_initializes_itself() -> None:
    module = function(
        "(i32.store (i32.const 0) (global.get $n)) (i64.const 4)",
        "(global $n (mut i32) (i32.const 0))"
        '(func (export "_initialize") (global.set $n (i32.const 9)))',
    )
    assert run(module) == b"\x09\0\0\0"


def test_mandelbrot_tile_against_python() -> None:
    module = (EXAMPLES / "mandelbrot.wasm").read_bytes()
    left, top, step, width, height = -2.2, -1.25, 0.1, 30, 25
    tile = run(module, struct.pack("<dddII", left, top, step, width, height))
    expected = [
        steps(left + column * step, top + row * step)
        for row in range(height)
        for column in range(width)
    ]
    assert list(tile) == expected
    assert (min(expected), max(expected)) == (1, 255)
    # The same on every computer: points along the edge of the set tell the smallest difference
    edge = run(module, struct.pack("<dddII", -0.7487, 0.1002, 3.1e-5, 96, 96))
    assert (
        sha256(edge).hexdigest()
        == "75d83f30972924e170a0137adc0b557e13b8a0ed841028536c959c4bbdf4d303"
    )
    large = run(module, struct.pack("<dddII", 9, 9, 1, 1000, 700))
    assert len(large) == 700_000


def steps(x: float, y: float) -> int:
    a = b = 0.0
    for count in range(255):
        if a * a + b * b > 4:
            return count
        a, b = a * a - b * b + x, 2 * a * b + y
    return 255


@pytest.mark.parametrize("name", ["mandelbrot", "upper"])
def test_examples_are_made_of_their_text(name: str) -> None:
    text = (EXAMPLES / f"{name}.wat").read_text("utf-8")
    assert (EXAMPLES / f"{name}.wasm").read_bytes() == bytes(wat2wasm(text))


# --- commands -----------------------------------------------------------------------------------


def test_a_command_from_standard_input_to_standard_output() -> None:
    module = (EXAMPLES / "upper.wasm").read_bytes()
    text = b"Hello, wasm! " * 20_000
    assert run(module, text) == text.upper()
    assert run(module) == b""


def test_arguments() -> None:
    # args_get fills a table of two pointers at 100, and the texts from 200 on
    body = f"(drop (call $args_get (i32.const 100) (i32.const 200))) {written(1, 200, 11)}"
    assert run(command(body, "args_get", "fd_write"), args=["-abc"]) == b"module\0-abc"


@pytest.mark.parametrize(("code", "fails"), [(0, False), (3, True)])
def test_exit_codes(code: int, fails: bool, capfd: pytest.CaptureFixture[str]) -> None:
    body = f"""
      (i32.store (i32.const 100) (i32.const 0x21796877)) {written(2, 100, 4)} {written(1, 100, 3)}
      (call $proc_exit (i32.const {code}))
    """
    module = command(body, "proc_exit", "fd_write")
    if fails:
        with pytest.raises(WasmFailed, match="the command ended with code 3: why!"):
            run(module)
    else:
        assert run(module) == b"why"
    assert capfd.readouterr().err == "why!"


@pytest.mark.parametrize("listens", [True, False])
def test_output_without_end(listens: bool) -> None:
    again = "(i32.load (i32.const 8))" if listens else "(i32.const 1)"
    body = f"""
      (loop $l (i32.store (i32.const 8) (i32.const 0)) {written(1, 0, 60_000)} (br_if $l {again}))
    """
    with pytest.raises(WasmFailed, match="it wrote more than 1 MiB to its standard output"):
        run(command(body, "fd_write"), memory=2**20)
    assert run(ECHO, b"fine") == b"fine"


def test_neither_files_nor_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    body = f"""
      (drop (call $environ_sizes_get (i32.const 100) (i32.const 104)))
      (i32.store (i32.const 108) (call $path_open (i32.const 3) (i32.const 0) (i32.const 200)
        (i32.const 1) (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 120)))
      {written(1, 100, 12)}
    """
    counts = struct.unpack("<III", run(command(body, "environ_sizes_get", "path_open", "fd_write")))
    assert counts == (0, 0, 8)  # no variables, and 3 is no descriptor


# --- the same everywhere ------------------------------------------------------------------------


def test_time_and_random_numbers_are_the_same_everywhere() -> None:
    body = f"""
      (drop (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const 104)))
      (drop (call $clock_time_get (i32.const 1) (i64.const 1) (i32.const 112)))
      (drop (call $clock_res_get (i32.const 0) (i32.const 120)))
      (drop (call $random_get (i32.const 128) (i32.const 16)))
      (i32.store (i32.const 144)
        (call $poll_oneoff (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0)))
      (i32.store (i32.const 148) (call $random_get (i32.const 65530) (i32.const 16)))
      (i32.store (i32.const 152)
        (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const -4)))
      {written(1, 104, 52)}
    """
    names = "clock_time_get", "clock_res_get", "random_get", "poll_oneoff", "fd_write"
    module = command(body, *names)
    first = run(module, b"a")
    assert struct.unpack("<QQQ", first[:24]) == (1_000_000, 2_000_000, 1_000_000)
    assert struct.unpack("<III", first[40:]) == (52, 21, 21)
    seed = sha256(sha256(module).digest() + sha256(b"a").digest()).digest()
    assert first[24:40] == shake_256(seed + struct.pack("<Q", 1)).digest(16)
    assert run(module, b"a") == first
    assert run(module, b"b")[24:40] != first[24:40]
    assert run(module, b"a", args=["x"])[24:40] != first[24:40]


def test_of_streams_nothing_is_told_that_differs() -> None:
    body = f"""
      (i32.store (i32.const 100) (call $fd_filestat_get (i32.const 0) (i32.const 104)))
      (i32.store (i32.const 168) (call $fd_filestat_get (i32.const 3) (i32.const 104)))
      {written(1, 100, 72)}
    """
    told = run(command(body, "fd_filestat_get", "fd_write"), b"input")
    assert struct.unpack("<IQQB7xQQQQQI", told) == (0, 0, 0, 2, 1, 0, 0, 0, 0, 8)


def test_real_time_and_random_numbers() -> None:
    body = f"""
      (drop (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const 104)))
      (drop (call $random_get (i32.const 112) (i32.const 16)))
      {written(1, 104, 24)}
    """
    module = command(body, "clock_time_get", "random_get", "fd_write")
    first, second = (run(module, deterministic=False) for _ in range(2))
    assert abs(struct.unpack("<Q", first[:8])[0] / 1e9 - time.time()) < 60
    assert first[8:] != second[8:]
    assert run(module) == run(module)


def test_nans_have_one_form() -> None:
    body = """
      (f64.store (i32.const 0)
        (f64.add (f64.reinterpret_i64 (i64.load (local.get 0))) (f64.const 1)))
      (i64.const 8)
    """
    odd = struct.pack("<Q", 0xFFF8_0000_DEAD_BEEF)
    assert math.isnan(struct.unpack("<d", odd)[0])
    assert run(function(body), odd) == struct.pack("<Q", 0x7FF8_0000_0000_0000)


def test_relaxed_simd_is_refused_where_all_is_to_be_the_same() -> None:
    body = """
      (v128.store (i32.const 0)
        (f32x4.relaxed_madd (v128.const i64x2 0 0) (v128.const i64x2 0 0) (v128.const i64x2 0 0)))
      (i64.const 16)
    """
    with pytest.raises(ModuleRefused, match="relaxed SIMD"):
        run(function(body))
    assert run(function(body), deterministic=False) == bytes(16)


def test_fuel_is_counted_alike_each_time() -> None:
    turns = "(br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))"
    body = f"(local $n i32) (local.set $n (i32.const 1000)) (loop $l {turns}) {SAME}"
    module = function(body)

    def is_enough(fuel: int) -> bool:
        try:
            return run(module, b"x", fuel=fuel) == b"x"
        except WasmFailed:
            return False

    least = bisect.bisect_left(range(1, 100_000), True, key=is_enough) + 1
    assert 1000 < least < 20_000
    assert [is_enough(fuel) for fuel in (least, least - 1, least)] == [True, False, True]


# --- from the command line, and for real --------------------------------------------------------


def test_inputs_of_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "m.wasm").write_bytes(ECHO)
    (tmp_path / "data").write_bytes(b"\xff")
    told = f"'{tmp_path}/m.wasm' memory=1MiB seconds=2.5 fuel=9 deterministic=false arg=-v arg=a=b"
    first, second = wasm.split_inputs(told, "text", f"@{tmp_path}/data")
    expected = Call(
        module=ECHO,
        input=b"text",
        memory=2**20,
        seconds=2.5,
        fuel=9,
        deterministic=False,
        args=["-v", "a=b"],
    )
    assert first == expected
    assert (second.input, second.module) == (b"\xff", ECHO)
    assert list(wasm.split_inputs(ECHO, b"x")) == [Call(module=ECHO, input=b"x")]
    assert list(wasm.split_inputs(tmp_path / "m.wasm", "x")) == [Call(module=ECHO, input=b"x")]
    assert list(wasm.split_inputs(first, second)) == [first, second]


@pytest.mark.parametrize(
    "words", ["seconds=x", "no_such=1", "seconds=-1", "memory=lots", "deterministic=perhaps"]
)
def test_settings_that_are_none(words: str, tmp_path: Path) -> None:
    (tmp_path / "m.wasm").write_bytes(ECHO)
    with pytest.raises(dc.DcError, match=r"settings of a module|no size"):
        list(wasm.split_inputs(f"{tmp_path}/m.wasm {words}", "x"))


def test_calls_beside_modules() -> None:
    call = Call(module=ECHO)
    for inputs in ((call, "x"), (ECHO, call)):
        with pytest.raises(dc.PayloadError, match="a module and its inputs, or calls alone"):
            list(wasm.split_inputs(*inputs))
    with pytest.raises(dc.PayloadError, match=r"write MODULE\.wasm"):
        list(wasm.split_inputs("'open", "x"))


def test_in_a_real_executor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    calls = [Call(module=ECHO, input=b"one"), Call(module=ECHO, input=b"two", seconds=9)]
    assert dc.testing.run_in_executor(HERE, "wasm", calls) == [b"one", b"two"]
    with pytest.raises(dc.TaskFailed, match="was stopped"):
        dc.testing.run_in_executor(HERE, "wasm", [Call(module=FOREVER, seconds=0.05)])


def test_wasmtime_is_needed_where_modules_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wasmtime", None)
    plugins = load_plugins([HERE], entry_points=False)
    assert not plugins.broken
    found = plugins.get("wasm")
    data = found.encode_payload(Call(module=ECHO))
    found.check_payload(data)
    with pytest.raises(dc.PluginError, match="pip install wasmtime"):
        found.run(data, dc.Context(1, 0, 1, HERE))
