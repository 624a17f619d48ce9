"""What a user may say of a job, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, TypedDict, get_args

import msgspec

from dc import limits
from dc.client.tracing import traceparent
from dc.errors import OptionsError
from dc.messages_client import Options
from dc.messages_parts import LimitName
from dc.requirements import check_needs, gathered


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
        requires: what must hold of a worker's labels, by label: its value, or a condition such as
            `>=3.11`, `!=lab|attic`, `>=3.11,<3.14`.
        retry_on: the kinds of failure that are tried again: of `error`, `timeout`, `memory` and
            `crashed`.
        retry_seconds: the pause before the first further try; doubled with each one.
        crashes: lost workers and crashed executors after which a task fails.
        long: whether tasks run long: a worker whose connection is lost keeps them for ten minutes
            then, instead of half a minute.
        grace: for how many seconds instead.
        cpus: processors that each task uses, 1 if nothing is said; parts of one, too.
        memory: that each uses: bytes, or a text such as `4GiB`.
        gpus: that each uses; parts of one, too.
        resources: amounts of anything that workers have, by name.
        alternatives: several things any one of which will do, in order of liking: dicts of
            `requires`, `resources`, `cpus`, `memory` and `gpus`.
        limits: of each task: `memory` and `disk` in bytes, `open_files`, `processes`, `nice`.
        environment: variables that are set for each task.
        weight: its share among the jobs of its submitter, 1 if nothing is said.
        submitter: whose job it is, in place of the client's.
        after: the jobs that it comes after: jobs, or their numbers.
        after_what: what it waits for: all of them `done` (if one fails, it is cancelled), all
            `finished` in whatever way, or `any` finished.
        each: whether each task waits for the task of the same number of the one job in `after`.
        not_before: the Unix time before which nothing of it is handed out.
        deadline: the Unix time at which tasks fail that have not finished by then.
        inputs: what all tasks may read, by name: each a BlobRef, or anything that `put` takes.
        keep_output: whether all that tasks write is kept, and not only beginnings and ends.
        traceparent: the W3C trace context in which the tasks run; if nothing is said, that of the
            current span of OpenTelemetry or of the environment variable TRACEPARENT, if any.
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
    cpus: float | None
    memory: float | str | None
    gpus: float | None
    resources: Mapping[str, float | str] | None
    alternatives: Sequence[Mapping[str, Any]] | None
    limits: Mapping[str, int] | None
    environment: Mapping[str, str] | None
    weight: float | None
    submitter: str | None
    after: Sequence[int | Numbered] | Numbered | int | None
    after_what: str | None
    each: bool | None
    not_before: float | None
    deadline: float | None
    inputs: Mapping[str, Any] | None
    keep_output: bool | None
    traceparent: str | None


KINDS: Final = {field.name: field.type for field in msgspec.structs.fields(Options)}
"""What each option has to be."""
RULES: Final = {
    "limits": f"; there are {', '.join(get_args(LimitName))}, each a whole number from 1",
    "environment": "; names are letters, digits and underscores, and no digit comes first",
    "traceparent": ": it looks like 00-TRACE-SPAN-01, of 32, 16 and 2 hexadecimal digits",
    "retry_on": "; there are error, timeout, memory, crashed",
}
"""What is allowed, where the error of a wrong value would not say it."""


def check_options(said: JobOptions, submitter: str = "") -> dict[str, Any]:
    """Return the options that were said; submitter and trace as well, if they are not among them.

    Inputs are left out: they have to be put first, see `check_inputs`.

    Raises:
        OptionsError: one is out of its range or of a wrong type.
        TypeError: there is no such option.
    """
    for name in said:
        if name not in JobOptions.__annotations__:
            known = ", ".join(JobOptions.__annotations__)
            raise TypeError(f"there is no option {name!r}; there are: {known}")
    found = gathered(said)
    found.pop("inputs", None)
    if "after" in found:
        found["after"] = _numbers(found["after"])
    for name, value in found.items():
        try:
            found[name] = msgspec.convert(value, KINDS[name])
        except msgspec.ValidationError as error:
            # Where in the value it is says nothing to people who have said one thing.
            what = str(error).partition(" - at ")[0]
            raise OptionsError(f"{name}: {what}{RULES.get(name, '')}") from None
    needs = found.get("requires", {}), found.get("resources", {}), found.get("alternatives", [])
    check_needs(*needs)
    own = {"submitter": submitter, "traceparent": "" if "traceparent" in found else traceparent()}
    return {**{name: value for name, value in own.items() if value}, **found}


def check_inputs(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a user gave as inputs, by name.

    Raises:
        OptionsError: there are too many, or something is no name.
    """
    if not isinstance(inputs, Mapping) or len(inputs) > limits.INPUTS:
        raise OptionsError(f"inputs: expected a dict of at most {limits.INPUTS} inputs by name")
    for name in inputs:
        check_text("the name of an input", name)
    return inputs


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
