"""Where an executor's process finds itself: its pipe, its page, its folder, its control group."""

from __future__ import annotations

import contextlib
import io
import mmap
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn, TypeAlias

from dc import limits
from dc.cgroups import join
from dc.pipe_frames import PAGE_BYTES
from dc.process_tree import become_reaper, kill_below

Page: TypeAlias = "list[int] | memoryview[int]"

_OOM_SCORE: Final = Path("/proc/self/oom_score_adj")


def end_group() -> NoReturn:
    """End this process, and what its tasks have started, if it leads a group of its own."""
    if sys.platform != "win32" and os.getpgrp() == os.getpid():
        kill_below(os.getpid())
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def private_pipe() -> tuple[int, int]:
    """Move the pipe off descriptors 0 and 1; return where it is.

    From then on reading gives nothing, and printing goes to standard error, line by line.
    """
    incoming, outgoing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    return incoming, outgoing


def shared_page(descriptor: int) -> Page:
    """Return the page of memory shared with the agent; without one, a private stand-in."""
    if descriptor < 0:
        return [0]
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
