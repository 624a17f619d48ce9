"""Small and plain: files and functions keep to their bounds."""

from __future__ import annotations

import ast
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FILE_LINES = 450
FUNCTION_LINES = 45  # 40 is the aim; a table or a match statement may need a little more
MEDIAN_LINES = 10

FOLDERS = ("dc", "os/imagemaker", "plugins")
FILES = sorted(path for name in FOLDERS for path in (ROOT / name).rglob("*.py"))


def functions(path: Path) -> list[tuple[str, int]]:
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno is not None
            found.append((f"{path.name}:{node.lineno} {node.name}", node.end_lineno - node.lineno))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_small(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= FILE_LINES
    for name, lines in functions(path):
        assert lines < FUNCTION_LINES, name


def test_most_functions_are_short() -> None:
    lines = [count + 1 for path in FILES for _, count in functions(path)]
    assert statistics.median(lines) <= MEDIAN_LINES
