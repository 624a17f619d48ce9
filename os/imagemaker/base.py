"""The part of the image that is other people's: libraries, busybox, Python and its packages.

It is made once for each lock; the package `dc` and the image's own files are laid over a copy.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Final

from imagemaker import debs, interpreter, kept, packages, wheels
from imagemaker.interpreter import Tools
from imagemaker.lock import Lock
from imagemaker.places import Build
from imagemaker.running import run, tool

PACKAGES: Final = "usr/lib/dc"
"""Where Python finds the package and what it imports, from the root."""

PYTHON: Final = "usr/lib/python3.11"

SHARE_KEPT: Final = {"doc"}
"""What is kept of /usr/share: under which terms everything is here."""

PRUNED: Final = (
    "usr/lib/*/gconv",
    "usr/lib/*/libexpatw.so*",
    "usr/lib/*/libnsl.so*",
    "usr/lib/*/libBrokenLocale.so*",
    "usr/lib/*/libnss_compat.so*",
    "usr/lib/*/engines-3",
    "usr/lib/*/audit",
    "usr/lib/*/libc_malloc_debug.so*",
    "usr/lib/*/libmemusage.so",
    "usr/lib/*/libmvec.so*",
    "usr/lib/*/libnss_hesiod.so*",
    "usr/lib/*/libthread_db.so*",
    "usr/lib/*/libpcprofile.so",
    "usr/lib/*/perl*",
    "usr/lib/binfmt.d",
    "usr/lib/valgrind",
    "usr/sbin/update-ca-certificates",
    "usr/bin/pdb3.11",
    "usr/bin/pydoc3.11",
    "usr/bin/pygettext3.11",
    "etc/ca-certificates*",
    "etc/init.d",
    "etc/ld.so.conf.d",
    "etc/python3.11",
)

PYTHON_PRUNED: Final = (
    "_aix_support.py",
    "_osx_support.py",
    "_pydecimal.py",
    "_pyio.py",
    "ctypes/macholib",
    "curses",
    "msilib",
    "test",
    "idlelib",
    "tkinter",
    "turtle*",
    "ensurepip",
    "lib2to3",
    "pydoc_data",
    "distutils",
    "_distutils_system_mod.py",
    "config-3.11-*",
    "sitecustomize.py",
    "EXTERNALLY-MANAGED",
    "lib-dynload/_curses*",
    "lib-dynload/_dbm*",
    "lib-dynload/nis*",
    "lib-dynload/readline*",
    "lib-dynload/ossaudiodev*",
    "lib-dynload/_tkinter*",
    "lib-dynload/_ctypes_test*",
    "lib-dynload/_test*",
    "lib-dynload/_xx*",
    "lib-dynload/xx*",
)
"""Of the standard library: tests, windows, installers, what other systems have, what stands in for
compiled modules that are here, and what needs a library that is not.
EXTERNALLY-MANAGED is Debian's word that its own tools install here; there are none."""

WHEEL_PRUNED: Final = {"tests", "_tests", "test", "testing", "docs", "include", "_cffi"}
"""Folders in packages of Python: tests and what helps them, and headers. `_cffi` is what one of
them has for another interpreter."""

WHEELS_PRUNED: Final = {"cffi"}
"""Packages of Python that nothing in the image imports: of this one its compiled module is used,
which lies beside it."""

WHEEL_SUFFIXES_PRUNED: Final = {".pyi", ".pyx", ".pxd", ".c", ".h", ".pyc"}
METADATA_KEPT: Final = {"METADATA", "entry_points.txt", "LICENSE", "COPYING"}


def is_wanted(path: PurePosixPath) -> bool:
    """Whether a file of a package of Python is of use in the image."""
    if WHEEL_PRUNED & set(path.parts[:-1]) or path.suffix in WHEEL_SUFFIXES_PRUNED:
        return False
    if path.parts[0] in WHEELS_PRUNED:
        return False
    if ".dist-info" in path.parts[0]:
        return path.stem in METADATA_KEPT or "licenses" in path.parts
    return ".data/" not in str(path)


def base(build: Build, lock: Lock, tools: Tools) -> Path:
    """Make it, once for each lock; return its root.

    Args:
        build: what is built.
        lock: of Debian's packages.
        tools: what compiles modules.

    Raises:
        ImageError: something was not downloaded.
    """
    found = wheels.files(build.wheel_lock, build.wheels)

    def make(folder: Path) -> None:
        debs.unpack_all(lock.of(packages.ROOT), build.debs, folder)
        _bundle_certificates(folder)
        prune(folder)
        _link(folder, tools)
        for wheel in found:
            wheels.unpack(wheel, folder / PACKAGES, is_wanted)
        _strip(build, folder / PACKAGES)
        interpreter.compile_tree(tools, folder, [PYTHON, PACKAGES])

    name = kept.key(
        lock.key(packages.ROOT),
        build.wheel_lock.read_bytes(),
        kept.of_programs("base", "debs", "compile_modules", "interpreter"),
    )
    return kept.kept(build.made, "base", name, make)


def prune(root: Path) -> None:
    """Remove what nothing in the image uses."""
    _remove(path for path in (root / "usr/share").iterdir() if path.name not in SHARE_KEPT)
    for pattern in PRUNED:
        _remove(root.glob(pattern))
    for pattern in PYTHON_PRUNED:
        _remove((root / PYTHON).glob(pattern))


def _strip(build: Build, folder: Path) -> None:
    """Take away the symbols that only a debugger reads."""
    for path in sorted(folder.rglob("*.so")):
        run([tool(build.arch.strips), "--strip-unneeded", path])


def _remove(paths: Iterable[Path]) -> None:
    for path in sorted(paths):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _bundle_certificates(root: Path) -> None:
    """Put the certificates of the authorities into one file, where programs look for it."""
    found = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    bundle = root / "etc/ssl/certs/ca-certificates.crt"
    bundle.parent.mkdir(parents=True, exist_ok=True)
    bundle.write_bytes(b"".join(path.read_bytes().rstrip() + b"\n" for path in found))


def _link(root: Path, tools: Tools) -> None:
    """Make the names under which busybox and the interpreter are called."""
    for applet in tools.applets():
        path = root / applet
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() and not path.is_symlink():
            path.symlink_to("/bin/busybox")
    (root / "usr/bin/python3").symlink_to("python3.11")
    (root / "usr/bin/python").symlink_to("python3.11")
