"""What a task type may say of its jobs by default."""

from __future__ import annotations

import functools
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import msgspec

from dc.errors import OptionsError, PluginError
from dc.messages_client import Options
from dc.requirements import check_needs, gathered


class Defaults(TypedDict, total=False):
    """Options of jobs where their submitters say nothing.

    Attributes:
        retries: further tries of a task that raised or ran out of time.
        timeout: seconds that one task may run.
        priority: higher runs first.
        requires: what must hold of a worker's labels.
        limits: of each task, by name; see `dc.JobOptions`.
        environment: variables that are set for each task.
        cpus: processors that each task uses.
        memory: bytes that each task uses, or a text such as `4GiB`.
        gpus: cards that each task uses.
        resources: amounts of anything else, by name.
        alternatives: several things any one of which will do, in order of liking.
    """

    retries: int | None
    timeout: float | None
    priority: int | None
    requires: Mapping[str, str] | None
    limits: Mapping[str, int] | None
    environment: Mapping[str, str] | None
    cpus: float | None
    memory: float | str | None
    gpus: float | None
    resources: Mapping[str, float | str] | None
    alternatives: Sequence[Mapping[str, Any]] | None


@functools.cache
def _by_name() -> type[msgspec.Struct]:
    """Return what options have to be: a struct with their types, none of which has to be there.

    It is made when a task type says anything, for that takes a while, and every executor imports
    this module at its start.
    """
    types = typing.get_type_hints(Options, include_extras=True)
    return msgspec.defstruct("_ByName", [(name, hint, None) for name, hint in types.items()])


def checked(where: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were said, by field name of `dc.messages_client.Options`.

    Args:
        where: the task type, as errors name it.
        options: as in Defaults.

    Raises:
        PluginError: one is out of its range or of a wrong type.
        TypeError: there is no such option.
    """
    if not options:
        return {}
    for name in options:
        if name not in Defaults.__annotations__:
            raise TypeError(f"task_type() takes no argument {name!r}")
    try:
        found = gathered(options)
        msgspec.convert(msgspec.to_builtins(found), _by_name())
        needs = found.get("requires", {}), found.get("resources", {})
        check_needs(*needs, found.get("alternatives", ()))
    except (msgspec.ValidationError, OptionsError) as error:
        raise PluginError(f"{where}: its options: {error}") from None
    return found
