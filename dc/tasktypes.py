"""Task types: what a plugin's author writes, and how payloads and results become bytes.

A task type is a function of one typed payload:

    @dc.task_type
    def square(number: int) -> int:
        return number * number

Its annotations say how bytes are read. `bytes` passes untouched, as do the forms in which large
bytes come and go (dc/large.py); every other type is MessagePack of that type, by msgspec. What a
type declares is checked on every way: a payload when it is submitted and when it is run, a result
when it is made. So a wrong one is told where the mistake is, and never where its bytes happen to be
read later. Encoding by msgspec checks nothing, so what was encoded is decoded once more: for small
values that costs as much as the encoding, below a tenth of a microsecond.
"""

from __future__ import annotations

import functools
import inspect
import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar, Unpack, overload

import msgspec

from dc import limits
from dc.context import Context
from dc.errors import PayloadError, PluginError
from dc.large import WrongForm, is_pieces
from dc.schemas import schema_of
from dc.task_options import Defaults, checked
from dc.typed import Codec, Typed, declared

Function = TypeVar("Function", bound=Callable[..., Any])

PLAIN: Final = (
    "write a plain function (def, with return), not async or yield; "
    "only what returns Iterator[bytes] may yield"
)
NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")


class TaskType:
    """A named, versioned kind of task. Made by `task_type`; still callable as the function it was.

    Attributes:
        name: unique among the plugins, together with the version.
        version: versions of one type may live side by side.
        doc: the function's docstring, or an empty string.
        options: defaults of a job's options, by field name of `dc.messages_client.Options`.
        is_plain: whether payload and result are in memory: not files, views of them, or iterators.
    """

    def __init__(
        self,
        name: str,
        version: str,
        payload: Typed,
        result: Typed,
        *,
        function: Callable[..., Any] | None = None,
        context_name: str = "",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.version = version
        self.doc = inspect.getdoc(function) or "" if function is not None else ""
        self.options: dict[str, Any] = dict(options or {})
        self._payload = payload
        self._result = result
        self.is_plain = payload.is_plain and result.is_plain
        self._function = function
        self._context_name = context_name
        self._splitter: Callable[..., Iterable[Any]] | None = None
        self._merger: Callable[[Iterable[Any]], Any] | None = None
        if function is not None:
            functools.update_wrapper(self, function, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself, with values and not bytes."""
        if self._function is None:
            raise PluginError(f"task type {self.name!r} has no function here: its plugin is absent")
        return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<TaskType {self.name} {self.version}>"

    # --- what it declares -----------------------------------------------------------------------

    @property
    def payload_codec(self) -> Codec:
        """How payloads become bytes: `bytes` (untouched) or `msgpack`."""
        return self._payload.codec

    @property
    def result_codec(self) -> Codec:
        """How results become bytes: `bytes` (untouched) or `msgpack`."""
        return self._result.codec

    @property
    def payload_type(self) -> Any:
        """The declared type of payloads."""
        return self._payload.kind

    @property
    def result_type(self) -> Any:
        """The declared type of results."""
        return self._result.kind

    @property
    def payload_schema(self) -> dict[str, Any]:
        """What payloads look like, as JSON Schema."""
        return schema_of(self._payload)

    @property
    def result_schema(self) -> dict[str, Any]:
        """What results look like, as JSON Schema."""
        return schema_of(self._result)

    @property
    def takes_context(self) -> bool:
        """Whether the function wants a Context."""
        return bool(self._context_name)

    @property
    def has_split(self) -> bool:
        """Whether the plugin says how an input becomes payloads."""
        return self._splitter is not None

    @property
    def has_merge(self) -> bool:
        """Whether the plugin says how results become one answer."""
        return self._merger is not None

    # --- payloads and results -------------------------------------------------------------------

    def encode_payload(self, value: Any) -> bytes:
        """Return a payload as bytes.

        Raises:
            PayloadError: the value does not have the declared type.
        """
        try:
            return self._payload.encode(value)
        except Exception as error:
            raise PayloadError(self._payload.complaint(error)) from None

    def payload_from_json(self, data: bytes) -> bytes:
        """Return the bytes of a payload that is given in JSON; only where they are MessagePack.

        Raises:
            PayloadError: the value does not have the declared type.
        """
        try:
            return self._payload.from_json(data)
        except Exception as error:
            raise PayloadError(self._payload.complaint(error)) from None

    def decode_payload(self, data: bytes) -> Any:
        """Return the payload that some bytes are.

        Raises:
            PayloadError: the bytes are no payload of the declared type.
        """
        try:
            return self._payload.decode(data)
        except Exception as error:
            raise PayloadError(self._payload.complaint(error)) from None

    def check_payload(self, data: bytes) -> None:
        """Check that some bytes are a payload of the declared type.

        Raises:
            PayloadError: they are not.
        """
        if self._payload.codec != "bytes":
            self.decode_payload(data)

    def encode_result(self, value: Any) -> bytes:
        """Return a result as bytes.

        Raises:
            PluginError: the value does not have the declared type.
            BaseException: whatever an iterator raises that the function has returned.
        """
        try:
            return self._result.encode(value)
        except Exception as error:
            if is_pieces(self._result.kind) and not isinstance(error, WrongForm):
                raise
            raise PluginError(self._result.complaint(error)) from None

    def decode_result(self, data: bytes) -> Any:
        """Return the result that some bytes are.

        Raises:
            PluginError: the bytes are no result of the declared type (another version's perhaps).
        """
        try:
            return self._result.decode(data)
        except Exception as error:
            raise PluginError(self._result.complaint(error)) from None

    def run(self, payload: bytes, context: Context | None = None) -> bytes:
        """Run one task: bytes in, bytes out.

        Args:
            payload: the task's payload.
            context: what to hand to a function that takes a context; others need none.

        Raises:
            PayloadError: the payload does not have the declared type.
            PluginError: the result does not have the declared type.
            BaseException: whatever the function raises.
        """
        if self.is_plain:
            return self.encode_result(self._call(self.decode_payload(payload), context))
        with TemporaryDirectory(prefix="dc-task-") as folder:
            return self.encode_result(self.run_raw(payload, context, Path(folder)))

    def run_raw(self, payload: bytes | Path, context: Context | None, folder: Path) -> Any:
        """Run one task; return its result as the function has returned it, unchecked.

        Args:
            payload: the task's payload, or a file that has it, which is only read.
            context: as for `run`.
            folder: for a file with the payload, where the function wants one and it is in memory.

        Raises:
            PayloadError: the payload does not have the declared type.
            OSError: the payload's file cannot be read or written.
            BaseException: whatever the function raises.
        """
        try:
            value = self._payload.take(payload, folder)
        except OSError:
            raise
        except Exception as error:
            raise PayloadError(self._payload.complaint(error)) from None
        return self._call(value, context)

    def wrong_result(self, error: Exception) -> PluginError:
        """Return what is to be raised for a result that does not have the declared type."""
        return PluginError(self._result.complaint(error))

    def _call(self, value: Any, context: Context | None) -> Any:
        function = self if self._function is None else self._function
        if self._context_name:
            return function(value, **{self._context_name: context})
        return function(value)

    # --- split and merge ------------------------------------------------------------------------

    def split(self, function: Function) -> Function:
        """Register, as a decorator, the generator function that makes payloads from inputs.

        It is called with the inputs of a job, each an argument: text from the command line, or any
        value from Python. To call it, use `split_inputs`.
        """
        self._splitter = self._registered(function, "split")
        return function

    def merge(self, function: Function) -> Function:
        """Register, as a decorator, the function that makes the final answer from all results.

        It is called with an iterable of the results, in the order of the payloads. To call it, use
        `merge_results`.
        """
        self._merger = self._registered(function, "merge")
        return function

    def split_inputs(self, *inputs: Any) -> Iterator[Any]:
        """Yield the payloads of a job, lazily.

        Without a registered split each input is one payload; text becomes a payload that is not
        text by UTF-8 (bytes) or as JSON (all else).

        Raises:
            PayloadError: an input is not the JSON of a payload.
        """
        if self._splitter is not None:
            yield from self._splitter(*inputs)
            return
        for value in inputs:
            yield self._payload_of_text(value) if isinstance(value, str) else value

    def merge_results(self, results: Iterable[Any]) -> Any:
        """Return the final answer; without a registered merge, the list of results."""
        return list(results) if self._merger is None else self._merger(results)

    def _registered(self, function: Function, what: str) -> Function:
        if not inspect.isroutine(function):
            raise PluginError(
                f"@{self.name}.{what} decorates a function; to call the registered one, use "
                f"{'split_inputs' if what == 'split' else 'merge_results'}"
            )
        return function

    def _payload_of_text(self, text: str) -> Any:
        if self.payload_codec == "bytes":
            return text.encode()
        if self.payload_type in (str, Any):
            return text
        try:
            return msgspec.json.decode(text.encode(), type=self.payload_type)
        except Exception as error:
            raise PayloadError(
                f"{text!r}, read as JSON: {self._payload.complaint(error)}"
            ) from None


def untyped(name: str, version: str, payload_codec: Codec, result_codec: Codec) -> TaskType:
    """Return a task type for one who has no plugin: it encodes and decodes, and cannot run.

    MessagePack gives builtin types only: Structs arrive as dicts or lists.
    """
    payload = _side(payload_codec, f"payload of {name}")
    return TaskType(name, version, payload, _side(result_codec, f"result of {name}"))


def _side(codec: Codec, title: str) -> Typed:
    return Typed(codec, bytes if codec == "bytes" else Any, title)


@overload
def task_type(function: Callable[..., Any], /) -> TaskType: ...


@overload
def task_type(
    *,
    name: str = ...,
    version: str = ...,
    **options: Unpack[Defaults],
) -> Callable[[Callable[..., Any]], TaskType]: ...


def task_type(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str = "",
    version: str = "1",
    **options: Unpack[Defaults],
) -> TaskType | Callable[[Callable[..., Any]], TaskType]:
    """Make a typed function of one payload a task type. Used as `@task_type` or with arguments.

    Args:
        function: the function; a second parameter annotated `Context` is given the context.
        name: the type's name; the function's name when empty.
        version: change it when payloads, results or their meaning change.
        options: defaults of a job, as in Defaults.

    Raises:
        PluginError: the function cannot be a task type; the text says what to write instead.
    """

    def decorate(function: Callable[..., Any]) -> TaskType:
        return _from_function(function, name, version, options)

    return decorate if function is None else decorate(function)


def _from_function(
    function: Callable[..., Any], name: str, version: str, options: Mapping[str, Any]
) -> TaskType:
    if not inspect.isroutine(function):
        raise PluginError(f"@dc.task_type decorates a function, and {function!r} is none")
    where = f"task type {function.__module__}.{function.__qualname__}"
    if any(
        test(function)
        for test in (
            inspect.iscoroutinefunction,
            inspect.isasyncgenfunction,
        )
    ):
        raise PluginError(f"{where}: {PLAIN}")
    name = name or function.__name__
    for what, text in (("name", name), ("version", version)):
        _check_text(where, what, text)
    options = checked(where, options)
    payload, result, context = _declared(function, where)
    if inspect.isgeneratorfunction(function) and not is_pieces(result):
        raise PluginError(f"{where}: {PLAIN}")
    return TaskType(
        name,
        version,
        declared(payload, f"payload of {name}", where),
        declared(result, f"result of {name}", where, pieces=True),
        function=function,
        context_name=context,
        options=options,
    )


def _declared(function: Callable[..., Any], where: str) -> tuple[Any, Any, str]:
    """Return the payload's type, the result's type, and the name of the context's parameter."""
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except Exception as error:
        raise PluginError(
            f"{where}: its annotations cannot be read ({error}); "
            "types that they name must be defined in the module, above the function"
        ) from None
    names = list(inspect.signature(function).parameters.values())
    contexts = [one.name for one in names if hints.get(one.name) is Context]
    payloads = [one for one in names if one.name not in contexts]
    example = f"def {function.__name__}(payload: str) -> int"
    if len(payloads) != 1 or len(contexts) > 1 or (contexts and names[0].name in contexts):
        raise PluginError(
            f"{where} must have one parameter, its payload, and may have a second one annotated "
            f"dc.Context; write: {example}. Several values go into one dataclass or msgspec.Struct"
        )
    payload = payloads[0]
    if payload.kind not in (payload.POSITIONAL_ONLY, payload.POSITIONAL_OR_KEYWORD):
        raise PluginError(f"{where}: {payload} must be a plain positional parameter, as {example}")
    missing = [text for text in (payload.name, "return") if text not in hints]
    if missing:
        raise PluginError(
            f"{where} says no type for {' and '.join(map(repr, missing))}; write: {example}"
        )
    return hints[payload.name], hints["return"], contexts[0] if contexts else ""


def _check_text(where: str, what: str, text: str) -> None:
    if not NAME.fullmatch(text) or len(text) > limits.TEXT_CHARS:
        raise PluginError(
            f"{where}: its {what} {text!r} must be 1 to {limits.TEXT_CHARS} letters, digits "
            "and _ . + -"
        )
