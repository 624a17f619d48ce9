"""Where plugins come from: installed packages, here. What is found is not yet imported.

Those in folders are found by dc/plugin_folders.py.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from dc.hooks import PROJECT


class Source(Struct, frozen=True):
    """One plugin before its import.

    Attributes:
        name: the plugin's name.
        place: the file, folder or package it is in, for errors.
        load: imports it and returns its module (or the object that its entry point names).
    """

    name: str
    place: str
    load: Callable[[], Any]


def installed() -> Iterator[Source]:
    """Yield the plugins of installed packages: those that have an entry point for them."""
    for point in sorted(importlib.metadata.entry_points(group=PROJECT)):
        place = f"package {point.dist.name}" if point.dist else point.value
        yield Source(point.name, place, point.load)
