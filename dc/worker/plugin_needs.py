"""What a plugin says that it needs, as packages of Python say it: which Python, which others.

Many plugins say nothing of either. So a worker imports this, and what reads such words with it,
when the first one does that says something: by dc/worker/seldom.py, in a thread.
"""

from __future__ import annotations

from collections.abc import Sequence

from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from dc.errors import PluginError
from dc.worker.computer import python_version


def check_python(wanted: str) -> None:
    """See that a plugin is for this Python: the server's matching looked at the same before.

    Args:
        wanted: which versions will do, such as `>=3.11`; empty for any.

    Raises:
        PluginError: it is for others, or what it says is nonsense.
    """
    mine = python_version()
    try:
        fits = SpecifierSet(wanted).contains(mine, prereleases=True)
    except InvalidSpecifier:
        raise PluginError(f"it says that it needs Python {wanted!r}") from None
    if not fits:
        raise PluginError(f"it needs Python {wanted}, and this is {mine}")


def to_install(dependencies: Sequence[str]) -> list[str]:
    """Return what is to be installed here, always in the same words and the same order.

    Args:
        dependencies: as PEP 508 has them; some may be for another Python or system alone.

    Raises:
        PluginError: one of them says nothing.
    """
    found = set()
    for text in dependencies:
        try:
            one = Requirement(text)
            here = one.marker is None or one.marker.evaluate()
        except (ValueError, RecursionError) as error:  # no requirement, or a marker of nonsense
            raise PluginError(f"it depends on {text!r}, which says nothing: {error}") from None
        if here:
            one.marker = None
            found.add(str(one))
    return sorted(found)


def by_address(wanted: Sequence[str]) -> str:
    """Return the first of what is to be installed that is named by an address; empty if none is."""
    return next((one for one in wanted if Requirement(one).url), "")
