"""The plugins that come with dc, with a real server and a real worker."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import dc_function
import pytest
import trio
from dc_render import Picture
from dc_wasm import Call
from test_dc_wasm_texts import FOREVER

import dc
from tests.system.processes import ROOT, Machine, Server

PLUGINS = ROOT / "plugins"
EXAMPLES = PLUGINS / "wasm" / "examples"


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server and a worker with all of these plugins."""
    folder = tmp_path_factory.mktemp("given")
    with Machine(folder) as machine:

        async def start() -> Server:
            server = await machine.server(plugins=[PLUGINS])
            cache = {"XDG_CACHE_HOME": str(folder / "cache")}
            await machine.worker(server, "one", plugins=[PLUGINS], environment=cache)
            return server

        yield trio.run(start)


@pytest.fixture
def client(given: Server) -> Iterator[dc.Client]:
    with dc.Client(given.address, plugins=[PLUGINS]) as client:
        yield client


def test_functions_travel(client: dc.Client) -> None:
    offset = 3

    def falls(number: int) -> float:
        return 1 / (number - 2)

    assert list(dc_function.map(client, lambda number: number + offset, range(5))) == [*range(3, 8)]
    assert dc_function.remote(divmod).on(client, 17, 5) == (3, 2)
    values = dc_function.map(client, falls, range(4), name="falls at 2")
    assert [next(values), next(values)] == [-0.5, -1.0]
    with pytest.raises(dc.TaskFailed, match="ZeroDivisionError") as caught:
        next(values)
    assert "in falls" in caught.value.traceback


def test_modules_run(client: dc.Client) -> None:
    text = b"Hello, wasm! " * 20_000
    assert client.run("wasm", EXAMPLES / "upper.wasm", text, b"two") == [text.upper(), b"TWO"]
    tile = struct.pack("<dddII", -0.5, 0, 0.1, 4, 1)
    calls = [Call(module=(EXAMPLES / "mandelbrot.wasm").read_bytes(), input=tile) for _ in range(9)]
    assert set(client.map("wasm", calls)) == {bytes([255, 255, 255, 255])}


def test_bad_modules_harm_nobody(client: dc.Client) -> None:
    upper = EXAMPLES / "upper.wasm"
    bad = [
        Call(module=b"no module", input=b"x"),
        Call(module=upper.read_bytes(), input=bytes(10**6), fuel=1000),
        Call(module=upper.read_bytes(), input=b"fine"),
    ]
    job = client.submit("wasm", bad)
    first, second, third = job.results(failures="yield")
    assert isinstance(first, dc.TaskFailed)
    assert first.kind == "payload"
    assert "this is no WebAssembly module" in str(first)
    assert "it has used up its fuel of 1000" in str(second)
    assert third == b"FINE"
    assert job.status().failed == 2


def test_a_module_without_end_is_stopped_and_not_killed(client: dc.Client) -> None:
    [failed] = client.map("wasm", [Call(module=FOREVER)], timeout=2, failures="yield")
    assert isinstance(failed, dc.TaskFailed)
    assert failed.kind == "timeout"
    assert "in wasm" in failed.traceback, "it was killed"


def test_a_picture_is_drawn(client: dc.Client, tmp_path: Path) -> None:
    png = client.run("render", Picture(24, 16, samples=1, tile=8))
    assert png.startswith(b"\x89PNG")
    assert struct.unpack_from(">II", png, 16) == (24, 16)


def test_a_module_that_is_put_once(client: dc.Client, tmp_path: Path) -> None:
    module = client.put(EXAMPLES / "upper.wasm")
    large = tmp_path / "large"
    large.write_bytes(b"Hello, wasm! " * 200_000)
    inputs = {"module": module, "settings": b'{"seconds": 60}'}
    small, whole = client.submit("wasm_bytes", [b"small", large], inputs=inputs).results()
    assert small == b"SMALL"
    assert whole.read() == large.read_bytes().upper()
    texts = [b"%d a" % at for at in range(99)]
    results = client.map("wasm_bytes", texts, inputs={"module": module})
    assert list(results) == [text.upper() for text in texts]
    [failed] = client.map("wasm_bytes", [b"x"], failures="yield")
    assert "the job has no input 'module'" in str(failed)


def test_a_function_with_an_input(client: dc.Client) -> None:
    def count(word: str, context: dc.Context) -> int:
        return context.inputs["text"].read().count(word.encode())

    text = client.put(b"one two one " * 9999)
    assert list(dc_function.map(client, count, ["one", "two"], inputs={"text": text})) == [
        19998,
        9999,
    ]
