"""Archives of plugins for tests: right ones, and wrong ones."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dc.plugin_manifest import MANIFEST, Entry, Manifest, write_manifest

CODE = """\
import dc


@dc.task_type(name="shout")
def shout(text: str) -> str:
    return text.upper()
"""


def manifest(**changes: Any) -> Manifest:
    """Return a manifest of one plugin, `shouting`."""
    fields: dict[str, Any] = {"name": "shouting", "plugins": [Entry("shouting", "shouting")]}
    return Manifest(**fields | changes)


def archive(files: Mapping[str, str | bytes] | None = None, **changes: Any) -> bytes:
    """Return an archive with a manifest and these files, or with one module."""
    found: dict[str, str | bytes] = {
        MANIFEST: write_manifest(manifest(**changes)),
        "code/shouting.py": CODE,
    }
    return zipped({**found, **(files or {})})


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    """Return a zip file of these files, each a plain one."""
    return zip_of([(info(name), data) for name, data in files.items()])


def info(name: str, mode: int = 0o100644, method: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipInfo:
    """Return the entry of one file."""
    one = zipfile.ZipInfo(name)
    one.external_attr = mode << 16
    one.compress_type = method
    return one


def zip_of(entries: list[tuple[zipfile.ZipInfo, str | bytes]]) -> bytes:
    """Return a zip file of these entries, whatever they say."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        for one, data in entries:
            opened.writestr(one, data)
    return file.getvalue()


def unpacked(to: Path, files: Mapping[str, str | bytes] | None = None, **changes: Any) -> Path:
    """Return a folder, below `to`, that an archive was unpacked to, named by its digest."""
    data = archive(files, **changes)
    folder = to / hashlib.sha256(data).hexdigest()
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        opened.extractall(folder)
    return folder
