"""Puts the modules that all pages need into one file, so that a browser has one thing to fetch.

Theory of operation
-------------------
Each module becomes a function that is called once, in the order in which a browser would run them;
what it exports is what the function returns. What other modules import of it is exported by the
whole, under a name that begins with the module's own, and their import statements are written anew
to say so: a module is never there twice.

Only the forms of import and export are understood that the page is written in. What is another
is no error here: then all modules stay as they are, and are fetched one by one.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final

BUNDLE: Final = "app/bundle.js"
"""Beside the modules that are in it: what they name by relative paths is where it was."""

_IMPORT: Final = re.compile(r'^import \{([^}"]+)\} from "(\.[^"]+)";$', re.MULTILINE)
_EXPORT: Final = re.compile(
    r"^export (?=(?:async )?function\*? (\w+)|(?:const|class) (\w+))", re.MULTILINE
)
_LIST: Final = re.compile(r"^export \{([^}]+)\};$", re.MULTILINE)
_OTHER: Final = re.compile(r"^(?:import|export)\b(?! ?\().*", re.MULTILINE)


class NotUnderstood(Exception):
    """A module has a form of import or export that is not understood here; the text says which."""


def imports_of(name: str, text: str) -> list[str]:
    """Return the modules that one imports before it can run."""
    return [beside(name, path) for _, path in _IMPORT.findall(text)]


def beside(name: str, path: str) -> str:
    """Return the name of a module, from the relative path by which another one imports it."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), path))


def bundle(order: Sequence[str], texts: Mapping[str, str]) -> str:
    """Return one module that does what several do.

    Args:
        order: their names, each behind those that it imports, all in the folder of BUNDLE.
        texts: of them, by name. What they import and is not among them stays outside.

    Raises:
        NotUnderstood: one of them cannot be put into it.
    """
    outside = dict.fromkeys(
        one for name in order for one in imports_of(name, texts[name]) if one not in order
    )
    variables = {name: f"$m{at}" for at, name in enumerate([*outside, *order])}
    heads = [f'import * as {variables[one]} from "{_way(BUNDLE, one)}";\n' for one in outside]
    bodies: list[str] = []
    exports: list[str] = []
    for at, name in enumerate(order):
        known = [*outside, *order[:at]]
        body, names = _body(name, texts[name], {one: variables[one] for one in known})
        mine = variables[name]
        given = f"return {{ {', '.join(names)} }};"
        bodies.append(f"// {name}\nconst {mine} = (() => {{\n{body}\n{given}\n}})();\n")
        exports += [f"export const {_outer(name, one)} = {mine}.{one};\n" for one in names]
    return "".join([*heads, *bodies, *exports])


def _body(name: str, text: str, variables: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return what is inside of a module's function, and the names that it exports."""
    if posixpath.dirname(name) != posixpath.dirname(BUNDLE):
        raise NotUnderstood(f"{name} is in another folder than {BUNDLE}")

    def taken(found: re.Match[str]) -> str:
        source = variables.get(beside(name, found[2]))
        if source is None:
            raise NotUnderstood(f"{name} imports {found[2]}, which imports it in turn")
        pairs = [one if one == own else f"{one}: {own}" for one, own in _names(found[1])]
        return f"const {{ {', '.join(pairs)} }} = {source};"

    names = [one for pair in _EXPORT.findall(text) for one in pair if one]
    for listed in _LIST.findall(text):
        pairs = _names(listed)
        if any(one != own for one, own in pairs):
            raise NotUnderstood(f"{name} exports something under another name")
        names += [one for one, _ in pairs]
    body = _EXPORT.sub("", _LIST.sub("", _IMPORT.sub(taken, text)))
    if (other := _OTHER.search(body)) is not None:
        raise NotUnderstood(f"{name}: {other[0][:60]}")
    return body, names


def with_bundle(name: str, text: str, bundled: Collection[str]) -> str:
    """Return a module that imports from the bundle what is in it.

    Args:
        name: of the module, which is not in it.
        text: of the module.
        bundled: the modules that are.
    """

    def rewritten(found: re.Match[str]) -> str:
        source = beside(name, found[2])
        if source not in bundled:
            return found[0]
        pairs = [f"{_outer(source, one)} as {own}" for one, own in _names(found[1])]
        return f'import {{ {", ".join(pairs)} }} from "{_way(name, BUNDLE)}";'

    return _IMPORT.sub(rewritten, text)


def _names(text: str) -> list[tuple[str, str]]:
    """Return what stands between braces: names, and what they are called here."""
    parts = [one.split() for one in text.split(",") if one.strip()]
    return [(part[0], part[-1]) for part in parts]


def _outer(name: str, exported: str) -> str:
    """Return what the bundle calls something that a module of it exports."""
    return f"{posixpath.basename(name).removesuffix('.js')}${exported}"


def _way(name: str, to: str) -> str:
    path = posixpath.relpath(to, posixpath.dirname(name))
    return path if path.startswith(".") else f"./{path}"
