"""What a task needs of a worker: conditions on its labels, and amounts of what it has.

A *condition* is what a job says of one label. A text that begins with no operator is the label's
whole value. Otherwise it is one term, or several joined by commas, all of which must hold:

    linux               the label is `linux`
    =linux|darwin       it is one of these            !=3.12|3.13     it is none of these
    >=3.11,<3.14        it is in this range           =<5             it is the text `<5`

Operators are `=`, `!=`, `>=`, `>`, `<=` and `<`. The last four compare part by part at the dots,
numbers by their value: 3.9 < 3.11 < 4. In an operand a backslash takes the meaning from `,`, `|`
and itself. A worker without the label meets `!=` and nothing else.

An *amount* is how much of a resource a task uses while it runs: `cpus`, `memory` in bytes, `gpus`,
or any name that workers were given. Amounts are counted in whole units: bytes of memory, and ten
thousandths of everything else. What says nothing of cpus needs one.

A job may name *alternatives* in order of liking; what it requires beside them holds for each.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

from dc import limits
from dc.errors import OptionsError
from dc.messages_client import Alternative, Options

CPUS: Final = "cpus"
MEMORY: Final = "memory"
GPUS: Final = "gpus"

UNITS: Final = 10_000
"""In one of everything but memory, which is counted in bytes."""

OPERATORS: Final = ("!=", ">=", "<=", "=", ">", "<")
"""The longer ones first, as a term is read."""

ORDERED: Final = (">=", "<=", ">", "<")
NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
EXAMPLES: Final = "linux, =linux|darwin, !=3.12, >=3.11 or >=3.11,<3.14"

BYTES: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)(b?)", re.IGNORECASE)
POWERS: Final = " kmgt"

Order: TypeAlias = tuple[tuple[int, int, str], ...]

# --- conditions ---------------------------------------------------------------------------------


class Term(Struct, frozen=True):
    """One comparison of a label's value: with several operands of `=` and `!=`, else with one."""

    operator: str
    operands: tuple[str, ...]

    def holds(self, value: str | None) -> bool:
        """Whether a label of this value, None where there is none, meets the term."""
        if value is None:
            return self.operator == "!="
        if self.operator in ("=", "!="):
            return (value in self.operands) == (self.operator == "=")
        mine, bound = order_of(value), order_of(self.operands[0])
        if mine is None or bound is None:
            return False
        if mine == bound:
            return self.operator.endswith("=")
        return (mine > bound) == self.operator.startswith(">")


def parse_condition(text: str) -> tuple[Term, ...]:
    """Return the terms of a condition.

    Raises:
        OptionsError: it begins with an operator and is no condition; the text says why.
    """
    if not text.startswith(OPERATORS):
        return (Term("=", (text,)),)
    return tuple(_term(part.strip(), text) for part in _split(text, ","))


def terms_of(text: str) -> tuple[Term, ...]:
    """Return the terms of a condition; a text that is none is the label's whole value."""
    try:
        return parse_condition(text)
    except OptionsError:
        return (Term("=", (text,)),)


def _term(part: str, text: str) -> Term:
    operator = next((one for one in OPERATORS if part.startswith(one)), "")
    if not operator:
        raise OptionsError(f"{text!r}: {part!r} begins with no operator; write {EXAMPLES}")
    operands = tuple(_plain(one.strip()) for one in _split(part.removeprefix(operator), "|"))
    if operator in ORDERED and (len(operands) > 1 or order_of(operands[0]) is None):
        raise OptionsError(
            f"{text!r}: {operator} compares with one number or version, as {operator}3.11"
        )
    return Term(operator, operands)


def _split(text: str, mark: str) -> list[str]:
    """Split at a mark that has no backslash before it; backslashes stay."""
    parts = [""]
    for token in re.findall(r"\\.|.", text, re.DOTALL):
        if token == mark:
            parts.append("")
        else:
            parts[-1] += token
    return parts


def _plain(operand: str) -> str:
    return re.sub(r"\\(.)", r"\1", operand)


def escaped(value: str) -> str:
    """Return a value as an operand."""
    return re.sub(r"([\\,|])", r"\\\1", value)


def holds(terms: Iterable[Term], value: str | None) -> bool:
    """Whether a label of this value, None where there is none, meets all terms."""
    return all(term.holds(value) for term in terms)


def joined(first: str, second: str) -> str:
    """Return the condition that holds where both hold."""
    return ",".join(
        one if one.startswith(OPERATORS) else f"={escaped(one)}" for one in (first, second)
    )


def order_of(text: str) -> Order | None:
    """Return a key that orders numbers and versions: -1 < 3.9 < 3.11rc1 < 3.11 = 3.11.0 < 3.11.1.

    None for a text that begins with no digit.
    """
    text = text.removeprefix("v")
    if not re.match(r"-?[0-9]", text):
        return None
    parts = re.findall(r"^-[0-9]+|[0-9]+|[^0-9.]+", text)
    while len(parts) > 1 and not parts[-1].strip("0"):
        parts.pop()
    number = re.compile(r"-?[0-9]+")
    keys = [(2, int(part), "") if number.fullmatch(part) else (0, 0, part) for part in parts]
    return (*keys, (1, 0, ""))


def read_requirement(text: str) -> tuple[str, str]:
    """Return label and condition of what was typed, as `os=linux` or `python>=3.11`.

    Raises:
        OptionsError: there is no label, no operator, or no condition behind it.
    """
    found = re.match(r"[^=!<>]+", text)
    label = found.group().strip() if found else ""
    condition = text[found.end() :] if found else ""
    if not label or not condition.startswith(OPERATORS):
        raise OptionsError(f"{text!r} is no requirement: write LABEL=VALUE or LABEL>=VALUE")
    parse_condition(condition)
    plain = condition.removeprefix("=")
    if condition.startswith("=") and not re.search(r"[\\,|]", plain):
        condition = plain if not plain.startswith(OPERATORS) else condition
    return label, condition


# --- amounts ------------------------------------------------------------------------------------


def units(name: str, amount: float) -> int:
    """Return an amount in whole units; what is out of range becomes the nearest in it."""
    if not amount > 0:  # NaN included
        return 0
    bounded = min(amount, limits.AMOUNT_MOST)
    return round(bounded) if name == MEMORY else round(min(bounded, limits.COUNT_MOST) * UNITS)


def amount(name: str, count: int) -> float:
    """Return so many whole units as an amount."""
    return float(count) if name == MEMORY else count / UNITS


def read_amount(name: str, value: object) -> float:
    """Return an amount that was said as a number, or as a text such as `0.5` or `4GiB`.

    Raises:
        OptionsError: it is no amount of this resource.
    """
    if isinstance(value, str):
        return _read_bytes(value) if name == MEMORY else _read_number(name, value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise OptionsError(f"{name}: expected a number, not {value!r}")
    check_amount(name, float(value))
    return float(value)


def _read_number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        example = "" if text else f"; say how much, as {name}=1"
        raise OptionsError(f"{name}: {text!r} is no number{example}") from None
    check_amount(name, value)
    return value


def _read_bytes(text: str) -> float:
    found = BYTES.fullmatch(text.strip())
    if found is None:
        raise OptionsError(f"memory: {text!r} is no size; write bytes, or 4GiB, 512MiB, 4GB")
    number, prefix, binary, suffix = found.groups()
    base = 1000 if suffix and not binary else 1024
    value = float(number) * base ** max(0, POWERS.find(prefix.lower() or " "))
    check_amount(MEMORY, value)
    return float(round(value))


def check_amount(name: str, value: float) -> None:
    """Check an amount of a resource.

    Raises:
        OptionsError: the name or the amount is none.
    """
    if not NAME.fullmatch(name) or len(name) > limits.TEXT_CHARS:
        raise OptionsError(
            f"{name[: limits.TEXT_CHARS]!r} is no name of a resource: "
            "it has letters, digits, _ . and -, and begins with a letter"
        )
    most = limits.AMOUNT_MOST if name == MEMORY else limits.COUNT_MOST
    if not (math.isfinite(value) and 0 <= value <= most):
        raise OptionsError(f"{name}: {value:g} is not between 0 and {most:,}")
    if value and not units(name, value):
        least = "1 byte" if name == MEMORY else f"1/{UNITS:,}"
        raise OptionsError(f"{name}: {value:g} is too little; the least is {least}")


def gathered(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with `cpus`, `memory` and `gpus` put where they belong, into `resources`.

    Amounts may be texts, as `4GiB`; the same holds in each of the `alternatives`.

    Args:
        said: options by name; what is None was not said.

    Raises:
        OptionsError: an amount is none, or an alternative has a field that none has.
    """
    left = {name: value for name, value in said.items() if value is not None}
    named: tuple[str, ...] = (CPUS, MEMORY, GPUS)
    amounts = {name: left.pop(name) for name in named if name in left}
    if "resources" in left or amounts:
        every: dict[str, Any] = {}
        every.update(_dict("resources", left.get("resources", {})), **amounts)
        left["resources"] = {name: read_amount(str(name), value) for name, value in every.items()}
    if "alternatives" in left:
        several = left["alternatives"]
        if isinstance(several, str) or not isinstance(several, Sequence):
            raise OptionsError(f"alternatives: expected a list of dicts, not {several!r}")
        left["alternatives"] = [_alternative(one) for one in several]
    return left


def _alternative(said: Any) -> Alternative:
    if isinstance(said, Alternative):
        return said
    try:
        return msgspec.convert(gathered(_dict("alternatives", said)), Alternative)
    except msgspec.ValidationError as error:
        raise OptionsError(f"alternatives: {error}") from None


def _dict(what: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise OptionsError(f"{what}: expected a dict, not {value!r}")
    return dict(value)


# --- what a job needs ---------------------------------------------------------------------------


class Need(Struct, frozen=True):
    """What one alternative of a job asks of a worker.

    `conditions` are (label, condition) in order of the labels, `amounts` (resource, whole units)
    in order of the resources, with the cpus in any case.
    """

    conditions: tuple[tuple[str, str], ...]
    amounts: tuple[tuple[str, int], ...]

    @property
    def resources(self) -> dict[str, float]:
        """The amounts by name; empty for one cpu and nothing else."""
        if self.amounts == ((CPUS, UNITS),):
            return {}
        return {name: amount(name, count) for name, count in self.amounts}


def needs_of(options: Options) -> tuple[Need, ...]:
    """Return what each alternative of a job needs, in order of liking: at least one."""
    several = options.alternatives or [Alternative()]
    return tuple(_need(options, one) for one in several)


def _need(options: Options, one: Alternative) -> Need:
    conditions = {*options.requires.items(), *one.requires.items()}
    amounts: dict[str, int] = {}
    if CPUS not in {*options.resources, *one.resources}:
        amounts[CPUS] = UNITS
    for resources in (options.resources, one.resources):
        for name, value in resources.items():
            amounts[name] = max(units(name, value), amounts.get(name, 0))
    # None of a resource is no requirement; without cpus it is one that must not become a whole one.
    kept = {name: count for name, count in amounts.items() if count or name == CPUS}
    return Need(tuple(sorted(conditions)), tuple(sorted(kept.items())))


def check_needs(
    requires: Mapping[str, str], resources: Mapping[str, float], alternatives: Iterable[Alternative]
) -> None:
    """Check what a job requires.

    Raises:
        OptionsError: a label has no name, a condition cannot be read, or an amount is none.
    """
    for one in (Alternative(dict(requires), dict(resources)), *alternatives):
        for label, condition in one.requires.items():
            if not label:
                raise OptionsError(f"requires: {condition!r} is asked of a label without a name")
            try:
                parse_condition(condition)
            except OptionsError as error:
                raise OptionsError(f"requires {label}: {error}") from None
        for name, value in one.resources.items():
            check_amount(name, value)


# --- words --------------------------------------------------------------------------------------


def condition_text(label: str, condition: str) -> str:
    """Return a condition as it is typed: `os=linux`, `python>=3.11`."""
    return label + (condition if condition.startswith(OPERATORS) else f"={condition}")


def amount_text(name: str, count: int) -> str:
    """Return so many units in words: `2 gpus`, `0.5 cpus`, `4 GiB of memory`, `licence 1`."""
    if name == MEMORY:
        return f"{bytes_text(count)} of memory"
    if name in (CPUS, GPUS):
        return f"{count / UNITS:g} {name if count != UNITS else name[:-1]}"
    return f"{name} {count / UNITS:g}"


def bytes_text(count: int) -> str:
    """Return bytes in words, with the largest binary unit of which there is one."""
    for power, prefix in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if count >= 1024**power:
            return f"{count / 1024**power:.4g} {prefix}"
    return f"{count} bytes"


def resources_text(resources: Mapping[str, float]) -> str:
    """Return amounts in words, joined by commas."""
    return ", ".join(amount_text(name, units(name, value)) for name, value in resources.items())


def need_text(need: Need) -> str:
    """Return in words what an alternative needs beside one cpu: `os=linux, 2 gpus`; or nothing."""
    conditions = [condition_text(*one) for one in need.conditions]
    return ", ".join(
        [*conditions, *(amount_text(*one) for one in need.amounts if one != (CPUS, UNITS))]
    )
