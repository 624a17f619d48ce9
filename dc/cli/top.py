"""`python -m dc top`: the server at a glance on a terminal, live, with keys.

Two threads: one asks the server each second, and does what is asked for by keys; this one takes the
keys and draws. Where there is no terminal, one look is written as plain text.
"""

from __future__ import annotations

import signal
import sys
import threading
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any, Final, NoReturn

from rich.console import Console, Group
from rich.live import Live

from dc.cli import keys
from dc.cli.screen import Screen
from dc.cli.top_frame import frame, plain
from dc.cli.top_state import Ask, Top
from dc.client.plain_client import Client
from dc.errors import ConnectionLost, DcError

LOOK_SECONDS: Final = 0.1  # between two looks at whether an answer has come
PLAIN_CELLS: Final = 120  # of a line that goes to no terminal
END_SECONDS: Final = 1.0  # that a request which is under way may still take in the end


def top(args: Namespace, client: Client, screen: Screen) -> int:
    """Show the server live, until q is pressed; or once."""
    state = Top()
    if args.json or args.once or not (sys.stdin.isatty() and sys.stdout.isatty()):
        _once(state, client, screen, as_json=args.json)
        return 0
    with _asking(client, state, args.seconds) as asker, _ended_by_signals():
        _show(state, asker)
    return 0


def _once(state: Top, client: Client, screen: Screen, *, as_json: bool) -> None:
    answers = answers_of(client, state.paths())
    if as_json:
        screen.json(answers)
        return
    state.answered(answers)
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else PLAIN_CELLS)
    for line in plain(state, console.width):
        line.rstrip()
        console.print(line, no_wrap=True, overflow="crop", crop=False)


def answers_of(client: Client, paths: Mapping[str, str]) -> dict[str, Any]:
    """Return what the server answers at each path."""
    return {name: client.get(path) for name, path in paths.items()}


class Asker:
    """Asks the server in a thread of its own.

    Args:
        client: by whom it is asked.
        seconds: between two times.

    Attributes:
        answers: what came of it: an answer to `paths`, a text that says how a command went, or the
            error for which there is none.
        paths: what to ask for.
    """

    def __init__(self, client: Client, seconds: float) -> None:
        self._client = client
        self._seconds = seconds
        self._commands: SimpleQueue[Ask] = SimpleQueue()
        self._wake = threading.Event()
        self._over = False
        self.answers: SimpleQueue[dict[str, Any] | str | DcError] = SimpleQueue()
        self.paths: Mapping[str, str] = {}

    def ask(self, command: Ask | None) -> None:
        """Have something done if it is a command, and look anew at once."""
        if command is not None:
            self._commands.put(command)
        self._wake.set()

    def end(self) -> None:
        """Ask for nothing more."""
        self._over = True
        self._wake.set()

    def run(self) -> None:
        """Ask until the end."""
        while not self._over:
            self._wake.clear()
            try:
                self._do_commands()
                self.answers.put(answers_of(self._client, self.paths))
            except DcError as error:
                self.answers.put(error)
            except RuntimeError:  # the client was closed meanwhile
                return
            self._wake.wait(self._seconds)

    def _do_commands(self) -> None:
        while not self._commands.empty():
            command = self._commands.get()
            try:
                self._client.request(command.method, command.path, command.body)
                self.answers.put(command.done)
            except ConnectionLost:
                raise
            except DcError as error:
                self.answers.put(f"nothing was done: {error}")


@contextmanager
def _asking(client: Client, state: Top, seconds: float) -> Iterator[Asker]:
    asker = Asker(client, seconds)
    asker.paths = state.paths()
    thread = threading.Thread(target=asker.run, name="dc top", daemon=True)
    thread.start()
    try:
        yield asker
    finally:
        asker.end()
        thread.join(END_SECONDS)


def _show(state: Top, asker: Asker) -> None:
    console = Console(file=sys.stdout, highlight=False)
    with (
        keys.reading() as press,
        Live(console=console, screen=True, auto_refresh=False) as live,
    ):
        drawn = None
        while not state.over:
            name = press(LOOK_SECONDS)
            if name:
                command = state.key(name)
                asker.paths = state.paths()
                asker.ask(command)
            changed = _take(state, asker) or bool(name)
            size = console.size
            if changed or size != drawn:
                live.update(Group(*frame(state, size.width, size.height)), refresh=True)
                drawn = size


def _take(state: Top, asker: Asker) -> bool:
    """Take what the server has answered; return whether there was anything."""
    changed = False
    try:
        while True:
            take(state, asker.answers.get_nowait())
            changed = True
    except Empty:
        return changed


def take(state: Top, answer: dict[str, Any] | str | DcError) -> None:
    """Have the state know of an answer."""
    if isinstance(answer, str):
        state.note = answer
    elif isinstance(answer, ConnectionLost):
        state.failed("the server does not answer; trying again")
    elif isinstance(answer, DcError):
        state.refused(str(answer))
    else:
        state.answered(answer)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Have SIGTERM and a closed terminal end this as Ctrl-C does: the terminal is put back."""
    if sys.platform == "win32":
        yield
        return
    before = {one: signal.signal(one, _interrupt) for one in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
