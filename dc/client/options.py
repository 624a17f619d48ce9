"""What a user may say of a job, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, TypedDict

import msgspec

from dc import limits
from dc.errors import OptionsError
from dc.messages import Options


class Numbered(Protocol):
    """A job."""

    @property
    def number(self) -> int:
        """By which the server knows it."""


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
        weight: its share among the jobs of its submitter, 1 if nothing is said.
        submitter: whose job it is, in place of the client's.
        after: the jobs that it comes after: jobs, or their numbers.
        after_what: what it waits for: all of them `done` (if one fails, it is cancelled), all
            `finished` in whatever way, or `any` finished.
        each: whether each task waits for the task of the same number of the one job in `after`.
        not_before: the Unix time before which nothing of it is handed out.
        deadline: the Unix time at which tasks fail that have not finished by then.
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
    weight: float | None
    submitter: str | None
    after: Sequence[int | Numbered] | Numbered | int | None
    after_what: str | None
    each: bool | None
    not_before: float | None
    deadline: float | None


KINDS: Final = {field.name: field.type for field in msgspec.structs.fields(Options)}
"""What each option has to be."""


def check_options(said: JobOptions, submitter: str = "") -> dict[str, Any]:
    """Return the options that were said, and the submitter, if it is not among them.

    Raises:
        OptionsError: one is out of its range or of a wrong type.
        TypeError: there is no such option.
    """
    found: dict[str, Any] = {"submitter": submitter} if submitter else {}
    for name, value in said.items():
        if name not in KINDS:
            raise TypeError(f"there is no option {name!r}; there are: {', '.join(KINDS)}")
        if value is not None:
            plain = _numbers(value) if name == "after" else value
            try:
                found[name] = msgspec.convert(plain, KINDS[name])
            except msgspec.ValidationError as error:
                raise OptionsError(f"{name}: {error}") from None
    return found


def _numbers(after: Any) -> Any:
    """Return the numbers of one or several jobs, where they are jobs."""
    several = after if isinstance(after, Sequence) else [after]
    return [getattr(one, "number", one) for one in several]


def check_text(what: str, value: Any) -> str:
    """Return a short text that goes over the wire.

    Raises:
        OptionsError: it is none.
    """
    if isinstance(value, str) and len(value) <= limits.TEXT_CHARS:
        return value
    raise OptionsError(f"{what}: expected a text of at most {limits.TEXT_CHARS} characters")
