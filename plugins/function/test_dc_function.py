"""The function plugin: what travels, what cannot, and another Python than this one."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import operator
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import dc_function
import pytest
from dc_function import PYTHON, SAME_PYTHON, Call, Returned, call, function, remote

import dc
import dc.testing
from dc.plugins import load_plugins
from dc.requirements import parse_condition

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _this_module_travels() -> Iterator[None]:
    """Have this module's functions pickled as those of a script are."""
    module = sys.modules[__name__]
    dc_function.take_along(module)
    yield
    cloudpickle.unregister_pickle_by_value(module)


def run(target: Any, *args: Any, **kwargs: Any) -> Any:
    return dc.testing.run(function, call(target, *args, **kwargs)).value


@dataclasses.dataclass
class Point:
    x: int
    y: int


def swapped(point: Point) -> Point:
    return Point(point.y, point.x)


@remote
def factorial(number: int) -> int:
    """Return 1 * 2 * … * number."""
    return number * factorial(number - 1) if number else 1


class Jobs:
    """A client whose tasks run here."""

    def __init__(self) -> None:
        self.options: list[dict[str, Any]] = []

    def submit(self, kind: dc.TaskType, payloads: Any, **options: Any) -> Any:
        self.options.append(options)
        done = [dc.testing.run(kind, one) for one in payloads]
        return types.SimpleNamespace(results=lambda: iter(done))


def test_functions_of_all_kinds() -> None:
    offset = 5
    assert run(lambda number: number + offset, 2) == 7
    assert run(pow, 2, exp=10) == 1024
    assert run(functools.partial(operator.add, 1), 2) == 3
    assert run("{}-{}".format, 1, 2) == "1-2"
    assert run(len, bytes(10**6)) == 10**6


def test_values_of_own_classes_come_back_as_such() -> None:
    assert run(swapped, Point(1, 2)) == Point(2, 1)
    assert isinstance(run(lambda: Point(1, 2)), Point)
    assert run(lambda: lambda: 3)() == 3


def test_a_decorated_function_that_calls_itself() -> None:
    assert factorial(5) == 120
    assert (factorial.__name__, factorial.__doc__) == ("factorial", "Return 1 * 2 * … * number.")
    assert dc.testing.run(function, factorial.call(6)).value == 720


def test_map_and_on() -> None:
    client: Any = Jobs()
    assert list(dc_function.map(client, pow, [2, 3], [5, 2, 1], priority=3)) == [32, 9]
    assert list(factorial.map(client, range(4), requires={"os": "linux"})) == [1, 1, 2, 6]
    assert factorial.on(client, 4) == 24
    assert client.options == [
        {"priority": 3, "requires": SAME_PYTHON, "name": "pow"},
        {"requires": {**SAME_PYTHON, "os": "linux"}, "name": "factorial"},
        {"requires": SAME_PYTHON, "name": "factorial"},
    ]


def test_what_is_required_holds_for_this_python_alone() -> None:
    major, minor, micro = sys.version_info[:3]
    terms = parse_condition(SAME_PYTHON["python"])

    def holds(version: str) -> bool:
        return all(term.holds(version) for term in terms)

    assert holds(f"{major}.{minor}")
    assert holds(f"{major}.{minor}.{micro}")
    assert holds(f"{major}.{minor}.99")
    assert not holds(f"{major}.{minor - 1}.9")
    assert not holds(f"{major}.{minor + 1}")


def told(number: int, context: dc.Context, *, more: int = 0) -> tuple[int, int]:
    context.progress(0.5, "half")
    return context.job, number + more


def test_a_function_that_wants_the_context() -> None:
    took = dc.testing.Told()
    result = dc.testing.run(function, call(told, 3, more=4), told=took)
    assert result.value == (1, 7)
    assert took.progressed == [(0.5, "half")]
    assert dc.testing.run(function, call(remote(told), 8)).value == (1, 8)


def test_split_and_merge() -> None:
    calls = [call(operator.mul, 2, 3), call(str, 4)]
    assert dc.testing.run_all(function, *calls) == [6, "4"]
    with pytest.raises(dc.PayloadError, match="use the type python"):
        dc.testing.run_all(function, "math:sqrt")


def test_another_python_is_told_before_anything_is_unpickled() -> None:
    given = call(pow, 2, 3)
    given.python = "cpython 3.9"
    given.function = given.arguments = b"no pickle"
    with pytest.raises(
        dc.PayloadError, match=r"pow was pickled by cpython 3\.9, and this is cpyth"
    ):
        dc.testing.run(function, given)
    with pytest.raises(dc.PayloadError, match=r"the result was pickled by cpython 3\.9"):
        _ = Returned("cpython 3.9", b"no pickle").value


def test_what_the_function_raises() -> None:
    def falls(down: str) -> None:
        raise LookupError(down)

    with pytest.raises(LookupError, match="deep") as caught:
        run(falls, "deep")
    assert [one.name for one in caught.traceback][-1] == "falls"


@pytest.mark.parametrize("ending", [SystemExit, KeyboardInterrupt])
def test_what_is_no_exception(ending: type[BaseException]) -> None:
    def ends() -> None:
        raise ending

    with pytest.raises(ending):
        run(ends)


def test_what_cannot_be_pickled() -> None:
    with contextlib.closing(number for number in range(3)) as generator:
        with pytest.raises(dc.PayloadError, match="the arguments of len cannot be pickled"):
            call(len, generator)
        with pytest.raises(dc.PayloadError, match="<lambda> cannot be pickled"):
            call(lambda: generator)
    with pytest.raises(dc.PayloadError, match="3 is no function"):
        call(3)  # type: ignore[arg-type]
    with pytest.raises(dc.PayloadError, match="the result of <lambda> cannot be pickled"):
        run(lambda: sys._getframe())


def test_bytes_that_are_no_pickle() -> None:
    for given in (Call("f", PYTHON, b"no pickle", b""), Call("f", PYTHON, b"", b"")):
        with pytest.raises(dc.PayloadError, match="f cannot be unpickled"):
            dc.testing.run(function, given)
    wrong = call(len, 1)
    wrong.arguments = b"\x80"
    with pytest.raises(dc.PayloadError, match="the arguments of len cannot be unpickled"):
        dc.testing.run(function, wrong)


def test_module_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "module_of_mine.py").write_text("def double(number): return 2 * number\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = __import__("module_of_mine")
    named, whole = call(module.double, 4), None
    dc_function.take_along("module_of_mine")
    try:
        whole = call(module.double, 4)
    finally:
        cloudpickle.unregister_pickle_by_value(module)
        monkeypatch.undo()
        del sys.modules["module_of_mine"]
    with pytest.raises(dc.PayloadError, match="needs the module 'module_of_mine', which is not he"):
        dc.testing.run(function, named)
    assert dc.testing.run(function, whole).value == 8


def test_in_a_real_executor() -> None:
    payloads = [call(lambda: Point(1, 2)), factorial.call(5)]
    first, second = dc.testing.run_in_executor(HERE, "function", payloads)
    values = [Returned(one.python, one.pickled).value for one in (first, second)]
    assert values == [Point(1, 2), 120]


def test_traceback_from_a_real_executor() -> None:
    def falls() -> None:
        raise LookupError("deep")

    with pytest.raises(dc.TaskFailed, match="LookupError: deep") as caught:
        dc.testing.run_in_executor(HERE, "function", [call(falls)])
    assert "in falls" in caught.value.traceback
    assert "in function" not in caught.value.traceback


def test_what_pickles_is_needed_where_it_is_used_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    given = call(pow, 2, 3)
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    plugins = load_plugins([HERE], entry_points=False)
    assert not plugins.broken
    plugins.get("function").check_payload(function.encode_payload(given))
    with pytest.raises(dc.PluginError, match="pip install cloudpickle"):
        dc.testing.run(function, given)
