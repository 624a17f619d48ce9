"""Tasks that misbehave, each in its own way, and some that tell how things are."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import dc

MIB = 2**20
SLEEP = "import os, sys, time; open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); time.sleep(60)"


@dc.task_type
def state(_: int) -> dict[str, str]:
    """What a task finds: nothing of another's."""
    mask = os.umask(0o22)
    os.umask(mask)
    return {
        "folder": str(Path.cwd()),
        "files": " ".join(sorted(os.listdir())),  # noqa: PTH208
        "variable": os.environ.get("DC_TEST_LEFT", ""),
        "umask": oct(mask),
        "handler": "" if signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL else "another",
        "threads": " ".join(one.name for one in threading.enumerate() if one.name == "left"),
        "output": str(os.fstat(1).st_ino == os.fstat(2).st_ino),
    }


def _change_folder() -> None:
    os.chdir("/")


def _set_variable() -> None:
    os.environ["DC_TEST_LEFT"] = "yes"


def _set_umask() -> None:
    os.umask(0)


def _set_handler() -> None:
    signal.signal(signal.SIGUSR1, lambda *_: None)


def _start_thread() -> None:
    threading.Thread(target=time.sleep, args=(60,), name="left", daemon=True).start()


def _close_output() -> None:
    os.close(1)
    time.sleep(0.002)


def _write_file() -> None:
    Path("left").write_text("x")


LEAVES: dict[str, Callable[[], None]] = {
    "another working folder": _change_folder,
    "another environment": _set_variable,
    "another umask": _set_umask,
    "other signal handlers": _set_handler,
    "threads": _start_thread,
    "other standard descriptors": _close_output,
    "": _write_file,
}


@dc.task_type
def leave(what: str) -> int:
    """Leave something behind; return the process that it is left in."""
    LEAVES[what]()
    return os.getpid()


def _start_sleeper(path: str) -> None:
    """Start a program that writes its number and sleeps, in a session of its own."""
    subprocess.Popen([sys.executable, "-c", SLEEP, path], start_new_session=True)
    while not Path(path).exists() or not Path(path).read_text().endswith("\n"):
        time.sleep(0.005)


@dc.task_type
def daemon(path: str) -> int:
    """Leave a daemon behind: forked twice, in another session, with nothing open."""
    child = os.fork()
    if not child:
        os.setsid()
        _start_sleeper(path)
        os._exit(0)
    os.waitpid(child, 0)
    return os.getpid()


@dc.task_type
def crash_with_daemon(path: str) -> None:
    """Start a program in a session of its own, and die."""
    _start_sleeper(path)
    os._exit(3)


@dc.task_type
def stubborn(path: str) -> None:
    """Start a program, ignore whatever can be ignored, and never return."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if path:
        _start_sleeper(path)
    while True:
        try:
            time.sleep(60)
        except BaseException:
            continue


@dc.task_type
def forever(path: str) -> None:
    """Never return; say that it began, and what was raised for it."""
    try:
        Path(f"{path}-begun").write_text("x")
        while True:
            pass
    except BaseException as error:
        Path(path).write_text(type(error).__name__)
        raise


@dc.task_type
def polite(path: str, context: dc.Context) -> None:
    """Look whether to stop, in a thread, and write that down."""

    def look() -> None:
        while not context.stopping:
            time.sleep(0.005)
        Path(path).write_text("asked")

    thread = threading.Thread(target=look)
    thread.start()
    try:
        Path(f"{path}-begun").write_text("x")
        time.sleep(60)
    finally:
        thread.join()


@dc.task_type
def fork_bomb(_: int) -> None:
    """Fork, each fork as well, for as long as it can be done."""
    while True:
        try:
            os.fork()
        except OSError:
            time.sleep(0.001)


@dc.task_type
def fill_disk(how: str, context: dc.Context) -> None:
    """Write without end: to one file, to many in the scratch folder, or in the working folder."""
    folder = context.scratch if how == "scratch" else Path()
    data = bytes(MIB)
    for number in range(10_000):
        with (folder / ("one" if how == "one" else f"file-{number}")).open("ab") as file:
            file.write(data)
        time.sleep(0.002)


@dc.task_type
def allocate(how: str) -> int:
    """Allocate a hundred gigabytes: at once, bit by bit, or in children."""
    if how == "at once":
        return len(bytearray(100 * 1024 * MIB))
    if how == "in children":
        for _ in range(4):
            if not os.fork():
                held = _hold(64)
                time.sleep(60)
                del held  # only now: what nobody names is given back at once
                os._exit(0)
        for _ in range(4):
            if os.wait()[1]:
                raise MemoryError("a child got no more memory")
    return len(_hold(100 * 1024))


def _hold(count: int) -> list[bytearray]:
    return [bytearray(b"x") * MIB for _ in range(count)]


@dc.task_type
def segfault(_: int) -> None:
    """Read where nothing is."""
    ctypes.string_at(0)


@dc.task_type
def end(how: str) -> None:
    """End the process, or have it closed."""
    if how == "sys.exit":
        sys.exit(3)
    if how == "os._exit":
        os._exit(3)
    if how == "abort":
        os.abort()
    os.closerange(0, 1000)


@dc.task_type
def leak(size: int) -> int:
    """Keep some memory for good; return the process."""
    _LEAKED.append(b"x" * size)
    return os.getpid()


_LEAKED: list[bytes] = []
