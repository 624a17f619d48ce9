"""Puts the image's files together: base, kernel's modules, the package, and os/rootfs over it."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path
from typing import Final

from imagemaker import base, elf, interpreter, own, start
from imagemaker.errors import ImageError
from imagemaker.interpreter import Tools
from imagemaker.kernel import Kernel
from imagemaker.places import OS, Build
from imagemaker.running import run

FOLDERS: Final = {
    "dev": 0o755,
    "etc/dc": 0o755,
    "home": 0o755,
    "mnt": 0o755,
    "proc": 0o555,
    "root": 0o700,
    "run": 0o755,
    "sys": 0o555,
    "tmp": 0o1777,
    "var/lib/dc": 0o755,
    "var/log": 0o755,
    "var/tmp": 0o1777,
}
"""Folders that are mounted on, or that others than root may write to, with their modes."""

FILES: Final = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\ntask:x:1000:1000:tasks:/tmp:/bin/false\n",
    "etc/group": "root:x:0:\ntty:x:5:\ntask:x:1000:\n",
    "etc/hosts": "127.0.0.1\tlocalhost\n::1\tlocalhost\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "etc/shells": "/bin/sh\n",
}
"""What programs look for; os/rootfs may have its own. The user `task` runs tasks."""


def make(build: Build, parts: tuple[Path, Path], kernel: Kernel, tools: Tools) -> Path:
    """Put everything together.

    Args:
        build: what is built.
        parts: the base, and the folder of the package's compiled modules.
        kernel: its modules and firmware.
        tools: what compiles the package's other modules.

    Returns:
        The root of the image's files.

    Raises:
        ImageError: a library is missing that a program in it needs.
    """
    below, compiled = parts
    root = build.made / "root"
    shutil.rmtree(root, ignore_errors=True)
    run(["cp", "-a", below, root])
    run(["cp", "-a", f"{kernel.tree}/usr/.", root / "usr"])
    own.put(build, compiled, root / base.PACKAGES)
    interpreter.compile_tree(tools, root, [f"{base.PACKAGES}/dc"])
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for name in FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    _say_what_it_is(build, kernel, root)
    start.write(root)
    if (OS / "rootfs").is_dir():
        shutil.copytree(OS / "rootfs", root, symlinks=True, dirs_exist_ok=True)
    (root / "usr/bin/busybox").unlink()  # the first program brings it along
    set_modes(root)
    if missing := elf.missing(root):
        name, who = next(iter(missing.items()))
        raise ImageError(f"{name} is not in the image, but {who[0]} needs it: packages.py")
    return root


def _say_what_it_is(build: Build, kernel: Kernel, root: Path) -> None:
    """Write down the version and the date; before that date the clock is wrong."""
    (root / "etc/dc/built").write_text(f"{build.epoch}\n")
    said = {
        "version": build.version,
        "arch": build.arch.name,
        "built": build.epoch,
        "kernel": kernel.release,
    }
    (root / "etc/dc/image.json").write_text(json.dumps(said) + "\n")
    (root / "etc/os-release").write_text(
        f'NAME="dc worker image"\nID=dc\nID_LIKE=debian\nVERSION_ID="{build.version}"\n'
        f'PRETTY_NAME="dc worker image {build.version}"\n'
    )


def set_modes(root: Path) -> None:
    """Give all files the modes they are to have, whatever those of who builds are."""
    for path in root.rglob("*"):
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            path.chmod(0o755)
        elif stat.S_ISREG(mode):
            path.chmod(0o755 if mode & stat.S_IXUSR else 0o644)
    root.chmod(0o755)
    for name, mode in FOLDERS.items():
        (root / name).chmod(mode)
