"""`make wheel`: builds the source package and a wheel of it, and tries the wheel as users have it.

    dist/*.tar.gz        the source package; the wheel is built of that, and of nothing else here
    dist/*.whl           the wheel; on Linux for as many as auditwheel finds that it runs on

The wheel is installed into a new environment and does some work there (tests/smoke.py). For other
systems and versions of Python, cibuildwheel does the same: see .github/workflows/wheels.yml.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
DIST: Final = ROOT / "dist"
MADE: Final = {".c", ".so", ".pyd", ".pyc"}
COMPILED: Final = ("_columns", "_core", "_frames")
REPORTS: Final = {f"{name}.html" for name in COMPILED}


def package_files() -> set[str]:
    """Return what belongs to the package, relative to the root, without what a build makes."""
    paths = (path for path in (ROOT / "dc").rglob("*") if path.is_file())
    return {
        path.relative_to(ROOT).as_posix()
        for path in paths
        if path.suffix not in MADE and "__pycache__" not in path.parts and path.name not in REPORTS
    }


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run a command, which finds the programs of this environment; say which."""
    words = [str(word) for word in command]
    print("$", " ".join(words), flush=True)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    subprocess.run(words, cwd=cwd, check=True, env={**os.environ, "PATH": path})


def missing_of_wheel(wheel: Path) -> set[str]:
    """Return what a wheel should have and has not, and what it has and should not have."""
    with zipfile.ZipFile(wheel) as file:
        names = {name for name in file.namelist() if not name.endswith("/")}
    own = {name for name in names if ".dist-info/" not in name}
    compiled = {name for name in own if Path(name).suffix in (".so", ".pyd")}
    assert {Path(name).name.partition(".")[0] for name in compiled} == set(COMPILED), compiled
    return package_files() ^ (own - compiled)


def missing_of_source(source: Path) -> set[str]:
    """Return what a source package should have and has not."""
    with tarfile.open(source) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    made = {name for name in names if Path(name).suffix in MADE}
    needed = package_files() | {"pyproject.toml", "setup.py", "LICENSE", "README.md"}
    return (needed - names) | made


def build(to: Path) -> tuple[Path, Path]:
    """Build both; return the source package and the wheel."""
    run(sys.executable, "-m", "build", "--outdir", to)
    (source,), (wheel,) = to.glob("*.tar.gz"), to.glob("*.whl")
    assert not missing_of_source(source), missing_of_source(source)
    assert not missing_of_wheel(wheel), missing_of_wheel(wheel)
    return source, wheel


def for_many(wheel: Path, to: Path) -> Path:
    """Return a wheel that says on which Linux it runs; elsewhere, the same."""
    if sys.platform != "linux":
        return wheel
    run(sys.executable, "-m", "auditwheel", "show", wheel)
    run(sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", to, wheel)
    (repaired,) = to.glob("*.whl")
    assert not missing_of_wheel(repaired), missing_of_wheel(repaired)
    return repaired


def try_out(wheel: Path, folder: Path) -> None:
    """Install a wheel into a new environment, and have it do some work."""
    place = folder / "environment"
    venv.create(place, with_pip=True)
    python = place / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    run(python, "-P", ROOT / "tests" / "smoke.py", cwd=folder)


def main() -> None:
    """Build, check, try; keep both packages in dist."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, wheel = build(folder / "built")
        wheel = for_many(wheel, folder / "repaired")
        try_out(wheel, folder)
        DIST.mkdir(exist_ok=True)
        for one in (source, wheel):
            print(shutil.copy(one, DIST))


if __name__ == "__main__":
    main()
