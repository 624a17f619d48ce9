"""What the worker reads first, told from texts in the order of reading."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from imagemaker import extensions, own, start
from imagemaker.places import TREE

STDLIB = "usr/lib/python3.11"
PACKAGES = "usr/lib/dc"

WORKER = """
import sys
from typing import TYPE_CHECKING

import one.two
from . import near
from .. import above as over
from .beside import thing

if TYPE_CHECKING:
    import for_types
else:
    import for_real
if sys.platform == "win32":
    import windows
elif sys.platform != "darwin":
    import posix_ones
if sys.platform == "linux" and not TYPE_CHECKING:
    import linux
if sys.platform == "win32" or sys.platform == "darwin":
    import others
if sys.platform != "linux":
    import others
try:
    import compiled
except ImportError:
    import replacement
class Klass:
    import inside
def later():
    import never
with open("x"):
    import within
if __name__ == "__main__":
    import tests
"""


def tree(root: Path, **more: str) -> Path:
    """Make modules; each is one line if nothing is said of it."""
    names = ["for_types", "for_real", "windows", "posix_ones", "linux", "others", "replacement"]
    names += ["inside", "never", "within", "tests", "above"]
    texts = {
        f"{STDLIB}/encodings/__init__.py": "import codecs",
        f"{STDLIB}/encodings/utf_8.py": "import codecs",
        f"{STDLIB}/codecs.py": "",
        **{f"{STDLIB}/{name}.py": "" for name in names},
        f"{PACKAGES}/one/__init__.py": "from one import two",
        f"{PACKAGES}/one/two.py": "",
        f"{PACKAGES}/dc/__init__.py": "from dc.above import x",
        f"{PACKAGES}/dc/above.py": "",
        f"{PACKAGES}/dc/worker/__init__.py": "",
        f"{PACKAGES}/dc/worker/near.py": "",
        f"{PACKAGES}/dc/worker/beside.py": "thing = 1",
        f"{PACKAGES}/dc/worker/__main__.py": WORKER,
        f"{PACKAGES}/compiled.cpython-311-x86_64-linux-gnu.so": "not really",
        start.INTERPRETER: "not really",
        **more,
    }
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def shown(paths: list[str]) -> list[str]:
    """Return paths of compiled modules as those of their texts, shortened."""
    return [
        path.replace("__pycache__/", "")
        .replace(".cpython-311.pyc", ".py")
        .removeprefix(f"{STDLIB}/")
        .removeprefix(f"{PACKAGES}/")
        for path in paths
    ]


def test_modules_are_found_before_what_they_import(tmp_path: Path) -> None:
    assert shown(start.files(tree(tmp_path))) == [
        start.INTERPRETER,
        *("encodings/__init__.py", "codecs.py", "encodings/utf_8.py"),
        *("dc/__init__.py", "dc/above.py", "dc/worker/__init__.py", "dc/worker/__main__.py"),
        *("one/__init__.py", "one/two.py", "dc/worker/near.py", "dc/worker/beside.py"),
        *("for_real.py", "posix_ones.py", "linux.py"),
        *("compiled.cpython-311-x86_64-linux-gnu.so", "replacement.py", "inside.py", "within.py"),
    ]


def test_the_list_is_in_the_image(tmp_path: Path) -> None:
    (tree(tmp_path) / "etc/dc").mkdir(parents=True)
    start.write(tmp_path)
    assert start.listed(tmp_path) == start.files(tmp_path)


def test_modules_that_import_each_other_are_found_once(tmp_path: Path) -> None:
    before = start.files(tree(tmp_path))
    texts = {f"{PACKAGES}/dc/worker/near.py": "import dc.worker.__main__, dc.worker.near, nobody"}
    assert start.files(tree(tmp_path, **texts)) == before


def test_a_package_that_takes_all_of_itself_is_found_once(tmp_path: Path) -> None:
    before = start.files(tree(tmp_path))
    texts = {f"{PACKAGES}/one/two.py": "from one import *\nfrom one.two import *\nfrom . import *"}
    found = start.files(tree(tmp_path, **texts))
    assert found == before
    assert len(set(found)) == len(found)


def test_it_is_what_this_very_worker_imports(tmp_path: Path) -> None:
    """Nothing of the package is missed, and little is too much."""
    for path in own.modules():
        (tmp_path / PACKAGES / "dc" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(TREE / "dc" / path, tmp_path / PACKAGES / "dc" / path)
    (tmp_path / "usr/bin").mkdir()
    (tmp_path / start.INTERPRETER).write_text("not really")
    code = f"import sys, {', '.join(start.ROOTS)}; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    real = {name for name in said.stdout.split() if name == "dc" or name.startswith("dc.")}
    told = {
        path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for path in shown(start.files(tmp_path))
    }
    compiled = {f"dc.{name}" for name in extensions.NAMES}
    assert real - told <= compiled
    extra = {name for name in told - real if name.startswith("dc.")}
    assert len(extra) < 10, sorted(extra)
