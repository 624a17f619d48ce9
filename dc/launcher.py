"""Starts the executors of a worker, each behind a fence as good as the system has.

A worker's agent is a reaper: what its executors have started, and what has outlived them, becomes a
child of the agent, and is killed and reaped. A program that runs executors as a library does starts
them by `Executor.start` and is left alone.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from dc import limits_executor as limits
from dc.adopting import Adopting
from dc.cgroups import Cgroup, Cgroups
from dc.executor import Executor, Start
from dc.prepared import Prepared
from dc.process_tree import Process, all_processes, become_reaper, kill_below
from dc.task_user import TaskUser

log: Final = logging.getLogger("dc.worker")


class Recycling(Struct, frozen=True):
    """When an executor is replaced though nothing is wrong: after so many tasks or seconds, or with
    so many bytes more of resident memory than at its start; 0 for never."""

    tasks: int = limits.RECYCLE_TASKS
    seconds: float = limits.RECYCLE_SECONDS
    memory: int = limits.RECYCLE_BYTES

    def arguments(self) -> list[str]:
        """Return it as arguments of an executor."""
        return [
            f"--recycle-tasks={self.tasks}",
            f"--recycle-seconds={self.seconds}",
            f"--recycle-memory={self.memory}",
        ]


class Launcher:
    """Starts the executors of one agent.

    Args:
        plugins: folders of plugins.
        scratch: the folder below which each executor gets a working folder; None for the agent's.
        recycling: when executors are replaced.
        cgroups: where control groups may be made, if anywhere.
        arguments: further ones of executors.
        is_reaper: whether this process is one, and has no other children in groups of their own.
        user: whom executors become, if not this process's own.
        adopting: takes files that are that user's.
        prepared: a process that waits to be the first one.
    """

    def __init__(
        self,
        plugins: Sequence[Path],
        *,
        scratch: Path | None = None,
        recycling: Recycling | None = None,
        cgroups: Cgroups | None = None,
        arguments: Sequence[str] = (),
        is_reaper: bool = False,
        user: TaskUser | None = None,
        adopting: Adopting | None = None,
        prepared: Prepared | None = None,
    ) -> None:
        self._plugins = plugins
        self._scratch = scratch
        self._recycling = recycling or Recycling()
        self._cgroups = cgroups
        self._arguments = arguments
        self._is_reaper = is_reaper
        self._user, self._adopting, self._prepared = user, adopting, prepared
        self._executors: list[Executor] = []
        self._starting = 0
        self._started = 0

    @classmethod
    @contextlib.contextmanager
    def of_a_worker(
        cls,
        plugins: Sequence[Path],
        scratch: Path,
        recycling: Recycling,
        *,
        use_cgroups: bool,
        arguments: Sequence[str] = (),
        user: TaskUser | None = None,
        adopting: Adopting | None = None,
        prepared: Prepared | None = None,
    ) -> Iterator[Launcher]:
        """Provide the launcher of a worker's agent, whose whole process is the worker."""
        cgroups = Cgroups.find() if use_cgroups else None
        is_reaper = become_reaper()
        found = "no control groups" if cgroups is None else f"control groups for {cgroups.text}"
        orphans = "orphans are found" if is_reaper else "orphans are not found"
        log.info("how executors are contained: %s; %s", found, orphans)
        try:
            yield cls(
                plugins,
                scratch=scratch,
                recycling=recycling,
                cgroups=cgroups,
                arguments=arguments,
                is_reaper=is_reaper,
                user=user,
                adopting=adopting,
                prepared=prepared,
            )
        finally:
            if cgroups is not None:
                cgroups.close()

    async def start(self) -> Executor:
        """Start an executor. Its first message is Ready.

        Raises:
            StartError: the operating system can start no process.
        """
        cgroup = self._cgroup()
        self._started += 1
        self._starting += 1
        try:
            executor = await Executor.start(
                self._plugins,
                start=Start(
                    arguments=[*self._recycling.arguments(), *self._arguments],
                    cgroup=cgroup,
                    folder=self._folder(),
                    after=self.sweep,
                    user=self._user,
                    adopting=self._adopting,
                    prepared=self._prepared,
                ),
            )
            self._executors = [one for one in self._executors if not one.is_gone]
            self._executors.append(executor)
        except BaseException:
            if cgroup is not None:  # nothing has gone into it
                cgroup.remove()
            raise
        finally:
            self._starting -= 1
        return executor

    def _cgroup(self) -> Cgroup | None:
        if self._cgroups is None:
            return None
        try:
            cgroup = self._cgroups.make()
        except OSError as error:
            log.warning("no control group for an executor: %s", error)
            return None
        if self._user is not None:
            cgroup.give_limits(self._user.give)
        return cgroup

    def _folder(self) -> Path | None:
        return None if self._scratch is None else self._scratch / f"work-{self._started}"

    def sweep(self) -> None:
        """Kill and reap what tasks have left behind and no executor answers for any more."""
        if sys.platform == "win32" or not self._is_reaper:
            return
        for one in self._strays():
            if one.is_alive:
                log.warning("killing process %d, which a task has left behind", one.pid)
                kill_below(one.pid, itself=True)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(one.pid, os.WNOHANG)

    def _strays(self) -> list[Process]:
        """Return the children of this process that are no executors.

        Those that it has started itself are in its own group, which no process can join from
        another session. While an executor is being started, its number is not known yet.
        """
        if sys.platform == "win32":
            return []
        started = self._started
        if self._starting:
            return []
        own, group = os.getpid(), os.getpgrp()
        children = [one for one in all_processes() if one.parent == own and one.group != group]
        if self._starting or self._started != started:
            return []
        known = {executor.pid for executor in self._executors if not executor.is_gone}
        known |= {self._prepared.pid} if self._prepared is not None else set()
        return [one for one in children if one.pid not in known]
