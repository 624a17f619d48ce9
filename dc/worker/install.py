"""`python -m dc.worker --install`: makes the worker a service, after showing what that is.

What is written and run is decided in dc/worker/services.py; this asks, writes and runs it. A worker
that starts as usual never imports it: what its command line needs is in
dc/worker/install_options.py.
"""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from dc import invites, limits_join, program
from dc.errors import StartError
from dc.task_user import TaskUser
from dc.worker import join_options
from dc.worker.install_options import OWN
from dc.worker.services import LINUX, MACOS, NAME, STATE, WINDOWS, Service, Step, Wanted, service_of
from dc.worker.surroundings import Around, here

PATHS: Final = ("--plugins", "--data", "--scratch", "--cache", "--trust")
"""Options that name a file or folder, which a service has to find from elsewhere."""

PLACES: Final = ("--data", "--scratch", "--cache")
HIDDEN: Final = ("/home", "/root", "/run/user")
"""Where a service of the whole computer sees nothing: the homes of people."""

NOTHING_DONE: Final = 1


class Said(Protocol):
    """What is asked of the worker's command line, once it is known to be right."""

    @property
    def finish(self) -> float:
        """The seconds that tasks may go on."""

    @property
    def new_key(self) -> bool:
        """Whether it is to be another worker from now on."""

    @property
    def show(self) -> bool:
        """Whether it only tells of itself."""

    @property
    def task_user(self) -> TaskUser | None:
        """Whom tasks run as, if not as the worker."""


Check: TypeAlias = Callable[[list[str]], Said]
"""Reads the worker's own options; exits with status 2 when they are wrong."""


def main(
    words: Sequence[str], check: Callable[[list[str]], Said], around: Around | None = None
) -> int:
    """Make or undo a service.

    Args:
        words: the command line.
        check: of the worker's own options.
        around: the computer; None for this one.

    Returns:
        The exit status: 0 it is done, 1 the user did not want it, 2 it cannot be.
    """
    own = {word for word in words if word in OWN}
    rest = [word for word in words if word not in OWN]
    try:
        if not own & {"--install", "--uninstall"}:
            raise StartError(f"{min(own)} is of use with --install or --uninstall only")
        around = around or here()
        return _do(own, rest, check, around)
    except StartError as error:
        print(f"dc.worker: {error}", file=sys.stderr)
    except OSError as error:
        text = f"{error.filename}: {error.strerror or error}"
        print(f"dc.worker: {text}; nothing else was done", file=sys.stderr)
    return program.WRONG


def _do(own: set[str], rest: list[str], check: Callable[[list[str]], Said], around: Around) -> int:
    is_sure = "--yes" in own
    # Root has no programs of its own that start when it signs in.
    system = "--system" in own or (around.is_root and around.platform != WINDOWS)
    if system and not around.is_root:
        raise StartError("--system is for the administrator: sudo, or an elevated prompt")
    if "--uninstall" in own:
        return _undo(service_of(_wanted(around, [], system=system)), around, is_sure=is_sure)
    if not around.has_services:
        raise StartError("this computer has no systemd: have what it has run `python -m dc.worker`")
    options, code = take_code(rest, around)
    said = check(options)
    if said.new_key or said.show:
        raise StartError("--install goes with neither --new-key nor --show: give these by hand")
    if said.task_user is not None:
        raise StartError("--install goes without --task-user: a service has a user of its own")
    options = with_whole_paths(options)
    if system:
        check_system(options, around)
    wanted = _wanted(around, options, system=system, code=code, finish=said.finish)
    return _make(service_of(wanted), code, around, is_sure=is_sure)


def _wanted(
    around: Around, options: list[str], *, system: bool, code: str = "", finish: float = 0.0
) -> Wanted:
    return Wanted(
        around.platform,
        around.python,
        options,
        around.home,
        around.state,
        system,
        bool(code),
        finish,
        around.has_cards,
        around.groups,
        around.user,
        around.uid,
    )


def take_code(words: Sequence[str], around: Around) -> tuple[list[str], str]:
    """Return the worker's options without a join code, and the code, if one was given.

    It may be the argument, in a file or on standard input (--join FILE, --join -), or in DC_JOIN.

    Raises:
        StartError: it is no whole code, or cannot be read.
    """
    left: list[str] = []
    code, at = around.variables.get("DC_JOIN", ""), 0
    while at < len(words):
        word, is_value = words[at], words[at - 1].startswith("--") if at else False
        name, equals, value = word.partition("=")
        if name == "--join":
            at += not equals
            file = value if equals else "".join(words[at : at + 1])
            code = _read_code(file, around)
        elif join_options.is_whole(word) or (invites.is_code(word) and not is_value):
            code = word
        else:
            left.append(word)
        at += 1
    return left, invites.read(code).text if code else ""


def _read_code(file: str, around: Around) -> str:
    if file == "-":
        return join_options.code_in(file, around.read())
    try:
        with Path(file).open(encoding="ascii", errors="replace") as source:
            return join_options.code_in(file, source.read(limits_join.CODE_BYTES))
    except OSError as error:
        raise StartError(f"--join {file}: {error.strerror or error}") from None


def with_whole_paths(words: Sequence[str]) -> list[str]:
    """Return options with the files and folders that they name as absolute paths."""
    found = list(words)
    for at, name, value in _paths(words):
        whole = str(Path(value).absolute())
        if "--trust".startswith(name) and not Path(value).exists():
            whole = value  # a key itself
        found[at] = whole if words[at] == value else f"{name}={whole}"
    return found


def _paths(words: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    """Return where options name files and folders: the place of that word, the option, the path."""
    for at, word in enumerate(words):
        name, equals, value = word.partition("=")
        if _names_path(name) and (equals or at + 1 < len(words)):
            yield (at, name, value) if equals else (at + 1, name, words[at + 1])


def _names_path(word: str) -> bool:
    """Whether a word is one of PATHS, or what is enough of it."""
    return len(word) > 3 and word.startswith("--") and any(p.startswith(word) for p in PATHS)


def check_system(options: Sequence[str], around: Around) -> None:
    """See to it that a service of the whole computer can be what is asked for.

    Raises:
        StartError: it cannot, and what to do.
    """
    if around.platform != LINUX:
        return
    paths = list(around.needed)
    for _, name, value in _paths(options):
        if any(place.startswith(name) for place in PLACES):
            text = f"{name}: with --system its folder is {STATE}; another place is for its unit to"
            raise StartError(f"{text} say, by systemctl edit {NAME}: User= and ReadWritePaths=")
        paths.append(Path(value))
    for path in paths:
        if any(path.is_relative_to(one) for one in HIDDEN) or not is_open(path):
            raise StartError(
                f"--system: the service cannot read {path}: put dc where everybody can, as by "
                "python3 -m venv /opt/dc && /opt/dc/bin/pip install distributed-computing"
            )


def is_open(path: Path) -> bool:
    """Whether everybody can read a file, or look into a folder."""
    if not path.exists():
        return True  # the worker says better what is not there
    wanted = stat.S_IROTH | (stat.S_IXOTH if path.is_dir() else 0)
    above = all(one.stat().st_mode & stat.S_IXOTH for one in path.resolve().parents)
    return above and path.stat().st_mode & wanted == wanted


# --- doing it -----------------------------------------------------------------------------------


def _make(service: Service, code: str, around: Around, *, is_sure: bool) -> int:
    around.say(f"A {service.kind}, {around.place(service.path)}:\n\n{service.text}\n")
    if code:
        around.say(f"The join code goes to {service.join}, for the worker alone.\n")
    _show(service.start, around)
    if not _agrees(around, is_sure=is_sure):
        return NOTHING_DONE
    if code:
        write(around.place(service.join), f"{code}\n".encode(), 0o600)
        _give(around.place(service.join), around)
    write(around.place(service.path), service.text.encode(service.encoding), 0o644)
    _run(service.start, around)
    around.say("Done: the worker is started, and will be again by itself.\n")
    for note in service.notes:
        around.say(f"- {note}\n")
    return 0


def _undo(service: Service, around: Around, *, is_sure: bool) -> int:
    path = around.place(service.path)
    if not path.exists():
        around.say(f"There is no {service.kind}: {path} is not there.\n")
        return 0
    _show(service.stop, around)
    around.say(f"{path} is removed. The worker's folder stays.\n")
    if not _agrees(around, is_sure=is_sure):
        return NOTHING_DONE
    _run(service.stop, around)
    path.unlink()
    around.place(service.join).unlink(missing_ok=True)
    around.say("Done.\n")
    return 0


def _show(steps: Sequence[Step], around: Around) -> None:
    around.say("Then this is run:\n")
    for step in steps:
        around.say(f"  {shlex.join(step.command)}\n")


def _agrees(around: Around, *, is_sure: bool) -> bool:
    if is_sure:
        return True
    if around.ask is None:
        around.say("Nothing was done: there is nobody to ask here. Give --yes to have it done.\n")
        return False
    if around.ask("Do this? [y/N] ").strip().lower() in ("y", "yes"):
        return True
    around.say("Nothing was done.\n")
    return False


def _run(steps: Sequence[Step], around: Around) -> None:
    """Run commands one after another.

    Raises:
        StartError: one that is needed has failed.
    """
    for step in steps:
        if around.run(step.command) and step.needed:
            text = f"{shlex.join(step.command)} failed: put that right, and give this command again"
            raise StartError(text)


def write(path: Path, data: bytes, mode: int) -> None:
    """Write a file, wholly or not at all, that nobody can read before its mode is right.

    Raises:
        OSError: it cannot be written.
    """
    if not path.parent.exists():
        path.parent.mkdir(mode=0o700 if mode == 0o600 else 0o755, parents=True)
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    with open(file, "wb") as stream:  # noqa: PTH123  a descriptor, not a path
        stream.write(data)
        stream.flush()
        os.fsync(file)
    new.chmod(mode)
    new.replace(path)


def _give(path: Path, around: Around) -> None:
    """Give a file to the user who the worker will be, where root has written it for another."""
    if around.platform == MACOS and around.is_root and around.user:
        shutil.chown(path, around.user)
