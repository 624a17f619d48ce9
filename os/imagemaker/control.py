"""Reads what apt tells of packages: stanzas of `Field: value` lines, a blank line between them."""

from __future__ import annotations

import re

from imagemaker.errors import ImageError


def stanzas(text: str) -> list[dict[str, str]]:
    """Return the fields of each stanza; lines that go on with a field are joined by newlines.

    Args:
        text: as `apt-cache show` prints it.

    Raises:
        ImageError: a line is neither a field nor goes on with one.
    """
    found: list[dict[str, str]] = []
    fields: dict[str, str] = {}
    last = ""
    for line in [*text.split("\n"), ""]:
        if not line.strip():
            if fields:
                found.append(fields)
            fields, last = {}, ""
        elif line[0] in " \t":
            if not last:
                raise ImageError(f"apt said what is no field of a package: {line!r}")
            fields[last] += "\n" + line.strip()
        else:
            name, colon, value = line.partition(":")
            if not colon:
                raise ImageError(f"apt said what is no field of a package: {line!r}")
            last = name
            fields[last] = value.strip()
    return found


def depended_on(field: str) -> list[str]:
    """Return the first alternative of each dependency, without versions and architectures."""
    names = []
    for part in field.split(","):
        found = re.match(r"\s*([a-z0-9][a-z0-9+.-]*)", part)
        if found:
            names.append(found[1])
    return names
