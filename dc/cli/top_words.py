"""Figures and states as `python -m dc top` writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.text import Text

BLOCKS: Final = "▁▂▃▄▅▆▇█"
HIGH: Final = 0.9
"""Of 1: beyond that the use of something is shown in red."""

GOOD: Final = ("running", "done", "connected")
WAITS: Final = ("paused", "draining", "resting", "waiting", "trial", "open", "away")
BAD: Final = ("failed", "sick", "cancelled")


def big(count: int) -> str:
    """Return a number of tasks in seven characters at most: 99,999, 1.23M."""
    if count < 100_000:
        return f"{count:,}"
    for unit, size in (("k", 10**3), ("M", 10**6), ("G", 10**9)):
        if count < 999.5 * size or unit == "G":
            return f"{count / size:.3g}{unit}"
    return str(count)


def per_second(rate: float) -> str:
    """Return a rate in nine characters at most: 0.25/s, 12.3/s, 48,200/s."""
    return f"{rate:,.0f}/s" if rate >= 100 else f"{rate:.3g}/s"


def share(part: float | None) -> str:
    """Return a part of 1 as percent; nothing if it is not known."""
    return "" if part is None else f"{100 * part:.0f}%"


def load(part: float) -> Text:
    """Return how much of something is used."""
    return Text(share(part), style="red" if part >= HIGH else "")


def span(seconds: float) -> str:
    """Return a time that need not be exact: 12 s, 3 min, 2 h 5 min, 3 d 4 h."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if hours < 1:
        return f"{minutes} min"
    if days < 1:
        return f"{hours} h {minutes % 60} min"
    return f"{days} d {hours % 24} h"


def sparkline(values: Sequence[float], cells: int) -> str:
    """Return the last values as blocks, the highest of them a whole one."""
    shown = list(values)[-cells:] if cells > 0 else []
    most = max(shown, default=0.0)
    if most <= 0:
        return BLOCKS[0] * len(shown)
    return "".join(BLOCKS[min(7, int(8 * max(0.0, value) / most))] for value in shown)


def colour(state: str) -> str:
    """Return the style in which a state is written."""
    if state in GOOD:
        return "green"
    if state in BAD:
        return "red"
    return "yellow" if state in WAITS else ""
