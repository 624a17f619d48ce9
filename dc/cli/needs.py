"""From what was typed to what a job needs: `--require`, `--cpus`, `--or` and the like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dc.errors import OptionsError
from dc.requirements import joined, read_amount, read_requirement

OR: Final = "or"
AND: Final = "and"


def needs_said(said: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return options of a job: `requires`, `resources` and `alternatives`, where they were said.

    Args:
        said: options and their texts in order. Between `--or` are alternatives; what stands before
            `--and` holds for all of them.

    Raises:
        OptionsError: something cannot be read; the text says what to write.
    """
    marks = [option for option, _ in said if option in (OR, AND)]
    if marks.count(AND) > 1 or AND in marks[1:] or marks == [AND]:
        raise OptionsError("--and stands once, before alternatives that --or divides")
    parts: list[dict[str, Any]] = [{}]
    for option, text in said:
        if option in (OR, AND):
            parts.append({})
        else:
            _add(parts[-1], option, text)
    common = parts.pop(0) if AND in marks or len(parts) == 1 else {}
    if not all(parts):
        raise OptionsError("--or stands between two alternatives: say something on both sides")
    return {**common, "alternatives": parts} if parts else common


def _add(part: dict[str, Any], option: str, text: str) -> None:
    if option == "require":
        label, condition = read_requirement(text)
        requires = part.setdefault("requires", {})
        requires[label] = joined(requires[label], condition) if label in requires else condition
        return
    name, _, amount = text.partition("=") if option == "resource" else (option, "=", text)
    part.setdefault("resources", {})[name] = read_amount(name, amount)
