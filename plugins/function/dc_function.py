"""Runs pickled Python functions with their arguments: lambdas, closures, what is in your script.

For clusters whose submitters are trusted: a pickle is code. It is made and read in two places, the
program that submits and the executor. Server and agent pass it on as bytes.

    from dc_function import SAME_PYTHON, call, function

    print(client.run(function, *[call(pow, 2, n) for n in range(9)], requires=SAME_PYTHON))

What goes into a pickle: a function of a module that can be imported is only named, and is to be
on the workers, too; all else (of the script itself, of a notebook, lambdas, closures) goes by its
bytecode, which only the same minor version of Python can read.
"""

from __future__ import annotations

import importlib
import operator
import platform
import sys
import typing
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any, Final, Generic, ParamSpec, TypeVar

import msgspec

import dc

P = ParamSpec("P")
R = TypeVar("R")

PYTHON: Final = "{} {}.{}".format(platform.python_implementation().lower(), *sys.version_info)
"""What pickles made here are for, such as `cpython 3.11`."""

SAME_PYTHON: Final = {
    "engine": platform.python_implementation().lower(),
    "python": ">={0}.{1},<{0}.{2}".format(*sys.version_info[:2], sys.version_info[1] + 1),
}
"""What to require of workers, so that tasks go only to those that can read what is made here."""


class Call(msgspec.Struct):
    """A function to call. Made by `call`.

    Attributes:
        name: the function's, for people.
        python: what the pickles are for, as PYTHON.
        function: the function, pickled.
        arguments: a tuple of its arguments and a dict of its keyword arguments, pickled together.
        context: its parameter that is given the task's context; empty for none.
    """

    name: str
    python: str
    function: bytes
    arguments: bytes
    context: str = ""


class Returned(msgspec.Struct):
    """What a function has returned.

    Attributes:
        python: what the pickle is for, as PYTHON.
        pickled: the value, pickled.
    """

    python: str
    pickled: bytes

    @property
    def value(self) -> Any:
        """The value itself. Runs code that the worker has sent.

        Raises:
            PayloadError: this is another Python, or what it takes to read the value is not here.
        """
        _check_python(self.python, "the result")
        return _loaded(self.pickled, "the result")


@dc.task_type
def function(given: Call, context: dc.Context) -> Returned:
    """Call a pickled Python function and return what it returns, pickled. See its README."""
    _check_python(given.python, given.name)
    called = _loaded(given.function, given.name)
    args, kwargs = _loaded(given.arguments, f"the arguments of {given.name}")
    if given.context:
        kwargs[given.context] = context
    try:
        value = called(*args, **kwargs)
    except BaseException as error:
        if error.__traceback__ is not None:  # what was called, without this frame
            error.__traceback__ = error.__traceback__.tb_next or error.__traceback__
        raise
    return Returned(PYTHON, _pickled(value, f"the result of {given.name}"))


@function.split
def calls_of(*inputs: Call) -> Iterator[Call]:
    """Yield the calls. Text is none: from the command line, there is the type `python`."""
    for given in inputs:
        if isinstance(given, str):
            raise dc.PayloadError(
                "the task type function takes pickled functions, which are made in Python: "
                "from dc_function import call; on the command line use the type python: "
                "python -m dc submit python 'math:hypot [3, 4]'"
            )
        yield given


@function.merge
def values(results: Iterable[Returned]) -> list[Any]:
    """Return the values that the functions have returned, in order."""
    return [one.value for one in results]


def call(target: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Call:
    """Return a call as the payload of a task.

    Args:
        target: a function, or anything else that can be called. A parameter that is annotated
            dc.Context is given the task's context, as in a task type.
        args: its arguments; anything that can be pickled.
        kwargs: its keyword arguments.

    Raises:
        PayloadError: the function or an argument cannot be pickled.
    """
    return Calls(target).call(args, kwargs)


def map(  # noqa: A001  # to be read as dc_function.map
    client: dc.Client, target: Callable[..., R], /, *iterables: Iterable[Any], **options: Any
) -> Iterator[R]:
    """Call a function with each of the arguments, on the workers; return an iterator of the values.

    All calls are submitted once this returns. The values come in order, each once it is there.

    Args:
        client: an open client.
        target: the function; of several iterables it is given an argument each.
        iterables: of arguments, read lazily; the shortest one ends it.
        options: of the job, those of `client.submit`. What they require is required beside
            SAME_PYTHON.

    Raises:
        PayloadError: the function or an argument cannot be pickled.
        TaskFailed: by the iterator, where a call has failed on its last try.
    """
    made = Calls(target)
    calls = (made.call(args, {}) for args in zip(*iterables, strict=False))
    options["requires"] = {**SAME_PYTHON, **(options.get("requires") or {})}
    options.setdefault("name", _name_of(target))
    job = client.submit(function, calls, **options)
    return (one.value for one in job.results())


class Remote(Generic[P, R]):
    """A function that can also be called on the workers. Made by `remote`.

    Attributes:
        target: the function.
    """

    def __init__(self, target: Callable[P, R]) -> None:
        self.target = target
        self.__doc__ = target.__doc__
        self.__name__ = _name_of(target)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function here."""
        return self.target(*args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel as the function alone: on a worker, this module has a name of its own."""
        return operator.getitem, ((self.target,), 0)

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Call:
        """Return a call as the payload of a task, as `call` does."""
        return call(self.target, *args, **kwargs)

    def on(self, client: dc.Client, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function on a worker, and return what it returns.

        Raises:
            PayloadError: the function or an argument cannot be pickled.
            TaskFailed: it raised, or could not be run.
        """
        calls = [self.call(*args, **kwargs)]
        job = client.submit(function, calls, requires=SAME_PYTHON, name=self.__name__)
        [returned] = job.results()
        value: R = returned.value
        return value

    def map(self, client: dc.Client, /, *iterables: Iterable[Any], **options: Any) -> Iterator[R]:
        """Call it with each of the arguments on the workers, as `map` does."""
        return map(client, self.target, *iterables, **options)


def remote(target: Callable[P, R]) -> Remote[P, R]:
    """Make a function, as a decorator, one that can also be called on the workers."""
    return Remote(target)


def take_along(module: ModuleType | str) -> None:
    """Have a module of your own travel with the functions that use it: workers need not have it.

    Call this before functions are pickled. It is for modules of pure Python.

    Args:
        module: the module, or its name; of a package all modules.
    """
    found = importlib.import_module(module) if isinstance(module, str) else module
    _cloudpickle().register_pickle_by_value(found)


class Calls:
    """Makes calls of one function, which is pickled once.

    Args:
        target: the function.

    Raises:
        PayloadError: it is none, or cannot be pickled.
    """

    def __init__(self, target: Callable[..., Any]) -> None:
        if not callable(target):
            raise dc.PayloadError(f"{target!r} is no function and cannot be called")
        if isinstance(target, Remote):
            target = target.target
        self._name = _name_of(target)
        self._pickled = _pickled(target, self._name)
        self._context = _context_name(target)

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """Return a call with these arguments. Raises PayloadError if one cannot be pickled."""
        arguments = _pickled((args, kwargs), f"the arguments of {self._name}")
        return Call(self._name, PYTHON, self._pickled, arguments, self._context)


def _context_name(target: Callable[..., Any]) -> str:
    """Return the name of the parameter that is annotated dc.Context; empty if there is none."""
    try:
        hints = typing.get_type_hints(target)
    except Exception:  # what has no annotations, or such as name what is not there
        return ""
    return next((name for name, kind in hints.items() if kind is dc.Context), "")


def _name_of(target: Callable[..., Any]) -> str:
    name = str(getattr(target, "__qualname__", None) or type(target).__qualname__)
    return name.rpartition("<locals>.")[2]


def _pickled(value: Any, what: str) -> bytes:
    dumps = _cloudpickle().dumps
    try:
        data: bytes = dumps(value)
    except Exception as error:
        raise dc.PayloadError(f"{what} cannot be pickled: {error}") from error
    return data


def _loaded(data: bytes, what: str) -> Any:
    loads = _cloudpickle().loads
    try:
        return loads(data)
    except ModuleNotFoundError as error:
        raise dc.PayloadError(
            f"{what} needs the module {error.name!r}, which is not here: install it on the "
            "workers, or have it travel along: dc_function.take_along(MODULE)"
        ) from error
    except Exception as error:
        raise dc.PayloadError(f"{what} cannot be unpickled: {error}") from error


def _check_python(python: str, what: str) -> None:
    if python != PYTHON:
        raise dc.PayloadError(
            f"{what} was pickled by {python}, and this is {PYTHON}: pickled functions go from a "
            "Python to the same minor version alone; require it of the workers "
            "(requires=dc_function.SAME_PYTHON), or submit from the version that they have"
        )


def _cloudpickle() -> Any:
    """Return the module; a server needs the task type alone, and not what pickles."""
    try:
        return importlib.import_module("cloudpickle")
    except ModuleNotFoundError:
        raise dc.PluginError("cloudpickle is not here: pip install cloudpickle") from None
