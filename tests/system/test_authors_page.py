"""The page for authors is followed, command by command, as somebody would who reads it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from typing import Final

import trio

from tests.system.processes import ROOT, Machine, Program, Server, until

PAGE: Final = ROOT / "docs" / "authors.md"
STEP: Final = re.compile(
    r"^```(?:python|toml)\n(?P<text>.*?)^```$|^(?P<commands>(?:    \S[^\n]*\n)+)|^(?P<title>## )"
    r"|into `(?P<file>[\w.]+)`|(?P<project>`pyproject\.toml` has to say so)",
    re.MULTILINE | re.DOTALL,
)
COMMAND_SECONDS: Final = 120.0
PAGE_SECONDS: Final = 300.0  # twenty on a quiet computer: some of its commands are tests themselves


class Reader:
    """Somebody who does what the page says.

    Attributes:
        where: the folder that they are in.
        said: by command, what it has written when it was given last.
        server: the one that runs.
    """

    def __init__(self, machine: Machine) -> None:
        self.where = machine.folder / "page"
        self.where.mkdir()
        self.said: dict[str, str] = {}
        self.server: Server | None = None
        self._machine = machine
        self._running: list[Program] = []
        self._file = ""

    async def read(self, title: str) -> None:
        """Do all that is said in one section."""
        _, found, rest = PAGE.read_text("utf-8").partition(f"\n## {title}\n")
        assert found, title
        for step in STEP.finditer(rest):
            if step["title"]:
                return
            if step["file"] or step["project"]:
                self._file = step["file"] or "pyproject.toml"
            elif step["text"]:
                self._write(step["text"])
            else:
                for command in textwrap.dedent(step["commands"]).splitlines():
                    await self.do(command)

    def _write(self, text: str) -> None:
        if self._file:
            (self.where / self._file).write_text(text, "utf-8")
        self._file = ""

    async def do(self, command: str) -> str:
        """Do one command; return what it has written."""
        program, *arguments = shlex.split(command)
        if program == "cd":
            self.where = (self.where / arguments[0]).resolve()
        elif program == "mkdir":
            (self.where / arguments[0]).mkdir()
        elif program == "cp":
            for name in arguments[:-1]:
                shutil.copy(self.where / name, self.where / arguments[-1])
        elif arguments[:2] == ["-m", "dc.server"]:
            await self._serve(arguments[2:])
        elif arguments[:2] == ["-m", "dc.worker"]:
            await self._work(arguments[2:])
        elif program == "python":
            self._run(command, arguments)
        else:
            assert command == "pip install mpmath", command  # it is there
        return self.said.get(command, "")

    def _run(self, command: str, arguments: list[str]) -> None:
        address = {"DC_SERVER": self.server.address} if self.server else {}
        done = subprocess.run(
            [sys.executable, *arguments, *self._quietly(arguments)],
            cwd=self.where,
            env={**os.environ, **address},
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        self.said[command] = done.stdout + done.stderr
        assert done.returncode == 0, f"{command}\n{self.said[command]}"

    def _quietly(self, arguments: list[str]) -> list[str]:
        return ["-p", "no:cacheprovider"] if arguments[:2] == ["-m", "pytest"] else []

    async def _serve(self, options: list[str]) -> None:
        for program in reversed(self._running):
            await program.stop()
        data = self._machine.folder / "page-data"
        started = self._machine.start(
            *("dc.server", "--listen", "127.0.0.1:0", "--data", data, *options), cwd=self.where
        )
        self._running = [started]
        self.server = await Server.up(started)

    async def _work(self, options: list[str]) -> None:
        assert self.server is not None
        started = self._machine.start(
            *("dc.worker", self.server.address, "--slots", 1, "--name", "page", *options),
            cwd=self.where,
        )
        self._running.append(started)
        await self.server.has_workers("page")

    async def has_version(self, version: str) -> None:
        """Wait until the server has the task type in a version."""
        server = self.server
        assert server is not None

        def is_there() -> bool:
            return any(one["version"] == version for one in server.json("/api/types")["types"])

        await until(is_there, f"version {version}", more=server.program.text)


def test_the_page_for_authors(machine: Machine) -> None:
    async def bounded() -> None:
        with trio.fail_after(PAGE_SECONDS):
            await follow(Reader(machine))

    trio.run(bounded)


async def follow(reader: Reader) -> None:
    await reader.read("Make one")
    assert "7 passed" in reader.said["python -m pytest"]  # of the template
    await reader.read("Test it")
    assert "4 passed" in reader.said["python -m pytest"]
    await reader.read("Run it")
    pi = reader.said["python -m dc submit digits 10 100 1000 --plugins ."].splitlines()
    assert pi[0] == "3.141592653"
    assert all(len(line) in (11, 101, 1001) for line in pi[:3])
    assert "digits" in reader.said["python -m dc types"]
    assert "dc-digits" in reader.said["python -m dc plugins"]
    await reader.read("Change it")
    await reader.read("Dependencies")
    assert "3 passed" in reader.said["python -m pytest"]
    assert "carried  mpmath 1." in reader.said["python -m dc plugins pack ."]
    await reader.has_version("2")  # without a restart of anything
    euler = """python -m dc submit digits '{"name": "euler", "count": 10}' --plugins ."""
    assert "0.5772156649" in await reader.do(euler)
    await reader.read("Sign it")
    verified = "python -m dc plugins verify digits.dcplugin --trust my.key.pub"
    assert "it is what the signer has signed" in reader.said[verified]
    e = """python -m dc submit digits '{"name": "e", "count": 10}' --plugins digits"""
    assert "2.718281828" in await reader.do(e)
