"""Which files the worker reads when it starts, and in which order: modules of Python, libraries.

The small ones are kept apart from the rest of the image, in smaller blocks (initrd.py): reading one
costs the kernel as much as a whole block is large, and there are hundreds of them. And all are read
ahead by the first program, while the next ones do their work (os/initramfs/init).

What a module imports is told from its text, without running any: what stands in its functions is
imported later or never. A module that is found too much or too little costs a little time at the
start, and nothing else.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from imagemaker import base, elf

ROOTS: Final = (
    "encodings.utf_8",
    "runpy",
    "site",
    "dc.worker.booted",
    "dc.worker.child",
    "dc.worker.__main__",
)
"""What the interpreter itself reads, the agent, and an executor."""

FOLDERS: Final = (base.PACKAGES, base.PYTHON, f"{base.PYTHON}/lib-dynload")
"""Where modules are looked for, from the root of the image."""

INTERPRETER: Final = "usr/bin/python3.11"
LIBRARIES: Final = "usr/lib/*-linux-gnu"

ELSEWHERE: Final = {"__main__", "darwin", "nt", "win32"}
"""Names of a module that is run itself, and of systems: what is imported for those alone."""

HERE: Final = {"linux", "posix"}
"""The system of the image."""

LISTED: Final = "etc/dc/start"
"""The file that lists them in the image, in the order in which they are read."""


def files(root: Path) -> list[str]:
    """Return the paths of what is read, below `root`, in the order of reading.

    Args:
        root: of the image's files.
    """
    walk = _Walk(root)
    walk.read(root / INTERPRETER)
    for name in ROOTS:
        walk.visit(name)
    return [path.relative_to(root).as_posix() for path in walk.found]


def write(root: Path) -> None:
    """Find them, and write the list into the image."""
    (root / LISTED).write_text("".join(f"{path}\n" for path in files(root)))


def listed(root: Path) -> list[str]:
    """Return the list that is in the image."""
    return (root / LISTED).read_text().splitlines()


class _Walk:
    """Visits modules, each once, before what it imports; libraries before what needs them."""

    def __init__(self, root: Path) -> None:
        self.found: list[Path] = []
        self._root = root
        self._libraries = {path.name: path for path in sorted(root.glob(f"{LIBRARIES}/*.so*"))}
        self._seen: set[str] = set()

    def visit(self, name: str) -> None:
        """Visit a module, behind the packages that it is in; nothing if there is none."""
        if name in self._seen:
            return
        self._seen.add(name)
        package, _, _ = name.rpartition(".")
        if package:
            self.visit(package)
        path = self._path(name)
        if path is None:
            return
        if path.suffix == ".so":
            self.read(path)
            return
        self.found.append(path.parent / "__pycache__" / f"{path.stem}.cpython-311.pyc")
        inside = name if path.stem == "__init__" else package
        for one in _imported(ast.parse(path.read_bytes()).body, inside):
            self.visit(one)

    def read(self, program: Path) -> None:
        """Take a program or a library, behind those that it needs."""
        path = program.resolve()
        if path in self.found:
            return
        for name in elf.needed(path.read_bytes()):
            if name in self._libraries:
                self.read(self._libraries[name])
        self.found.append(path)

    def _path(self, name: str) -> Path | None:
        below = name.replace(".", "/")
        for folder in (self._root / one for one in FOLDERS):
            texts = [folder / f"{below}/__init__.py", folder / f"{below}.py"]
            for path in (*texts, *sorted(folder.glob(f"{below}.*.so"))):
                if path.is_file():
                    return path
        return None


def _imported(body: Sequence[ast.stmt], package: str) -> Iterator[str]:
    """Yield what may be modules, as the statements of a module import them."""
    for statement in body:
        match statement:
            case ast.Import():
                yield from (alias.name for alias in statement.names)
            case ast.ImportFrom():
                parent = _parent(statement, package)
                yield parent
                names = [alias.name for alias in statement.names if alias.name != "*"]
                yield from (f"{parent}.{name}" for name in names)
            case ast.If() if _is_never(statement.test):
                yield from _imported(statement.orelse, package)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                pass
            case _:
                for part in ("body", "handlers", "orelse", "finalbody"):
                    yield from _imported(getattr(statement, part, ()), package)


def _parent(statement: ast.ImportFrom, package: str) -> str:
    """Return the module that names are imported from."""
    parts = package.split(".")[: len(package.split(".")) - max(statement.level - 1, 0)]
    above = parts if statement.level else []
    return ".".join([*above, *([statement.module] if statement.module else [])])


def _is_never(test: ast.expr) -> bool:
    """Whether a condition holds in no worker of the image, but where types are checked, say."""
    match test:
        case ast.Compare(ops=[ast.Eq()], comparators=[ast.Constant(value)]):
            return value in ELSEWHERE
        case ast.Compare(ops=[ast.NotEq()], comparators=[ast.Constant(value)]):
            return value in HERE
        case ast.BoolOp(op=ast.And()):
            return any(map(_is_never, test.values))
        case ast.BoolOp(op=ast.Or()):
            return all(map(_is_never, test.values))
    return "TYPE_CHECKING" in {getattr(test, "id", ""), getattr(test, "attr", "")}
