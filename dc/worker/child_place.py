"""Where an executor's process finds itself: its pipe, its page, its folder, its control group."""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn, TypeAlias

from dc import limits_executor as limits
from dc.cgroups import join
from dc.pipe_frames import PAGE_BYTES
from dc.process_tree import become_reaper, gain_nothing_more, kill_below
from dc.task_user import TaskUser

Page: TypeAlias = "list[int] | memoryview[int]"

_OOM_SCORE: Final = Path("/proc/self/oom_score_adj")

_OF_HOME: Final = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
_OF_ANOTHER: Final = (*_OF_HOME, "XDG_RUNTIME_DIR", "MAIL", "SUDO_USER", "SUDO_UID", "SUDO_GID")
"""Variables that tell of the user that the worker is."""


def end_group() -> NoReturn:
    """End this process, and what its tasks have started, if it leads a group of its own."""
    if sys.platform != "win32" and os.getpgrp() == os.getpid():
        kill_below(os.getpid())
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def private_pipe() -> tuple[int, int]:
    """Move the pipe off descriptors 0 and 1; return where it is.

    From then on reading gives nothing, and printing goes to standard error.
    """
    incoming, outgoing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return incoming, outgoing


def shared_page(descriptor: int) -> Page:
    """Return the page of memory shared with the agent; without one, a private stand-in."""
    if descriptor < 0:
        return [0, 0]
    page = mmap.mmap(descriptor, PAGE_BYTES)
    os.close(descriptor)
    return memoryview(page).cast("Q")


def settle(folder: Path | None, groups: Sequence[Path]) -> None:
    """Take this process to its place, before anything of a plugin runs.

    From then on what it starts is in its control group, stays below it, and is the first to go when
    the computer runs out of memory; and its working folder is its own.

    Args:
        folder: for it alone; made if it is not there.
        groups: the folders of its control group.
    """
    for group in groups:
        join(group)
    become_reaper()
    with contextlib.suppress(OSError, ValueError):
        if int(_OOM_SCORE.read_text()) < limits.OOM_SCORE:
            _OOM_SCORE.write_text(str(limits.OOM_SCORE))
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        os.chdir(folder)


def become(user: TaskUser, folder: Path | None) -> None:
    """Become another user for good, without groups but its own; nothing of a plugin has run yet.

    What this process starts can gain no other rights either. The environment tells of that user;
    without a home of its own it has the executor's folder as one, and temporary files go there.

    Args:
        user: whom to become.
        folder: the executor's own, which becomes that user's.

    Raises:
        OSError: this process cannot.
    """
    if sys.platform == "win32":
        return
    if folder is not None:
        user.give(folder)
        folder.chmod(0o700)
    os.setgroups([])
    os.setgid(user.gid)
    os.setuid(user.uid)
    gain_nothing_more()
    for name in _OF_ANOTHER:
        os.environ.pop(name, None)
    home = user.home if os.access(user.home, os.W_OK | os.X_OK) else str(folder or Path.cwd())
    os.environ.update(HOME=home, USER=user.name, LOGNAME=user.name)
    if folder is not None:  # which is cleared in time, as no other is that this user can write to
        os.environ["TMPDIR"] = str(folder)
    elif not os.access(os.environ.get("TMPDIR", ""), os.W_OK | os.X_OK):
        os.environ.pop("TMPDIR", None)
