"""The package in the image: whatever is in it finds all that it imports."""

from __future__ import annotations

import ast
from pathlib import Path, PurePosixPath

import pytest
from imagemaker import extensions, own, packages

ROOT = Path(__file__).parent.parent.parent
MODULES = own.modules()


def named(path: PurePosixPath) -> str:
    parts = ("dc", *path.with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


HERE = {named(path) for path in MODULES} | {f"dc.{name}" for name in extensions.NAMES}
ALL = {
    named(PurePosixPath(path.relative_to(ROOT / "dc").as_posix()))
    for path in (ROOT / "dc").rglob("*.py")
} | {f"dc.{path.stem}" for path in (ROOT / "dc").glob("*.pyx")}


def imported(path: Path) -> set[str]:
    """Return the modules of the package that a file imports, or names as text to import them."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return found & ALL


# mDNS asks for what is left out because of its size; without it, it finds nothing.
MAY_BE_MISSING = {"dc/worker/discovering.py": {"dc.mdns"}}


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_what_it_imports_is_there(path: PurePosixPath) -> None:
    missing = imported(ROOT / "dc" / path) - HERE
    assert missing <= MAY_BE_MISSING.get(f"dc/{path}", set())


def test_what_is_left_out_is_there_to_be_left_out() -> None:
    for pattern in own.LEFT_OUT:
        assert list((ROOT / "dc").glob(pattern)), pattern
    assert {"dc.worker.__main__", "dc.executor", "dc.client", "dc"} <= HERE
    assert not {"dc.server", "dc.cli", "dc.testing"} & HERE
    assert imported(ROOT / "dc" / "worker" / "discovering.py") & {"dc.mdns"}


def test_what_it_imports_of_others_is_in_the_image() -> None:
    """Names that are imported, and the packages that have them."""
    of_others = {"backports": "backports-zstd"}
    have = {name.replace("-", "_") for name in packages.WHEELS}
    known = have | {"zeroconf", "opentelemetry", "rich"}
    for path in MODULES:
        for node in ast.walk(ast.parse((ROOT / "dc" / path).read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                top = node.module.split(".")[0]
                if top in known | set(of_others):
                    assert of_others.get(top, top).replace("-", "_") in have, path
