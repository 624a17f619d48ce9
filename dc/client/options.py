"""What a user may say of a job, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypedDict

import msgspec

from dc import limits
from dc.errors import OptionsError
from dc.messages import Options


class JobOptions(TypedDict, total=False):
    """Options of a job; what is left out, or None, is as the task type says.

    Attributes:
        name: of the job, for people.
        priority: higher runs first.
        retries: further tries of a task that raised, or ran out of time or memory.
        timeout: run time limit of each task, in seconds.
        requires: labels that a worker must have, with equal values.
        retry_on: the kinds of failure that are tried again: of `error`, `timeout`, `memory` and
            `crashed`.
        retry_seconds: the pause before the first further try; doubled with each one.
        crashes: lost workers and crashed executors after which a task fails.
        long: whether tasks run long: a worker whose connection is lost keeps them for ten minutes
            then, instead of half a minute.
        grace: for how many seconds instead.
        limits: of each task: `memory` and `disk` in bytes, `open_files`, `processes`, `nice`.
        environment: variables that are set for each task.
    """

    name: str | None
    priority: int | None
    retries: int | None
    timeout: float | None
    requires: Mapping[str, str] | None
    retry_on: Sequence[str] | None
    retry_seconds: float | None
    crashes: int | None
    long: bool | None
    grace: float | None
    limits: Mapping[str, int] | None
    environment: Mapping[str, str] | None


KINDS: Final = {field.name: field.type for field in msgspec.structs.fields(Options)}
"""What each option has to be."""


def check_options(said: JobOptions) -> dict[str, Any]:
    """Return the options that were said.

    Raises:
        OptionsError: one is out of its range or of a wrong type.
        TypeError: there is no such option.
    """
    found = {}
    for name, value in said.items():
        if name not in KINDS:
            raise TypeError(f"there is no option {name!r}; there are: {', '.join(KINDS)}")
        if value is not None:
            try:
                found[name] = msgspec.convert(value, KINDS[name])
            except msgspec.ValidationError as error:
                raise OptionsError(f"{name}: {error}") from None
    return found


def check_text(what: str, value: Any) -> str:
    """Return a short text that goes over the wire.

    Raises:
        OptionsError: it is none.
    """
    if isinstance(value, str) and len(value) <= limits.TEXT_CHARS:
        return value
    raise OptionsError(f"{what}: expected a text of at most {limits.TEXT_CHARS} characters")
