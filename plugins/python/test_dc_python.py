"""The python plugin: functions that are there, and paths that name none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from dc_python import Call, dc_worker_labels, python

import dc
import dc.testing


def test_functions() -> None:
    assert dc.testing.run(python, Call("math:hypot", [3, 4])) == 5.0
    assert dc.testing.run(python, Call("builtins:dict", [], {"a": [1, None]})) == {"a": [1, None]}
    assert dc.testing.run(python, Call("builtins:bytes.fromhex", ["00ff"])) == b"\x00\xff"
    assert dc.testing.run(python, Call("os.path:basename", ["/a/b"])) == "b"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("", "must be written module:name"),
        ("math.sqrt", "must be written module:name"),
        (":sqrt", "must be written module:name"),
        ("no_such_module:x", "no module 'no_such_module' on this worker"),
        ("os.no_such:x", "no module 'os.no_such' on this worker"),
        ("math:no_such", "math has no no_such"),
        ("math:pi", "is no function but float"),
    ],
)
def test_paths_that_name_no_function(path: str, text: str) -> None:
    with pytest.raises(dc.PayloadError, match=text):
        dc.testing.run(python, Call(path))


def test_module_whose_own_import_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_a_module.py").write_text("import no_such_module\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        dc.testing.run(python, Call("half_a_module:x"))


def test_what_the_function_raises_and_what_cannot_travel() -> None:
    with pytest.raises(ValueError, match=r"math domain error|nonnegative"):
        dc.testing.run(python, Call("math:sqrt", [-1]))
    with pytest.raises(dc.PluginError, match="result of python"):
        dc.testing.run(python, Call("builtins:object"))


def test_inputs_of_the_command_line() -> None:
    given = ["math:hypot [3, 4]", 'builtins:dict {"a": 1}', "os:getpid", "math:sqrt 4", Call("a:b")]
    assert list(python.split_inputs(*given)) == [
        Call("math:hypot", [3, 4]),
        Call("builtins:dict", [], {"a": 1}),
        Call("os:getpid"),
        Call("math:sqrt", [4]),
        Call("a:b"),
    ]
    with pytest.raises(dc.PayloadError, match="its arguments are no JSON"):
        list(python.split_inputs("math:sqrt four"))


def test_labels_and_a_real_executor() -> None:
    assert dc_worker_labels()["python"] == f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = Path(__file__).parent
    assert dc.testing.run_in_executor(folder, "python", [Call("math:sqrt", [4])]) == [2.0]
