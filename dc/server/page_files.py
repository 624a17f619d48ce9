"""The page's files as a browser is to fetch them: few, at once, and once only.

The files of the page stand for themselves: they import each other by relative paths, and
`index.html` names the first ones. What follows from their texts is worked out here when the server
starts, so that nothing has to be built after a file was changed, and nothing is said twice.

All files are served a second time below a folder that is named by what is in all of them together.
What is there never changes, so a browser that has it does not ask again; another version is another
folder. There the modules that most pages need are in one, see page_bundle.py. The document alone
is asked for each time; it names that folder, and all that the page at its address is made of.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from dc.server.page_bundle import (
    BUNDLE,
    NotUnderstood,
    beside,
    bundle,
    imports_of,
    with_bundle,
)

FOLDER: Final = "assets"
MAIN: Final = "app/main.js"
DOCUMENT: Final = "index.html"
SHARED: Final = 3
"""So many pages have to need a module, that it is fetched with what all pages are made of."""

_PAGE: Final = re.compile(r'^page\("([^"]+)", \(\) => import\("(\.[^"]+)"\)\);', re.MULTILINE)
_FILE: Final = re.compile(r' (src|href)="/([^"]+)"')
_FIELD: Final = re.compile(r"\{\w+\}")
_END: Final = "</head>"


class PageFiles:
    """What follows from the texts of the page's files.

    Args:
        texts: the text of each by its path, those of `MAIN` and `DOCUMENT` among them.

    Attributes:
        base: the path below which files never change, with a slash at its end and none before.
        kept: the text of each file there, by its path below `base`.
        problem: why all modules are fetched one by one; empty if they are not.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.kept = {name: text for name, text in texts.items() if name != DOCUMENT}
        self.problem = ""
        self._document = texts[DOCUMENT]
        self._main = MAIN
        pages = pages_of(texts[MAIN])
        self._pages = [(_pattern(path), module) for path, module in pages]
        try:
            self._bundle(_most_needed([module for _, module in pages], texts))
        except NotUnderstood as error:
            self.problem = str(error)
        self.base = f"{FOLDER}/{_digest(self.kept)}/"

    def _bundle(self, names: list[str]) -> None:
        """Put modules into one, and have all others import from that."""
        inside = [one for one in names if one.startswith("app/")]
        whole = bundle(inside, self.kept)
        rest = {name: text for name, text in self.kept.items() if name not in inside}
        self.kept = {
            name: with_bundle(name, text, inside) if name.endswith(".js") else text
            for name, text in rest.items()
        }
        self.kept[BUNDLE] = whole
        self._main = BUNDLE

    def modules(self) -> list[str]:
        """Return the modules of single pages, and an empty one for what all pages have."""
        return ["", *dict.fromkeys(module for _, module in self._pages)]

    def module_at(self, path: str) -> str:
        """Return the module of the page at a path; empty if there is no such page."""
        return next((module for pattern, module in self._pages if pattern.fullmatch(path)), "")

    def document(self, module: str = "") -> str:
        """Return the document of a page.

        Args:
            module: of the page; empty for what all pages have.
        """
        text = _FILE.sub(self._with_base, self._document)
        names = needed([self._main, *([module] if module else [])], self.kept)
        links = "".join(
            f'<link rel="modulepreload" href="/{self.base}{name}">\n'
            for name in names
            if name != self._main
        )
        return text.replace(_END, links + _END, 1)

    def _with_base(self, found: re.Match[str]) -> str:
        kind, name = found.groups()
        name = self._main if name == MAIN else name
        return f' {kind}="/{self.base}{name}"' if name in self.kept else found[0]


def pages_of(main: str) -> list[tuple[str, str]]:
    """Return the path and the module of each page, from the text of the main module."""
    return [(path, beside(MAIN, module)) for path, module in _PAGE.findall(main)]


def needed(names: Iterable[str], texts: Mapping[str, str]) -> list[str]:
    """Return modules and all that they import, and so on, each behind those that it imports."""
    found: dict[str, None] = {}
    begun: set[str] = set()

    def add(name: str) -> None:
        if name not in begun:
            begun.add(name)
            for one in imports_of(name, texts[name]):
                add(one)
            found[name] = None

    for name in names:
        add(name)
    return list(found)


def _most_needed(pages: Iterable[str], texts: Mapping[str, str]) -> list[str]:
    """Return the modules that all or most pages need, the main one last."""
    counts = Counter(name for page in set(pages) for name in needed([page], texts))
    shared = sorted(name for name, count in counts.items() if count >= SHARED)
    return needed([*shared, MAIN], texts)


def _digest(texts: Mapping[str, str]) -> str:
    digest = hashlib.sha256()
    for name, text in sorted(texts.items()):
        for part in (name, text):
            digest.update(hashlib.sha256(part.encode()).digest())
    return digest.hexdigest()[:16]


def _pattern(path: str) -> re.Pattern[str]:
    """Return what a page's path is like, as the router of the page has it."""
    return re.compile("[^/]+".join(map(re.escape, _FIELD.split(path))) + "/?")
