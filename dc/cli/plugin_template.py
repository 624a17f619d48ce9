"""Makes a new plugin from the template that comes with dc, with its name put everywhere."""

from __future__ import annotations

import builtins
import io
import keyword
import re
import shutil
import tokenize
from pathlib import Path
from typing import Final

from msgspec import Struct

from dc.errors import StartError

TEMPLATE: Final = Path(__file__).parent.parent / "template"
TYPE: Final = "wordcount"  # the template's task type
NAME: Final = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*", re.ASCII)
NAME_CHARS: Final = 60


class Made(Struct, frozen=True):
    """A plugin that was made.

    Attributes:
        folder: where it is.
        type: the name of its task type.
        files: the names of its files.
    """

    folder: Path
    type: str
    files: list[str]


def make_plugin(name: str, folder: Path) -> Made:
    """Make a plugin of this name in a new folder, or in an empty one.

    Raises:
        StartError: the name will not do, something is in the folder, or it cannot be written.
    """
    name = name.removeprefix("dc-").removeprefix("dc_")
    _check_name(name)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise StartError(f"{folder} is there already: name a folder that is new, or empty")
    was_there = folder.exists()
    try:
        folder.mkdir(exist_ok=True)
        files = [_write(one, name, folder) for one in template_files()]
    except OSError as error:
        if not was_there:
            shutil.rmtree(folder, ignore_errors=True)
        raise StartError(f"{folder} cannot be made: {error.strerror}") from None
    return Made(folder, _identifier(name), files)


def template_files() -> list[Path]:
    """Return the files of the template."""
    return sorted(one for one in TEMPLATE.iterdir() if one.is_file())


def _write(template: Path, name: str, folder: Path) -> str:
    """Write one file of a plugin; return its name."""
    path = folder / _renamed(template.name, name)
    path.write_text(_renamed(template.read_text("utf-8"), name), "utf-8")
    return path.name


def _renamed(text: str, name: str) -> str:
    word = _identifier(name)
    text = text.replace("dc_template", f"dc_{word}").replace(TYPE, word)
    return re.sub(r"\btemplate\b", name.replace("_", "-"), text)


def _identifier(name: str) -> str:
    return name.replace("-", "_")


def _check_name(name: str) -> None:
    """Check that a name can be that of a project, a module and a function of the template's.

    Raises:
        StartError: it cannot.
    """
    if len(name) > NAME_CHARS or not NAME.fullmatch(name):
        raise StartError(
            f"{name!r} is no name for a plugin: small letters, digits and single hyphens, a letter "
            f"first, {NAME_CHARS} characters at most, as word-counts"
        )
    word = _identifier(name)
    if keyword.iskeyword(word) or keyword.issoftkeyword(word) or hasattr(builtins, word):
        raise StartError(f"{name!r} is a word of Python: take another name, as my-{name}")
    if word.startswith("test"):
        raise StartError(f"{name!r}: pytest would take its function for a test; begin otherwise")
    if word in _taken():
        raise StartError(f"{name!r} is a word of the template's code: take another, as my-{name}")


def _taken() -> set[str]:
    """Return the names that the template's code uses, but for the one that is replaced."""
    found: set[str] = set()
    for path in template_files():
        if path.suffix == ".py":
            tokens = tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline)
            found |= {one.string for one in tokens if one.type == tokenize.NAME}
    return found - {TYPE}
