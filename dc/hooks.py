"""All hooks of dc, on one page.

A plugin implements a hook by a function of the same name, marked `@dc.hookimpl`. Task types need no
hook: each one at the top level of a plugin's module is found by itself.
"""

from __future__ import annotations

from typing import Final

import pluggy

from dc.tasktypes import TaskType

PROJECT: Final = "dc"
"""Pluggy's name of the project, and the entry-point group of plugins."""

hookspec: Final = pluggy.HookspecMarker(PROJECT)
hookimpl: Final = pluggy.HookimplMarker(PROJECT)


@hookspec
def dc_task_types() -> list[TaskType]:  # type: ignore[empty-body]
    """Return further task types: those made in a loop, or kept in other modules."""


@hookspec
def dc_worker_labels() -> dict[str, str]:  # type: ignore[empty-body]
    """Return labels of this computer, which jobs can require; called in each executor."""


@hookspec
def dc_worker_resources() -> dict[str, float]:  # type: ignore[empty-body]
    """Return amounts that this computer has, which tasks can use; called in each executor."""
