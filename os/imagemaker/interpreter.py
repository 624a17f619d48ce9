"""The interpreter that compiles the image's modules: the image's own, as Debian has it.

That of the computer it is built on may be of another version, whose compiled modules would be of
no use. It is run by the C library that came with it.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imagemaker import debs, kept, packages
from imagemaker.arch import Arch
from imagemaker.lock import Lock
from imagemaker.places import Build
from imagemaker.running import run


@dataclass(frozen=True)
class Tools:
    """Programs of Debian's packages that run on this computer.

    Attributes:
        root: where they are unpacked.
        arch: of this computer.
    """

    root: Path
    arch: Arch

    def python(self, words: Sequence[str | Path], path: Sequence[Path] = ()) -> bytes:
        """Run the interpreter.

        Args:
            words: its arguments.
            path: folders of modules.

        Returns:
            What it printed.

        Raises:
            ImageError: it failed.
        """
        libraries = self.root / "usr" / "lib" / self.arch.triplet
        return run(
            [
                *(self.root / self.arch.loader, "--library-path", libraries),
                *(self.root / "usr/bin/python3.11", "-s", "-B", *words),
            ],
            environment={
                "PYTHONHOME": str(self.root / "usr"),
                "PYTHONPATH": ":".join(str(one) for one in path),
                "PYTHONHASHSEED": "0",
            },
        )

    def applets(self) -> list[str]:
        """Return the paths, from the root, under which busybox is to be called."""
        said = run([self.root / "bin" / "busybox", "--list-full"]).decode()
        return sorted(said.split())


def tools(build: Build, arch: Arch, lock: Lock) -> Tools:
    """Unpack the tools, once for each lock.

    Args:
        build: what is built.
        arch: of this computer.
        lock: of its packages.
    """

    def make(folder: Path) -> None:
        debs.unpack_all(lock.of(packages.TOOLS), build.debs, folder)

    name = kept.key(lock.key(packages.TOOLS), kept.of_programs("debs"))
    return Tools(kept.kept(build.work / "tools", arch.name, name, make), arch)


def compile_tree(with_tools: Tools, root: Path, folders: Sequence[str]) -> None:
    """Compile all modules in these folders of a root, to files that say nothing of where that is.

    Args:
        with_tools: what compiles.
        root: the image's files.
        folders: below it.
    """
    for folder in folders:
        for old in sorted((root / folder).rglob("__pycache__")):
            shutil.rmtree(old)
    with_tools.python([Path(__file__).with_name("compile_modules.py"), root, *folders])
