"""What is in the folder of an unpacked archive, told without importing any of it.

Apart from what unpacks (dc/plugin_unpack.py) and from what imports (dc/plugin_shipped.py): agents
do the one and executors the other, and a start of either reads this alone of what both need.
"""

from __future__ import annotations

from pathlib import Path

from dc import limits_plugins as limits
from dc.plugin_manifest import DEPS, MANIFEST, Manifest, read_manifest


def manifest_of(folder: Path) -> Manifest:
    """Return the manifest of an unpacked archive.

    Raises:
        FileNotFoundError: it is not there.
        PluginError: it is none.
    """
    with (folder / MANIFEST).open("rb") as file:
        return read_manifest(file.read(limits.MANIFEST_BYTES + 1))


def carries(folder: Path) -> bool:
    """Whether dependencies have travelled with a plugin, in the folder of its archive."""
    return (folder / DEPS).is_dir()
