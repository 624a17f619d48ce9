"""Compiles all modules below a root: `python compile_modules.py ROOT FOLDER ...`.

It is run by the image's interpreter, and imports nothing of this package. The files have no date of
their source in them, and are not checked against it: in the image neither ever changes.
"""

from __future__ import annotations

import py_compile
import sys
from pathlib import Path


def main() -> None:
    """Compile them, in an order that is always the same."""
    root = Path(sys.argv[1])
    for folder in sys.argv[2:]:
        for path in sorted((root / folder).rglob("*.py")):
            py_compile.compile(
                str(path),
                dfile=f"/{path.relative_to(root).as_posix()}",
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )


if __name__ == "__main__":
    main()
