"""Runs the program that installs dependencies: uv where it is found, else pip.

It stays in the process group of the agent, for a child in another one is taken for something that
a task has left behind (dc/launcher.py).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import trio
from msgspec import Struct

from dc import limits, limits_plugins
from dc.errors import PluginError
from dc.process_tree import kill_below

PIP: Final = (
    *("-m", "pip", "install", "--no-input", "--disable-pip-version-check"),
    *("--no-warn-script-location", "--progress-bar", "off"),
)
UV: Final = ("pip", "install", "--no-progress", "--color", "never")
SETTINGS: Final = {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0", "PYTHONUNBUFFERED": "1"}
LAST_SECONDS: Final = 1.0  # for what is still in the pipe of a program that has ended


class InstallError(PluginError):
    """Dependencies could not be installed.

    Args:
        text: what and why, in one line.
        detail: the last lines of the program's output.
    """

    def __init__(self, text: str, detail: str = "") -> None:
        super().__init__(text)
        self.detail = detail


class Tool(Struct, frozen=True):
    """A program that installs.

    Attributes:
        name: for people.
        command: what comes before the folder.
        built: whether it installs only what is built already.
    """

    name: str
    command: Sequence[str]
    built: bool = False


def find_tool(environment: Mapping[str, str] = os.environ, *, built: bool = False) -> Tool | None:
    """Return what is there to install with; None if there is nothing.

    Args:
        environment: of this process, for the folders in which programs are.
        built: whether it takes only what is built already (wheels): to build a package is to run
            its code, with the rights of this process.
    """
    only = ("--only-binary", ":all:") if built else ()
    python = sys.executable
    beside = Path(python).with_name("uv.exe" if sys.platform == "win32" else "uv")
    found = str(beside) if beside.is_file() else shutil.which("uv", path=environment.get("PATH"))
    if found:
        return Tool("uv", (found, *UV, *only, "--python", python, "--target"), built)
    if importlib.util.find_spec("pip") is not None:
        return Tool("pip", (python, *PIP, *only, "--target"), built)
    return None


async def install(tool: Tool, wanted: Sequence[str], folder: Path) -> None:
    """Install dependencies, and what they need, into a folder.

    Args:
        tool: the program.
        wanted: what is to be installed, as PEP 508 has it; none of it may begin with a dash.
        folder: an empty one.

    Raises:
        InstallError: that failed, or took longer than INSTALL_SECONDS. What is left in the folder
            is of no use.
    """
    assert all(one[:1].isalnum() for one in wanted)
    last: deque[str] = deque(maxlen=limits_plugins.INSTALL_LINES)
    with trio.move_on_after(limits_plugins.INSTALL_SECONDS) as scope:
        status = await _run([*tool.command, str(folder), *wanted], folder.parent, last)
    detail = "\n".join(last)
    if scope.cancelled_caught:
        minutes = f"{limits_plugins.INSTALL_SECONDS / 60:g} minutes"
        raise InstallError(f"{_named(wanted)} took {tool.name} longer than {minutes}", detail)
    if status:
        said = next((one for one in reversed(last) if one.strip()), "nothing")
        raise InstallError(
            f"{tool.name} cannot install {_named(wanted)}: it says {said.strip()!r}. Correct what "
            "the plugin depends on, or see that this computer reaches a package index",
            detail,
        )


async def _run(command: Sequence[str], folder: Path, last: deque[str]) -> int:
    """Run a program to its end; return its exit status, and leave its last lines in `last`."""
    try:
        process = await trio.lowlevel.open_process(
            command,
            cwd=folder,
            env={**os.environ, **SETTINGS},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        raise InstallError(f"cannot start {command[0]}: {error.strerror}") from None
    except ValueError as error:  # a null in what is wanted
        raise InstallError(f"cannot start {command[0]}: {error}") from None
    assert process.stdout is not None
    try:
        async with process.stdout, trio.open_nursery() as nursery:
            nursery.start_soon(_read, process.stdout, last)
            await process.wait()
            nursery.cancel_scope.deadline = trio.current_time() + LAST_SECONDS
    finally:
        await _kill(process)
    return process.returncode or 0


async def _kill(process: trio.Process) -> None:
    """See that nothing of it runs on."""
    if process.returncode is not None:
        return
    with trio.CancelScope(shield=True):
        if sys.platform == "win32":
            process.kill()
        else:
            await trio.to_thread.run_sync(_kill_tree, process.pid)
        await process.wait()


def _kill_tree(pid: int) -> None:
    kill_below(pid, itself=True)


async def _read(stream: trio.abc.ReceiveStream, last: deque[str]) -> None:
    """Take what a program writes, and keep its last lines."""
    rest = ""
    async for data in stream:
        *lines, rest = (rest + data.decode(errors="replace")).split("\n")
        last.extend(line[: limits_plugins.INSTALL_LINE_CHARS] for line in lines)
        rest = rest[-limits_plugins.INSTALL_LINE_CHARS :]
    if rest:
        last.append(rest)


def _named(wanted: Sequence[str]) -> str:
    text = ", ".join(wanted)
    return text if len(text) <= limits.TEXT_CHARS else f"{text[: limits.TEXT_CHARS]}…"
