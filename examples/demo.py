"""What `make demo` runs: a server, two workers, and the template's job over a real folder.

Everything is started with the commands that a user would type, on this computer alone, and ended
again. The answer is checked against a plain count in this one process, without dc.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
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

HERE = Path(__file__).parent
TEMPLATE = HERE / "template"
SUFFIXES = {".py", ".txt", ".md", ".rst"}
START_SECONDS = 30.0
STOP_SECONDS = 15.0
SHOWN = 20


def main() -> int:
    """Run the demo; return 0 when the answer was right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Raw)
    standard_library = Path(sysconfig.get_path("stdlib"))
    parser.add_argument("--input", type=Path, default=standard_library, help="folder to count in")
    parser.add_argument("--kill", action="store_true", help="kill -9 a worker in the middle")
    arguments = parser.parse_args()
    if not arguments.input.is_dir():
        parser.error(f"--input {arguments.input}: there is no such folder")
    folder = arguments.input.resolve()
    data = Path(tempfile.mkdtemp(prefix="dc-demo-"))
    try:
        return _demo(folder, data, kill=arguments.kill)
    finally:
        shutil.rmtree(data, ignore_errors=True)


class _Raw(argparse.RawDescriptionHelpFormatter):
    """Keep the paragraphs of the description."""


def _demo(folder: Path, data: Path, *, kill: bool) -> int:
    with contextlib.ExitStack() as stack:
        log = stack.enter_context((data / "log.txt").open("w"))
        server = stack.enter_context(
            _started(["dc.server", "--listen", "127.0.0.1:0", "--data", data / "data"], log)
        )
        address = _first_line(server)
        print(f"The server's page: {address}")
        workers = [
            stack.enter_context(
                _started(["dc.worker", address, "--name", name, "--slots", "1"], log)
            )
            for name in ("demo-one", "demo-two")
        ]
        print(f"Two workers. Counting the words of {folder}")
        started = time.monotonic()
        killer = _kill_later(workers[0]) if kill else None
        table = _submit(address, folder)
        took = time.monotonic() - started
        if killer is not None:
            killer.wait(STOP_SECONDS)
        print(f"Done in {took:.1f} s.")
    _show(table)
    return _check(table, folder, address)


def _command(arguments: list[object]) -> list[str]:
    return [sys.executable, "-m", *map(str, arguments)]


@contextlib.contextmanager
def _started(arguments: list[object], log: object) -> Iterator[subprocess.Popen[str]]:
    """Start one of dc's programs with the template's folder of plugins; end it at the end."""
    command = _command([*arguments, "--plugins", TEMPLATE])
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _first_line(server: subprocess.Popen[str]) -> str:
    assert server.stdout is not None
    line = server.stdout.readline().strip()
    if not line:
        raise SystemExit("the server did not start; run it by hand: python -m dc.server")
    return line


def _submit(address: str, folder: Path) -> dict[str, int]:
    """Submit the job as a user would, and return its answer."""
    command = _command(
        [
            "dc",
            "submit",
            "wordcount",
            folder,
            "--server",
            address,
            "--plugins",
            TEMPLATE,
            "--json",
        ]
    )
    print("$ python -m dc submit wordcount", folder, "--plugins examples/template")
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


def _check(table: dict[str, int], folder: Path, address: str) -> int:
    plain = _plain_count(folder)
    total = sum(table.values())
    print(f"\nThe page was at {address}")
    if plain == table:
        print(f"Checked: {total:,} words, the same as a plain count in one process.")
        return 0
    print(f"WRONG: {total:,} words, but a plain count finds {sum(plain.values()):,}.")
    return 1


def _plain_count(folder: Path) -> dict[str, int]:
    counter: Counter[str] = Counter()
    for name, _, files in os.walk(folder):
        for file in files:
            path = Path(name, file)
            if path.suffix in SUFFIXES:
                text = path.read_text(encoding="utf-8", errors="replace")
                counter.update(re.findall(r"\w+", text.lower()))
    return dict(counter)


if __name__ == "__main__":
    sys.exit(main())
