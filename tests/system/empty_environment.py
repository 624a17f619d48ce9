"""An environment with nothing but what dc needs, and a wheel with a compiled module to install."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

from tests.system.processes import ROOT

COMPILED: Final = """\
#include <Python.h>
static PyObject *twice(PyObject *self, PyObject *number) {
    return PyLong_FromLong(2 * PyLong_AsLong(number));
}
static PyMethodDef methods[] = {{"twice", twice, METH_O, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "dc_test_twice", "", -1, methods};
PyMODINIT_FUNC PyInit_dc_test_twice(void) { return PyModule_Create(&module); }
"""
SETUP: Final = """\
from setuptools import Extension, setup
modules = [Extension("dc_test_twice", ["twice.c"])]
setup(name="dc-test-twice", version="1.0", ext_modules=modules)
"""


def needed(names: Sequence[str]) -> Iterator[importlib.metadata.Distribution]:
    """Yield the installed packages of these names, and all that they need."""
    todo, seen = list(names), set[str]()
    while todo:
        name = todo.pop().lower().replace("_", "-")
        if name not in seen:
            seen.add(name)
            found = importlib.metadata.distribution(name)
            yield found
            wanted = map(Requirement, found.requires or ())
            todo += [one.name for one in wanted if not one.marker or one.marker.evaluate()]


def empty_environment(folder: Path, *more: str) -> Path:
    """Make an environment with dc, what it depends on, and `more`; return its Python.

    Nothing is fetched: packages are links to those that are installed beside this Python, and dc is
    one to its sources here.
    """
    venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
    (site,) = (folder / "lib").glob("python*/site-packages")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (site / "dc").symlink_to(ROOT / "dc")
    names = [Requirement(one).name for one in project["dependencies"]]
    for found in needed([*names, *more]):
        for path in {one.parts[0] for one in found.files or ()}:
            there = Path(str(found.locate_file(path)))
            if path not in ("..", "__pycache__") and not (site / path).exists():
                (site / path).symlink_to(there)
    return folder / "bin" / "python"


def compiled_wheel(folder: Path) -> Path:
    """Build a wheel `dc-test-twice` with a compiled module; return the folder that it is in."""
    source, wheels = folder / "source", folder / "wheels"
    source.mkdir(parents=True)
    (source / "twice.c").write_text(COMPILED)
    (source / "setup.py").write_text(SETUP)
    command = [sys.executable, "setup.py", "-q", "bdist_wheel", "-d", str(wheels)]
    done = subprocess.run(
        command, cwd=source, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(list(wheels.glob("*.whl"))) == 1
    return wheels
