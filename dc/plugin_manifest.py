"""What a plugin's archive says of itself: its manifest, the file `dc-plugin.json` in it.

An archive (`.dcplugin`) is a zip file that holds

    dc-plugin.json      the manifest
    code/…              the plugin's own modules and packages, and their data
    deps/…              pure-Python dependencies that travel with it

It is named by the SHA-256 of its bytes. The same code makes the same bytes: names are sorted, and
times and modes are fixed.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta, Struct

from dc import limits, limits_plugins
from dc.errors import PluginError

FORMAT: Final = 1
"""Of archives and manifests that this version makes and reads."""

SUFFIX: Final = ".dcplugin"
MANIFEST: Final = "dc-plugin.json"
CODE: Final = "code"
DEPS: Final = "deps"

Text: TypeAlias = Annotated[str, Meta(max_length=limits.TEXT_CHARS)]
ModuleName: TypeAlias = Annotated[
    str, Meta(max_length=limits.TEXT_CHARS, pattern=r"^[\w-]+(\.[\w-]+)*\Z")
]
Attribute: TypeAlias = Annotated[
    str, Meta(max_length=limits.TEXT_CHARS, pattern=r"^(\w+(\.\w+)*)?\Z")
]
Line: TypeAlias = Annotated[str, Meta(max_length=4 * limits.TEXT_CHARS)]
Lines: TypeAlias = Annotated[list[Line], Meta(max_length=limits_plugins.PLUGIN_DEPENDENCIES)]


class Entry(Struct, frozen=True, omit_defaults=True):
    """One plugin of an archive: a module below `code/`, or what an attribute of it names."""

    name: Text
    module: ModuleName
    attribute: Attribute = ""


class Manifest(Struct, frozen=True, omit_defaults=True):
    """What an archive holds, and what it takes to run it.

    Attributes:
        name: of the project, the module or the package, for people.
        version: of the project; empty where nothing says it.
        format: of the archive.
        plugins: what is to be loaded.
        python: which versions of Python will do, such as `>=3.11`; empty for any.
        platforms: such as `linux` or `linux-x86_64`; empty for any.
        dependencies: what is to be installed for it, as PEP 508 has it.
        carried: what is in `deps/`, such as `attrs 23.1.0`.
    """

    name: Text
    version: Text = ""
    format: int = FORMAT
    plugins: Annotated[list[Entry], Meta(max_length=limits.TYPES)] = []
    python: Line = ""
    platforms: Annotated[list[Text], Meta(max_length=limits.LABELS)] = []
    dependencies: Lines = []
    carried: Lines = []


def unusable(name: str) -> str:
    """Return how the failure of a task begins whose worker cannot use its plugin of this name."""
    return f"plugin {name!r} cannot be used by this worker: "


def write_manifest(manifest: Manifest) -> bytes:
    """Return a manifest as it stands in an archive."""
    text = msgspec.json.encode({"format": manifest.format} | msgspec.to_builtins(manifest))
    return msgspec.json.format(text, indent=2) + b"\n"


def read_manifest(data: bytes) -> Manifest:
    """Return the manifest that these bytes are.

    Raises:
        PluginError: they are none, or one of a later format.
    """
    if len(data) > limits_plugins.MANIFEST_BYTES:
        raise PluginError(f"its {MANIFEST} has more than {limits_plugins.MANIFEST_BYTES} bytes")
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PluginError(f"its {MANIFEST} cannot be read: {error}") from None
    if manifest.format != FORMAT:
        raise PluginError(
            f"it is an archive of format {manifest.format}, and this version of dc reads format "
            f"{FORMAT}: pack it anew, or use another version"
        )
    return manifest
