"""Limits of images that a computer boots from, and of what is written into them."""

from __future__ import annotations

from typing import Final

AREA_BYTES: Final = 4096
"""Of the configuration in an image: a join code has 300, so there is room for all else. It is of a
fixed size, so that it is written without building the image anew."""

SEARCHED_BYTES: Final = 256 * 2**20
"""Of an image or a stick, its beginning, in which the configuration is looked for: an image has 30
to 60 MB."""

PIECE_BYTES: Final = 2**20
"""Read at a time while it is looked for."""

VALUE_CHARS: Final = 1000
"""Of one word of a configuration: a join code with eight long names has so many."""

WORDS: Final = 64
"""In one configuration: as many labels as a worker may have are too many to type."""

LINE_BYTES: Final = 1900
"""Of the words on a kernel's command line: x86 takes 2,047 in all, and a script for iPXE begins it
with a hundred of its own. What is behind that the kernel leaves out without a word."""

SLOTS: Final = 10_000
"""That an image can be told to use: as many as any worker."""
