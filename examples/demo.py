"""What `make demo` runs: a server, two workers, and the template's job over a real folder.

The server has the plugin; the workers get it from there.

Everything is started with the commands that a user would type, on this computer alone, and ended
again. The answer is checked against a plain count in this one process, without dc.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

HERE = Path(__file__).parent
TEMPLATE = HERE / "template"
SERVER = ("dc.server", "--listen", "127.0.0.1:0")
SUFFIXES = {".py", ".txt", ".md", ".rst"}
START_SECONDS = 30.0
STOP_SECONDS = 15.0
SHOWN = 20


def main() -> int:
    """Run the demo; return 0 when the answer was right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Raw)
    parser.add_argument(
        "--input", type=Path, help="folder to count in (default: Python's standard library)"
    )
    parser.add_argument("--kill", action="store_true", help="kill -9 a worker in the middle")
    arguments = parser.parse_args()
    folder = arguments.input
    if folder is not None and not folder.is_dir():
        parser.error(f"--input {folder}: there is no such folder")
    places = [folder.resolve()] if folder is not None else _standard_library()
    signal.signal(signal.SIGTERM, _leave)
    data = Path(tempfile.mkdtemp(prefix="dc-demo-"))
    try:
        return _demo(places, data, kill=arguments.kill)
    finally:
        shutil.rmtree(data, ignore_errors=True)


def _leave(*_: object) -> None:
    """Leave by way of every `finally`, so that no process stays behind."""
    raise SystemExit(143)


def _standard_library() -> list[Path]:
    """Return what Python's standard library consists of: its own source, not what was installed."""
    others = {"site-packages", "dist-packages", "__pycache__"}
    folder = Path(sysconfig.get_path("stdlib"))
    return sorted(path for path in folder.iterdir() if path.name not in others)


def _named(places: list[Path]) -> str:
    """Return places as one would type them."""
    return str(places[0]) if len(places) == 1 else f"{places[0].parent}/*"


class _Raw(argparse.RawDescriptionHelpFormatter):
    """Keep the paragraphs of the description."""


def _demo(places: list[Path], data: Path, *, kill: bool) -> int:
    with contextlib.ExitStack() as stack:
        log = stack.enter_context((data / "log.txt").open("w"))
        server = stack.enter_context(
            _started([*SERVER, "--data", data / "data", "--plugins", TEMPLATE], log)
        )
        address = _first_line(server)
        print(f"The server's page: {address}")
        workers = [
            stack.enter_context(
                _started(
                    ["dc.worker", address, "--name", name, "--slots", "1", "--data", data / name],
                    log,
                )
            )
            for name in ("demo-one", "demo-two")
        ]
        print(f"Two workers. Counting the words of {_named(places)}")
        started = time.monotonic()
        killer = _kill_later(workers[0]) if kill else None
        table = _submit(address, places)
        took = time.monotonic() - started
        if killer is not None:
            killer.wait(STOP_SECONDS)
        print(f"Done in {took:.1f} s.")
    _show(table)
    return _check(table, places, address)


def _command(arguments: list[object]) -> list[str]:
    return [sys.executable, "-m", *map(str, arguments)]


@contextlib.contextmanager
def _started(arguments: list[object], log: TextIO) -> Iterator[subprocess.Popen[str]]:
    """Start one of dc's programs; end it at the end."""
    command = _command(arguments)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _first_line(server: subprocess.Popen[str]) -> str:
    assert server.stdout is not None
    line = server.stdout.readline().strip()
    if not line:
        raise SystemExit("the server did not start; run it by hand: python -m dc.server")
    return line


def _submit(address: str, places: list[Path]) -> dict[str, int]:
    """Submit the job as a user would, and return its answer."""
    options = ["--server", address, "--plugins", TEMPLATE, "--json"]
    command = _command(["dc", "submit", "wordcount", *places, *options])
    print("$ python -m dc submit wordcount", _named(places), "--plugins examples/template")
    sys.stdout.flush()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the job failed (exit status {done.returncode})")
    return dict(json.loads(done.stdout)["answer"])


def _kill_later(worker: subprocess.Popen[str]) -> subprocess.Popen[bytes]:
    """Have a worker killed, without a chance to say anything, after a second."""
    print(f"In a second, the worker of process {worker.pid} is killed with kill -9.")
    program = f"import os, time; time.sleep(1); os.kill({worker.pid}, {signal.SIGKILL:d})"
    return subprocess.Popen([sys.executable, "-c", program])


def _show(table: dict[str, int]) -> None:
    print(f"\nThe {SHOWN} most frequent of {len(table):,} words:")
    for word, count in sorted(table.items(), key=lambda item: (-item[1], item[0]))[:SHOWN]:
        print(f"  {word:<12}{count:>10,}")


def _check(table: dict[str, int], places: list[Path], address: str) -> int:
    plain = _plain_count(places)
    total = sum(table.values())
    print(f"\nThe page was at {address}")
    if plain == table:
        print(f"Checked: {total:,} words, the same as a plain count in one process.")
        return 0
    print(f"WRONG: {total:,} words, but a plain count finds {sum(plain.values()):,}.")
    return 1


def _plain_count(places: list[Path]) -> dict[str, int]:
    counter: Counter[str] = Counter()
    for place in places:
        for path in [place, *place.rglob("*")]:
            if path.suffix in SUFFIXES and path.is_file():
                text = path.read_text(encoding="utf-8", errors="replace")
                counter.update(re.findall(r"\w+", text.lower()))
    return dict(counter)


if __name__ == "__main__":
    sys.exit(main())
