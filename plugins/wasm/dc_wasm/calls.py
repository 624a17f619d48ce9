"""What a module is run with: settings, a module and an input, and how people write them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

import dc
from dc.requirements import read_amount

PAGE_BYTES: Final = 65_536
"""Of the memory of a module: it grows by these."""

MOST_MEMORY: Final = 2**32
"""What 32-bit addresses reach."""

MEMORY: Final = 256 * 2**20
"""That a module may have if nothing is said: what fits beside others on any computer."""


MODULE, SETTINGS = "module", "settings"
"""Inputs of a job of `wasm_bytes`: the module, and settings as JSON, which may be left out."""


class Settings(Struct, kw_only=True, forbid_unknown_fields=True):
    """How a module is run.

    Attributes:
        memory: bytes that its memory may grow to, and what a command may write to its output.
        seconds: that it may run, 0 for no limit beside the task's own (`timeout`).
        fuel: instructions, about, that it may execute, the same number everywhere; 0 for no limit.
        deterministic: whether the same input is to give the same bytes on every computer, at the
            cost of some speed with floating-point numbers; without it the module also finds the
            real time and real random numbers.
        args: arguments of a command, beside its name.
    """

    memory: Annotated[int, Meta(ge=PAGE_BYTES, le=MOST_MEMORY)] = MEMORY
    seconds: Annotated[float, Meta(ge=0, le=10**6)] = 0.0
    fuel: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    deterministic: bool = True
    args: list[str] = []


class Call(Settings, kw_only=True, forbid_unknown_fields=True):
    """A module and what it is to work on.

    Attributes:
        input: what the function is called with, or a command's standard input.
        module: the module in its binary form.
    """

    input: bytes = b""
    module: bytes


def module_of(module: str | bytes | Path) -> tuple[bytes, dict[str, Any]]:
    """Return a module and its settings: text is the path of a file and NAME=VALUE behind it.

    Raises:
        PayloadError: a setting is none.
        OSError: the file cannot be read.
    """
    if isinstance(module, bytes):
        return module, {}
    if isinstance(module, Path):
        return module.read_bytes(), {}
    try:
        path, *words = shlex.split(module)
    except ValueError:
        raise dc.PayloadError(f"{module!r}: write MODULE.wasm, and NAME=VALUE behind it") from None
    return Path(path).read_bytes(), _settings_of(words)


def _settings_of(words: list[str]) -> dict[str, Any]:
    """Return the settings that words such as `seconds=2` say."""
    said: dict[str, Any] = {}
    for word in words:
        name, _, value = word.partition("=")
        if name == "arg":
            said.setdefault("args", []).append(value)
        else:
            said[name] = int(read_amount("memory", value)) if name == "memory" else value
    try:
        return msgspec.structs.asdict(msgspec.convert(said, Settings, strict=False))
    except msgspec.ValidationError as error:
        raise dc.PayloadError(f"settings of a module: {error}") from None


def input_of(given: str | bytes) -> bytes:
    """Return an input: bytes, the UTF-8 of a text, or what is in `@FILE`."""
    if isinstance(given, str):
        return Path(given[1:]).read_bytes() if given.startswith("@") else given.encode()
    return given
