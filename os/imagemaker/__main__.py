"""The commands of the build; os/Makefile calls them.

lock    find the newest versions of all packages, and lock them
fetch   download what is locked
image   make the image
repro   make the image twice, as different people would, and compare
clean   remove everything that was downloaded and made
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from imagemaker import arch, fetching, host_tools, image, places, repro
from imagemaker.errors import ImageError
from imagemaker.places import Build

SNAPSHOTS: Final = "http://snapshot.debian.org/archive"

MIRRORS: Final = {
    "debian": "http://deb.debian.org/debian",
    "security": "http://deb.debian.org/debian-security",
}


def main() -> int:
    """Do what the command line says; return the exit status."""
    os.umask(0o022)
    options = _parser().parse_args()
    build = _build(options)
    mirrors = {"debian": options.mirror, "security": options.security_mirror}
    try:
        with _alone(build.work):
            _do(
                options.command,
                build,
                {name: url.rstrip("/") for name, url in mirrors.items()},
                options.snapshots.rstrip("/"),
            )
    except ImageError as error:
        print(f"image: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "imagemaker", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("lock", "fetch", "image", "repro", "clean"))
    parser.add_argument("--arch", choices=sorted(arch.ALL), default=arch.AMD64.name)
    parser.add_argument("--firmware", type=int, choices=(0, 1), default=1)
    parser.add_argument(
        "--compression", choices=(places.DEVELOPMENT, places.RELEASE), default=places.RELEASE
    )
    parser.add_argument("--work", type=Path, default=places.OS / "work", metavar="DIR")
    parser.add_argument("--out", type=Path, metavar="DIR")
    parser.add_argument("--mirror", default=MIRRORS["debian"], metavar="URL")
    parser.add_argument("--security-mirror", default=MIRRORS["security"], metavar="URL")
    parser.add_argument("--snapshots", default=SNAPSHOTS, metavar="URL")
    return parser


def _build(options: argparse.Namespace) -> Build:
    kind = arch.ALL[options.arch]
    out = places.OS / "out"
    return Build(
        arch=kind,
        firmware=bool(options.firmware),
        compression=options.compression,
        epoch=places.epoch(),
        version=places.version(),
        work=options.work.resolve(),
        out=(options.out or (out if kind == arch.AMD64 else out / kind.name)).resolve(),
    )


def _do(command: str, build: Build, mirrors: dict[str, str], snapshots: str) -> None:
    begun = time.monotonic()
    if command == "lock":
        fetching.lock(build, mirrors)
    elif command == "fetch":
        fetching.fetch(build, mirrors, snapshots)
    elif command == "repro":
        repro.compare(build)
    elif command == "clean":
        shutil.rmtree(build.work, ignore_errors=True)
        shutil.rmtree(places.OS / "out", ignore_errors=True)
    else:
        host_tools.check(host_tools.wanted(build.arch, arch.host().machine))
        for part in image.make(build):
            print(f"{part.size:>12,} {part.name}")
        print(f"{build.out}: made in {time.monotonic() - begun:.1f} s")


@contextmanager
def _alone(work: Path) -> Iterator[None]:
    """Let one build at a time work in a folder; another one waits."""
    work.mkdir(parents=True, exist_ok=True)
    with (work / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
