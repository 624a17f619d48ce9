"""Task types: what a decorated function becomes, and what it is told when it cannot be one."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dc
from dc import limits
from dc.context import Context
from dc.errors import PayloadError, PluginError
from dc.tasktypes import TaskType, task_type, untyped


class Point(msgspec.Struct):
    x: int
    y: int = 0


@dataclasses.dataclass
class Text:
    language: str
    words: list[str]


@dataclasses.dataclass
class Tree:
    value: int
    children: list[Tree]


class Opaque:
    pass


@task_type
def square(number: int) -> int:
    """Square a number.

    That is all.
    """
    return number * number


@task_type(name="word.count", version="2.1", retries=3, timeout=5, priority=-1, requires={"a": "b"})
def count(text: Text) -> dict[str, int]:
    return {word: text.words.count(word) for word in text.words}


@count.split
def words_of(*texts: str) -> Iterator[Text]:
    for text in texts:
        yield Text("en", text.split())


@count.merge
def total(results: Iterable[dict[str, int]]) -> int:
    return sum(sum(result.values()) for result in results)


@task_type
def untouched(data: bytes) -> bytes:
    return data


@task_type
def where_am_i(payload: None, context: Context) -> tuple[int, int, int, str]:
    return context.job, context.number, context.attempt, str(context.scratch)


def context(folder: Path = Path("unused")) -> Context:
    return Context(1, 2, 3, folder)


def test_bare_decorator_takes_everything_from_the_function() -> None:
    assert isinstance(square, TaskType)
    assert (square.name, square.version, square.options) == ("square", "1", {})
    assert square.doc == "Square a number.\n\nThat is all."
    assert (square.payload_codec, square.result_codec) == ("msgpack", "msgpack")
    assert (square.payload_type, square.result_type) == (int, int)


def test_arguments_of_the_decorator() -> None:
    assert (count.name, count.version, count.doc) == ("word.count", "2.1", "")
    assert count.options == {"retries": 3, "timeout": 5, "priority": -1, "requires": {"a": "b"}}


def test_it_is_still_the_function() -> None:
    assert square(4) == 16
    assert square(number=5) == 25
    assert inspect.unwrap(square).__name__ == "square"
    assert str(inspect.signature(square)) == "(number: 'int') -> 'int'"


def test_an_attribute_of_the_function_does_not_replace_one_of_the_type() -> None:
    def function(payload: int) -> int:
        return payload

    function.version = "of the function"  # type: ignore[attr-defined]
    assert task_type(function).version == "1"


def test_run_goes_from_bytes_to_bytes() -> None:
    assert square.run(msgspec.msgpack.encode(7)) == msgspec.msgpack.encode(49)
    data = count.encode_payload(Text("en", ["a", "b", "a"]))
    assert count.decode_result(count.run(data)) == {"a": 2, "b": 1}


def test_bytes_pass_untouched() -> None:
    data = b"\xc1 is no MessagePack"
    assert untouched.payload_codec == untouched.result_codec == "bytes"
    assert untouched.encode_payload(data) is data
    assert untouched.run(data) is data
    assert untouched.encode_payload(bytearray(b"ab")) == b"ab"
    assert untouched.encode_result(memoryview(b"ab")) == b"ab"
    untouched.check_payload(data)


def test_context_is_given_to_who_asks(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    one = context(folder)
    assert where_am_i.takes_context
    assert not square.takes_context
    assert not one.used_scratch
    assert not folder.exists()
    data = where_am_i.run(where_am_i.encode_payload(None), one)
    assert where_am_i.decode_result(data) == (1, 2, 3, str(folder))
    assert one.used_scratch
    assert folder.is_dir()


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (square, "no number"),
        (square, None),
        (square, 2**70),
        (square, Opaque()),
        (count, {"language": "en"}),
        (count, Text("en", [1])),  # type: ignore[list-item]
        (count, Text("\ud800", [])),
        (untouched, "text"),
        (untouched, None),
    ],
)
def test_values_of_another_shape_are_refused(kind: TaskType, value: Any) -> None:
    with pytest.raises(PayloadError, match=f"^payload of {kind.name} must be "):
        kind.encode_payload(value)


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\xa1a", b"\x01\x01", b"\xa1\xff", b"\x91" * 5000])
def test_bytes_of_another_shape_are_refused(data: bytes) -> None:
    for check in (square.check_payload, square.decode_payload, square.run):
        with pytest.raises(PayloadError, match="payload of square must be int: "):
            check(data)


@given(st.binary(max_size=64))
def test_any_bytes_are_a_payload_or_a_payload_error(data: bytes) -> None:
    try:
        count.check_payload(data)
    except PayloadError:
        return
    assert isinstance(count.decode_payload(data), Text)


def test_errors_of_a_payload_say_where() -> None:
    with pytest.raises(PayloadError, match=r"Expected `str`, got `int` - at `\$.words\[1\]`"):
        count.encode_payload(Text("en", ["a", 1]))  # type: ignore[list-item]


def test_validation_in_the_authors_class_is_a_payload_error() -> None:
    @dataclasses.dataclass
    class Even:
        number: int

        def __post_init__(self) -> None:
            if self.number % 2:
                raise KeyError("odd")

    def half(even: Even) -> int:
        return even.number // 2

    half.__annotations__ = {"even": Even, "return": int}
    with pytest.raises(PayloadError, match="odd"):
        task_type(half).check_payload(msgspec.msgpack.encode({"number": 3}))


def test_results_are_checked() -> None:
    @task_type
    def liar(payload: int) -> str:
        return payload  # type: ignore[return-value]

    with pytest.raises(PluginError, match="result of liar must be str: Expected `str`, got `int`"):
        liar.run(b"\x01")
    with pytest.raises(PluginError, match="result of liar must be str"):
        liar.decode_result(b"\x01")


def test_exceptions_of_the_function_pass() -> None:
    @task_type
    def divide(by: int) -> float:
        return 1 / by

    with pytest.raises(ZeroDivisionError):
        divide.run(b"\x00")


def test_split_and_merge() -> None:
    assert count.has_split
    assert count.has_merge
    payloads = list(count.split_inputs("a b", "c"))
    assert payloads == [Text("en", ["a", "b"]), Text("en", ["c"])]
    assert count.merge_results([{"a": 2}, {"b": 1}]) == 3


def test_split_is_lazy() -> None:
    numbers = square.split_inputs(*range(3))
    assert next(numbers) == 0
    assert not square.has_split


def test_without_split_and_merge_each_input_is_a_payload() -> None:
    assert list(square.split_inputs("3", 4, " 5 ")) == [3, 4, 5]
    assert list(untouched.split_inputs("é", b"x")) == ["é".encode(), b"x"]

    @task_type
    def mirror(point: Point) -> Point:
        return point

    assert list(mirror.split_inputs('{"x": 1}')) == [Point(1)]
    assert square.merge_results(iter([1, 2])) == [1, 2]

    @task_type
    def upper(text: str) -> str:
        return text.upper()

    assert list(upper.split_inputs("3", "word")) == ["3", "word"]


def test_input_that_is_no_payload() -> None:
    with pytest.raises(PayloadError, match="'three', read as JSON: payload of square must be int"):
        list(square.split_inputs("three"))


def test_split_called_with_inputs_says_what_to_call() -> None:
    with pytest.raises(PluginError, match="use split_inputs"):
        square.split("some folder")  # type: ignore[type-var]
    with pytest.raises(PluginError, match="use merge_results"):
        square.merge([1, 2])  # type: ignore[type-var]


@pytest.mark.parametrize(
    "kind",
    [
        int,
        str | None,
        list[Point],
        dict[str, tuple[int, ...]],
        dict[int, Text],
        Tree,
        Any,
        Point | None,
    ],
)
def test_types_that_msgspec_knows(kind: Any) -> None:
    def function(payload: Any) -> None: ...

    function.__annotations__ = {"payload": kind, "return": None}
    assert task_type(function).payload_type == kind


@pytest.mark.parametrize(
    "kind",
    [Opaque, list[Opaque], dict[str, Opaque | None], threading.Thread, Callable, Point | Tree],
)
def test_types_that_msgspec_does_not_know(kind: Any) -> None:
    def function(payload: Any) -> None: ...

    function.__annotations__ = {"payload": kind, "return": None}
    with pytest.raises(PluginError, match=r"function.*payload of function.*msgspec\.Struct"):
        task_type(function)


def test_functions_that_cannot_be_task_types() -> None:
    def no_payload_type(payload) -> int:  # type: ignore[no-untyped-def]
        return 0

    def no_result_type(payload: int):  # type: ignore[no-untyped-def]
        return 0

    def nothing() -> int:
        return 0

    def two(first: int, second: int) -> int:
        return 0

    def optional(first: int, second: int = 0) -> int:
        return 0

    def many(*payloads: int) -> int:
        return 0

    def keyword(*, payload: int) -> int:
        return 0

    def context_first(context: Context, payload: int) -> int:
        return 0

    def unknown(payload: Missing) -> int:  # type: ignore[name-defined]  # noqa: F821
        return 0

    async def asynchronous(payload: int) -> int:
        return 0

    def generator(payload: int) -> Iterator[int]:
        yield 0

    expected: dict[Callable[..., Any], str] = {
        no_payload_type: r"no type for 'payload'; write: def \w+\(payload: str\) -> int",
        no_result_type: "no type for 'return'",
        nothing: "must have one parameter",
        two: "Several values go into one dataclass",
        optional: "must have one parameter",
        many: "plain positional parameter",
        keyword: "plain positional parameter",
        context_first: "must have one parameter, its payload, and may have a second one",
        unknown: "'Missing' is not defined",
        asynchronous: "not async",
        generator: "or yield",
        lambda payload: payload: "its name '<lambda>'",
        functools.partial(two, 1): "decorates a function",
        Opaque: "decorates a function",
    }
    for function, text in expected.items():
        with pytest.raises(PluginError, match=text):
            task_type(function)


def test_the_error_names_the_function() -> None:
    def nameless(payload: int):  # type: ignore[no-untyped-def]
        return 0

    with pytest.raises(PluginError, match=r"test_tasktypes\.test_the_error.*\.nameless says"):
        task_type(nameless)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"name": "two words"}, "name 'two words'"),
        ({"name": "../etc"}, "name"),
        ({"name": "x" * (limits.TEXT_CHARS + 1)}, "1 to 256"),
        ({"version": ""}, "version ''"),
        ({"retries": -1}, r"its options.*retries"),
        ({"retries": "3"}, r"its options.*retries"),
        ({"timeout": -0.5}, r"its options.*timeout"),
        ({"priority": 10**9}, r"its options.*priority"),
        ({"requires": {"os": 1}}, r"its options.*requires"),
    ],
)
def test_arguments_out_of_range(arguments: dict[str, Any], text: str) -> None:
    def function(payload: int) -> int:
        return 0

    with pytest.raises(PluginError, match=text):
        task_type(**arguments)(function)


def test_untyped_encodes_and_decodes_but_does_not_run() -> None:
    kind = untyped("square", "1", "msgpack", "bytes")
    assert kind.encode_payload({"x": [1, None]}) == msgspec.msgpack.encode({"x": [1, None]})
    assert kind.decode_result(b"\xc1") == b"\xc1"
    with pytest.raises(PluginError, match="its plugin is absent"):
        kind(1)
    with pytest.raises(PayloadError):
        kind.encode_payload(Opaque())


def test_public_names() -> None:
    assert dc.task_type is task_type
    assert dc.Context is Context
