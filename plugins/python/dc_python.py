"""Runs a Python function that is importable on the workers, named by its import path."""

from __future__ import annotations

import importlib
import platform
from collections.abc import Iterator
from typing import Any

import msgspec

import dc


class Call(msgspec.Struct):
    """A function to call.

    Attributes:
        function: its import path, `module:name`, such as `math:sqrt` or `a.b:Class.make`.
        args: its arguments, of builtin types.
        kwargs: its keyword arguments.
    """

    function: str
    args: list[Any] = []
    kwargs: dict[str, Any] = {}


@dc.task_type
def python(call: Call) -> Any:
    """Call a Python function and return what it returns, of builtin types or dataclasses."""
    return _resolved(call.function)(*call.args, **call.kwargs)


@python.split
def calls_of(*inputs: str | Call) -> Iterator[Call]:
    """Yield a call for each input.

    Text is `module:name`, or that and a list of arguments in JSON: `math:hypot [3, 4]`, or and an
    object of keyword arguments: `builtins:dict {"a": 1}`.
    """
    for given in inputs:
        yield _read(given) if isinstance(given, str) else given


def _read(text: str) -> Call:
    path, _, arguments = text.strip().partition(" ")
    try:
        given = msgspec.json.decode(arguments) if arguments.strip() else []
    except msgspec.DecodeError as error:
        raise dc.PayloadError(f"{text!r}: its arguments are no JSON: {error}") from None
    if isinstance(given, dict):
        return Call(path, [], given)
    return Call(path, given if isinstance(given, list) else [given])


def _resolved(path: str) -> Any:
    """Return the function that an import path names."""
    module, colon, name = path.partition(":")
    if not (module and colon and name):
        raise dc.PayloadError(f"function {path!r} must be written module:name, such as math:sqrt")
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # the module is there, and what it imports is not
        raise dc.PayloadError(
            f"function {path!r}: no module {error.name!r} on this worker"
        ) from None
    for attribute in name.split("."):
        if not hasattr(found, attribute):
            raise dc.PayloadError(f"function {path!r}: {module} has no {name}")
        found = getattr(found, attribute)
    if not callable(found):
        raise dc.PayloadError(f"function {path!r} is no function but {type(found).__name__}")
    return found


@dc.hookimpl
def dc_worker_labels() -> dict[str, str]:
    """Tell which Python runs the functions, so that a job can require it."""
    version = ".".join(platform.python_version_tuple()[:2])
    return {"python": version, "implementation": platform.python_implementation()}
