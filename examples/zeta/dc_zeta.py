"""Zeros of Riemann's zeta function: a plugin with a dependency of its own, mpmath."""

from collections.abc import Iterable, Iterator

import mpmath
from msgspec import Struct

import dc

MOST_DIGITS = 1000
MOST_ZEROS = 1_000_000_000


class Wanted(Struct, frozen=True):
    """Which zero of those above the real axis, counted from 1, and how many digits of it."""

    number: int
    digits: int = 30


@dc.task_type(retries=1)
def zeta_zero(wanted: Wanted) -> str:
    """Return the imaginary part of a zero; that its real part is 1/2 is for others to prove."""
    if not (0 < wanted.number <= MOST_ZEROS and 0 < wanted.digits <= MOST_DIGITS):
        raise dc.PayloadError(f"zeros are counted from 1, digits up to {MOST_DIGITS}: {wanted}")
    with mpmath.workdps(wanted.digits + 10):
        return str(mpmath.nstr(mpmath.zetazero(wanted.number).imag, wanted.digits))


@zeta_zero.split
def wanted_of(*places: str) -> Iterator[Wanted]:
    """Yield what is wanted for each `FIRST-LAST` or `NUMBER`; `@DIGITS` may stand behind it."""
    for place in places:
        numbers, _, digits = place.partition("@")
        first, _, last = numbers.partition("-")
        for number in range(int(first), int(last or first) + 1):
            yield Wanted(number, int(digits)) if digits else Wanted(number)


@zeta_zero.merge
def lines_of(zeros: Iterable[str]) -> str:
    """Put each zero on a line of its own."""
    return "".join(f"{zero}\n" for zero in zeros)
