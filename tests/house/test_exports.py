"""The public names of dc are those that it lists, and each is documented."""

from __future__ import annotations

import importlib.metadata
import inspect
import subprocess
import sys
import tomllib
from pathlib import Path

import dc
import dc._columns
import dc._core
import dc._frames
from dc import errors

ROOT = Path(__file__).parent.parent.parent


def test_all_is_what_is_there() -> None:
    modules = {name for name in dir(dc) if inspect.ismodule(getattr(dc, name))}
    public = {name for name in dir(dc) if not name.startswith("_")} - modules - {"annotations"}
    assert public == set(dc.__all__) - {"__version__"}
    assert list(dc.__all__) == sorted(dc.__all__)


def test_names_of_clients_are_imported_when_they_are_asked_for() -> None:
    program = """if True:
        import sys
        import dc, dc.worker.child
        heavy = {name for name in sys.modules if name.partition(".")[0] in ("trio", "h11", "ssl")}
        assert not heavy, heavy
        assert not [name for name in sys.modules if name.startswith("dc.client")]
        from dc import *
        assert all(name in globals() for name in dc.__all__)
        assert Client is dc.Client and "Client" in dir(dc)
        try:
            dc.Cliente
        except AttributeError as error:
            assert "Cliente" in str(error)
        else:
            raise AssertionError
    """
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_what_only_servers_need_of_certificates_is_imported_by_no_other() -> None:
    """A slow computer that boots from the image would read 36 modules more before a task."""
    program = """if True:
        import sys
        from dc import *
        import dc.worker.__main__
        names = ("cryptography.x509", "cryptography.hazmat.primitives.serialization")
        assert not [name for name in sys.modules if name.startswith((*names, "dc.certificates"))]
    """
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_every_public_name_is_described() -> None:
    for name in dc.__all__:
        if not name.startswith("__"):
            assert inspect.getdoc(getattr(dc, name)), name


def test_every_error_is_public_and_has_a_code_of_its_own() -> None:
    kinds = [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.DcError)
    ]
    codes = [kind.code for kind in kinds]
    assert len(codes) == len(set(codes))
    for kind in kinds:
        assert inspect.getdoc(kind)
        assert type(errors.by_code(kind.code, "text")) is kind


def test_an_unknown_code_is_a_plain_error() -> None:
    error = errors.by_code("nonsense", "text")
    assert type(error) is errors.DcError
    assert str(error) == "nonsense: text"


def test_the_version_is_that_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert dc.__version__ == project["version"]
    assert importlib.metadata.version("distributed-computing") == dc.__version__


def test_what_is_to_be_fast_is_compiled() -> None:
    for module in (dc._columns, dc._core, dc._frames):
        assert not str(module.__file__).endswith((".py", ".pyx"))


def test_no_command_is_called_like_the_desk_calculator() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert set(project["scripts"]) == {"dctl"}


def test_the_stubs_say_what_is_compiled() -> None:
    command = [sys.executable, "-m", "mypy.stubtest", "dc._columns", "dc._core", "dc._frames"]
    allowed = ROOT / "tests" / "house" / "stub_allowlist.txt"
    command += ["--allowlist", str(allowed), "--mypy-config-file", str(ROOT / "pyproject.toml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
