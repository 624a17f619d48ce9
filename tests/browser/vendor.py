"""Makes what the page uses of others: `python -m tests.browser.vendor`, or `make vendor`.

The packages are those of `dc/web/vendor/package-lock.json`, with the digests that stand there; they
become one module by esbuild, whose version stands there too. So everybody makes the same bytes.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

PLACE: Final = Path(__file__).parent.parent.parent / "dc" / "web" / "vendor"
SOURCES: Final = ("package.json", "package-lock.json", "entry.js")
MADE: Final = ("vendor.js", "uplot.css", "LICENSES.txt")
PACKAGES: Final = ("preact", "htm", "uplot")
MISSING: Final = "npm is missing: install Node.js 20 or newer (Debian and Ubuntu: apt install npm)"
OPTIONS: Final = ("--bundle", "--minify", "--format=esm", "--target=es2022", "--log-level=warning")


def build(folder: Path) -> None:
    """Make the bundle, the style and the licences in a folder.

    Args:
        folder: where; empty.

    Raises:
        RuntimeError: a program is missing or fails; the text says what to do.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError(MISSING)
    for name in SOURCES:
        shutil.copy(PLACE / name, folder)
    _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
    modules = folder / "node_modules"
    esbuild = modules / ".bin" / "esbuild"
    _run(
        [str(esbuild), "entry.js", *OPTIONS, "--legal-comments=none", "--outfile=vendor.js"], folder
    )
    style = modules / "uplot" / "dist" / "uPlot.min.css"
    _run([str(esbuild), str(style), "--minify", "--outfile=uplot.css"], folder)
    (folder / "LICENSES.txt").write_text("\n".join(map(_license, map(modules.joinpath, PACKAGES))))


def _license(package: Path) -> str:
    text = next(package.glob("LICENSE*")).read_text("utf-8").strip()
    return f"# {package.name}\n\n{text}\n"


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def main() -> None:
    """Make the files anew where they belong."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            build(Path(folder))
        except RuntimeError as error:
            sys.exit(str(error))
        for name in MADE:
            shutil.copy(Path(folder, name), PLACE)


if __name__ == "__main__":
    main()
