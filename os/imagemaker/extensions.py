"""Compiles the package's own modules (Cython, then C) for the image.

Headers and libraries are those of the image's packages, whatever this computer's own C library is,
and nothing of where it was built gets into the result.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from imagemaker import debs, kept, packages, wheels
from imagemaker.interpreter import Tools
from imagemaker.lock import Lock
from imagemaker.places import TREE, Build
from imagemaker.running import run, tool

NAMES: Final = ("_columns", "_frames")
"""Of dc/*.pyx, those that a worker imports; `_core` is the server's scheduler."""

FLAGS: Final = ("-O2", "-fno-strict-aliasing", "-fPIC", "-shared", "-Wl,--build-id=none")
"""As setup.py has them; an id of the build would be all that tells two builds apart."""


def extensions(build: Build, lock: Lock, tools: Tools) -> Path:
    """Compile them, once for each text; return the folder that they are in.

    Args:
        build: what is built.
        lock: of Debian's packages.
        tools: the interpreter that Cython runs in.

    Raises:
        ImageError: something was not downloaded, or a compiler failed.
    """
    compiler = tool(build.arch.compilers)
    cython = wheels.files(build.build_wheel_lock, build.build_wheels)

    def make(folder: Path) -> None:
        root = sysroot(build, lock)
        with_cython = folder / "cython"
        for wheel in cython:
            wheels.unpack(wheel, with_cython, lambda _: True)
        for name in NAMES:
            _translate(tools, with_cython, folder, name)
            _compile(build, compiler, root, folder, name)
            (folder / f"{name}.c").unlink()
            (folder / f"{name}.pyx").unlink()
        shutil.rmtree(with_cython)

    name = kept.key(
        lock.key(packages.HEADERS),
        build.build_wheel_lock.read_bytes(),
        run([compiler, "--version"]),
        kept.of_programs("extensions"),
        *((TREE / "dc" / f"{name}.pyx").read_bytes() for name in NAMES),
    )
    return kept.kept(build.made, "extensions", name, make)


def sysroot(build: Build, lock: Lock) -> Path:
    """Unpack headers and libraries, once for each lock."""

    def make(folder: Path) -> None:
        debs.unpack_all(lock.of(packages.HEADERS), build.debs, folder)

    name = kept.key(lock.key(packages.HEADERS), kept.of_programs("debs"))
    return kept.kept(build.made, "sysroot", name, make)


def _translate(tools: Tools, cython: Path, folder: Path, name: str) -> None:
    """Make C of Cython's text. The name it knows itself by is that of the tree."""
    shutil.copyfile(TREE / "dc" / f"{name}.pyx", folder / f"{name}.pyx")
    directives = "language_level=3,auto_pickle=False,embedsignature=True"
    program = (
        "import os, sys; os.chdir(sys.argv.pop(1)); "
        "from Cython.Compiler.Main import setuptools_main; setuptools_main()"
    )
    words = ["-X", directives, "--module-name", f"dc.{name}", f"{name}.pyx", "-o", f"{name}.c"]
    tools.python(["-c", program, folder, *words], path=[cython])


def _compile(build: Build, compiler: str, root: Path, folder: Path, name: str) -> None:
    made = folder / f"{name}{build.arch.extension_suffix}"
    headers = root / "usr" / "include"
    run(
        [
            *(compiler, f"--sysroot={root}", *FLAGS),
            *(f"-ffile-prefix-map={root}=/", f"-ffile-prefix-map={folder}=/dc"),
            *("-DNDEBUG", f"-I{headers}/python3.11"),
            *(f"-I{headers}/{build.arch.triplet}/python3.11", f"-I{headers}/{build.arch.triplet}"),
            *("-o", made, f"{name}.c"),
        ],
        folder=folder,
    )
    run([tool(build.arch.strips), "--strip-unneeded", made])
