"""A QR code on a terminal, from its rows of `0` and `1`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Final

QUIET: Final = 4
"""Light modules around it, as its standard wants."""

ON: Final = "\x1b[30;107m"  # black on bright white, whatever the terminal's colours are
OFF: Final = "\x1b[0m"

BLOCKS: Final = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}


def qr_text(rows: Sequence[str], *, colours: bool) -> str:
    """Return lines that show a QR code, two of its rows in each.

    Args:
        rows: of it, as long as there are.
        colours: whether the terminal's colours are set; if not, what is light is drawn, as on most
            terminals that is the text's colour.
    """
    if not rows:
        return ""
    width = len(rows[0]) + 2 * QUIET
    dark = [[False] * width] * QUIET
    dark += [[False] * QUIET + [one == "1" for one in row] + [False] * QUIET for row in rows]
    dark += [[False] * width] * QUIET
    if not colours:
        dark = [[not one for one in row] for row in dark]
    lines = []
    for upper, lower in zip_longest(dark[::2], dark[1::2], fillvalue=[not colours] * width):
        line = "".join(BLOCKS[pair] for pair in zip(upper, lower, strict=True))
        lines.append(f"{ON}{line}{OFF}\n" if colours else f"{line}\n")
    return "".join(lines)
