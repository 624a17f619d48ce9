"""Places for tasks that run as another user than the worker: what is theirs, and what is not.

    DATA/               0711 root's; its files 0600: key, servers, journals
    DATA/code/          0711 root's; plugins of the server, to be read
    DATA/cache/         0711 root's; blobs, to be read
    scratch/RUN/        0711 root's; what the agent writes
    scratch/RUN/tasks/  0700 the tasks'; large results and scratch files
    scratch/RUN/former/ 0700 the tasks'; results of other jobs that they have fetched
    scratch/RUN/taken/  0700 root's; results and checkpoints on their way to the server

A folder that may be entered and not be looked through shows nothing to who knows no name in it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from dc.adopting import Adopting
from dc.errors import StartError
from dc.prepared import SAFE_PATH
from dc.task_user import TaskUser

TASKS: Final = "tasks"
FORMER: Final = "former"
TAKEN: Final = "taken"

_ENTER: Final = 0o711
_OWN: Final = 0o700
_READ: Final = 0o022
"""The umask of a worker whose plugins another user is to read; what is secret says so itself."""


def import_nothing_from_here() -> None:
    """Take the folder that this process was started in out of where its modules are looked for.

    `python -m` has put it there, ahead of all others. What is imported later would be imported
    from it, with the rights of root, and tasks may be able to write there.
    """
    if sys.flags.safe_path or not sys.path:
        return
    with suppress(OSError):  # it is not there any more
        if Path(sys.path[0]).samefile(os.curdir):
            del sys.path[0]


def anew(arguments: Sequence[str]) -> list[str]:
    """Return with what a worker whose tasks another user has run is started anew.

    Args:
        arguments: of the interpreter, as the worker has them now.
    """
    return [*arguments] if sys.flags.safe_path else [SAFE_PATH, *arguments]


def share(
    user: TaskUser, data: Path, scratch: Path, folders: Iterable[Path], plugins: Iterable[Path]
) -> Adopting:
    """Let the user of tasks in where tasks have to be, and nowhere else.

    Args:
        user: whom executors become.
        data: the worker's folder, which is in use by this worker already.
        scratch: of this process, empty.
        folders: further ones of the worker, in which tasks are to read; they are there.
        plugins: folders of plugins; they stay as they are.

    Returns:
        What takes files of that user.

    Raises:
        StartError: that user cannot get to one of these, or to Python; or one is its own.
        OSError: one of them cannot be changed.
    """
    _check_owner(user, (data, scratch, *folders))
    if sys.platform != "win32":
        os.umask(_READ)
    for path in data.iterdir():
        if path.is_file() and not path.is_symlink():
            path.chmod(0o600)
    for folder in (data, scratch.parent, scratch, *folders):
        folder.chmod(_ENTER)
    for name in (TASKS, FORMER, TAKEN):
        (scratch / name).mkdir(mode=_OWN)
    user.give(scratch / TASKS, scratch / FORMER)
    _check(user, (scratch, *folders), plugins)
    return Adopting(user, scratch / TASKS, scratch / TAKEN)


def _check_owner(user: TaskUser, folders: Iterable[Path]) -> None:
    """See that a user cannot replace what is in the worker's folders, which root works on."""
    if sys.platform != "win32" and user.uid != os.geteuid():
        if (own := user.owns(folders)) is not None:
            text = "tasks could put anything there: name another folder, which is root's"
            raise StartError(f"--task-user {user.name}: {own} is that user's own; {text}")


def _check(user: TaskUser, folders: Iterable[Path], plugins: Iterable[Path]) -> None:
    """See that a user gets at what executors need."""
    option = f"--task-user {user.name}: that user"
    if (barred := user.cannot_enter(folders)) is not None:
        text = "give --data DIR below a folder that all may enter, as /var/lib/dc"
        raise StartError(f"{option} cannot enter {barred}: {text}")
    if (barred := user.cannot_enter(plugins)) is not None:
        raise StartError(f"{option} cannot read {barred}: let all read the plugins")
    python = (Path(sys.executable), Path(os.__file__), Path(sys.prefix), Path(__file__))
    if (barred := user.cannot_enter(python)) is not None:
        text = "install Python and dc where all may read them, as below /opt"
        raise StartError(f"{option} cannot read {barred}, where Python or dc is: {text}")
