"""The commands that move bytes: `put`, `get`, and what `results --save` writes."""

from __future__ import annotations

import hashlib
import re
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any, Final

from dc import limits_client as limits
from dc.cli.progress import moving
from dc.cli.screen import Screen, to_json
from dc.client.handles import Handle
from dc.client.plain_client import Client
from dc.errors import OptionsError

TASK: Final = re.compile("([0-9]{1,10})/([0-9]{1,10})")
SHA256: Final = re.compile("[0-9a-f]{64}")


def put(args: Namespace, client: Client, screen: Screen) -> int:
    """Put files; print a line for each, with its SHA-256."""
    with moving(client, screen):
        for name in args.files:
            source: Any = sys.stdin.buffer if name == "-" else Path(name)
            ref = client.put(source, name=name)
            if args.json:
                said = {"digest": ref.digest, "size": ref.size, "file": name}
                screen.json(said, indent=False)
            else:
                screen.write(f"{ref.digest}  {name}\n")
    return 0


def get(args: Namespace, client: Client, screen: Screen) -> int:
    """Write bytes to a file, or to standard output."""
    handle = _handle(client, args.what)
    with moving(client, screen):
        if args.to is None:
            write_pieces(handle, screen)
        else:
            handle.save(args.to)
    if args.json and args.to is not None:
        screen.json({"digest": handle.digest, "size": handle.size, "file": str(args.to)})
    return 0


def _handle(client: Client, what: str) -> Handle:
    if task := TASK.fullmatch(what):
        return client.job(int(task[1])).result(int(task[2]))
    if SHA256.fullmatch(what.lower()):
        return client.blob(what.lower())
    raise OptionsError(f"{what!r} is neither J/T, such as 3/17, nor a SHA-256 in 64 digits")


def write_pieces(handle: Handle, screen: Screen) -> None:
    """Write bytes of any size as a part of the answer."""
    with handle.open() as file:
        while piece := file.read(limits.RANGE_BYTES):
            screen.write(piece)


class Folder:
    """A folder of results, each in a file of its task's number.

    Args:
        path: of it; made if need be.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._saved = 0
        self._passed = 0
        path.mkdir(parents=True, exist_ok=True)

    @property
    def summary(self) -> str:
        """What was done, in a sentence."""
        there = f", there already: {self._passed}" if self._passed else ""
        return f"results saved in {self._path}: {self._saved}{there}"

    def save(self, number: int, result: Any, *, is_bytes: bool) -> Path:
        """Save a result: bytes as they are, anything else as JSON.

        A file of the same bytes stays as it is; any other is replaced.

        Returns:
            Its file.

        Raises:
            DcError: it cannot be fetched.
            OSError: the file cannot be written.
        """
        path = self._path / (str(number) if is_bytes else f"{number}.json")
        if isinstance(result, Handle):
            same = _has(path, result.size, result.digest)
            if not same:
                result.save(path)
        else:
            data = result if is_bytes else to_json(result, indent=True) + b"\n"
            same = _has(path, len(data), hashlib.sha256(data).hexdigest())
            if not same:
                _write(path, data)
        self._passed += same
        self._saved += not same
        return path


def _has(path: Path, size: int, digest: str) -> bool:
    """Whether a file has these bytes."""
    if not path.is_file() or path.stat().st_size != size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == digest


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
