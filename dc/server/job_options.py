"""The options of a new job: what was said, and the type's own for the rest."""

from __future__ import annotations

import msgspec

from dc.errors import OptionsError
from dc.messages_client import Options
from dc.requirements import check_needs
from dc.server.type_port import TypeInfo

DEFAULTS = Options()


def job_options(info: TypeInfo, said: dict[str, object]) -> Options:
    """Return a job's options: what was said, and the type's own for the rest.

    Raises:
        OptionsError: there is no such option, or its value does not fit.
    """
    unknown = sorted(set(said) - set(Options.__struct_fields__))
    if unknown:
        known = ", ".join(Options.__struct_fields__)
        raise OptionsError(f"unknown option {unknown[0]}; there are: {known}")
    fields = {**info.options, **said}
    if isinstance(own := info.options.get("resources"), dict):
        # Amount by amount: who says how much memory says nothing of the cards that it takes.
        fields["resources"] = {**own, **_dict(said.get("resources", {}))}
    try:
        values = [fields.get(name, default) for name, default in _defaults().items()]
        options = msgspec.convert(["options", *values], Options)
    except msgspec.ValidationError as error:
        raise OptionsError(f"options do not fit: {error}") from None
    check_needs(options.requires, options.resources, options.alternatives)
    return options


def _dict(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise OptionsError(f"options do not fit: expected a dict of resources, not {value!r}")
    return value


def check_after(number: int, options: Options) -> None:
    """Check the jobs that a new one comes after: they have lower numbers, so there is no circle.

    Args:
        number: the new job's.
        options: its options.

    Raises:
        OptionsError: they cannot be waited for.
    """
    for former in options.after:
        if not 0 < former < number:
            raise OptionsError(f"after: there is no job {former}")
    if len(set(options.after)) < len(options.after):
        raise OptionsError("after: a job is named twice")
    if options.each and len(options.after) != 1:
        raise OptionsError("each: `after` must name one job, whose tasks are waited for")
    if 0 < options.deadline <= options.not_before:
        raise OptionsError("deadline: it comes before not_before")
    if options.each and options.after_what == "any":
        raise OptionsError("each: `after_what` must be done or finished")


def _defaults() -> dict[str, object]:
    return {field: getattr(DEFAULTS, field) for field in Options.__struct_fields__}
