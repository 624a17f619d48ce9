"""Packs a plugin into an archive: its code, its manifest, and dependencies that can travel.

What may be packed is a module, a package, a project with a pyproject.toml, or an installed package
with an entry point of the group `dc`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dc.plugin_manifest import Manifest


@dataclass(frozen=True)
class Packed:
    """An archive that was made.

    Attributes:
        digest: the SHA-256 of its bytes, 32 bytes.
        size: in bytes.
        manifest: what it says of itself.
    """

    digest: bytes
    size: int
    manifest: Manifest


def pack(source: Path, to: Path) -> Packed:
    """Pack a module, a package or a project into the archive file `to`.

    Raises:
        PluginError: there is no plugin in it, or it is too large; no file is left.
    """
    raise NotImplementedError(source, to)
