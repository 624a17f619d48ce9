"""Packs a plugin into an archive: its code, its manifest, and dependencies that can travel.

What may be packed is a module, a package, a project with a pyproject.toml, or an installed package
with an entry point of the group `dc`. What is in an archive is told in `plugin_manifest`.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from dc import limits, limits_plugins
from dc.errors import PluginError
from dc.plugin_carried import resolve
from dc.plugin_manifest import (
    CODE,
    DEPS,
    MANIFEST,
    Manifest,
    read_manifest,
    write_manifest,
)
from dc.plugin_origins import Files, Origin, is_compiled, origin_at

TIME: Final = (1980, 1, 1, 0, 0, 0)
"""Of every file in an archive: the first that a zip file knows."""

MODE: Final = 0o100644
LEVEL: Final = 6
UNIX: Final = 3  # as a zip file numbers systems, whichever this one is
PIECE_BYTES: Final = limits.MIB


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


def pack(source: Path, to: Path, *, carry: bool = True) -> Packed:
    """Pack a module, a package or a project into an archive; an archive is copied as it is.

    Args:
        source: what to pack.
        to: the archive's file.
        carry: whether dependencies may travel in it.

    Raises:
        PluginError: there is no plugin in it, or it is too large; no file is left.
        OSError: a file cannot be read or written; no file is left.
    """
    return pack_origin(origin_at(source), to, carry=carry)


def pack_origin(origin: Origin, to: Path, *, carry: bool = True) -> Packed:
    """Pack what plugins are in; see `pack`."""
    if origin.broken:
        raise PluginError(origin.broken)
    try:
        if origin.archive is not None:
            return _copied(origin.archive, to)
        return _packed(origin, to, carry=carry)
    except UnicodeError:
        _remove(to)
        raise PluginError("the name of a file in it is no text: rename it") from None
    except BaseException:
        _remove(to)
        raise


def _remove(file: Path) -> None:
    with suppress(OSError):
        file.unlink()


def _packed(origin: Origin, to: Path, *, carry: bool) -> Packed:
    code = origin.code()
    needs = resolve(origin.requires, carry=carry)
    _check_entries(origin, code)
    compiled = any(map(is_compiled, code))
    here = f"{platform.system()}-{platform.machine()}".lower()
    python = "{}.{}".format(*platform.python_version_tuple())
    manifest = Manifest(
        name=origin.name,
        version=origin.version,
        plugins=list(origin.entries),
        python=f"=={python}.*" if compiled else _checked_python(origin.python),
        platforms=[here] if compiled and not origin.platforms else list(origin.platforms),
        dependencies=needs.declared,
        carried=needs.carried,
    )
    text = write_manifest(manifest)
    read_manifest(text)  # what is too long for one is told here, where its author is
    files = {f"{CODE}/{name}": file for name, file in code.items()}
    files |= {f"{DEPS}/{name}": file for name, file in needs.files.items()}
    _write(to, text, files)
    return _told(to, manifest)


def _check_entries(origin: Origin, code: Files) -> None:
    tops = {name.partition("/")[0].removesuffix(".py") for name in code}
    for entry in origin.entries:
        if entry.module.partition(".")[0] not in tops:
            raise PluginError(
                f"its entry point {entry.name} = {entry.module!r} names no module in "
                f"{origin.place} or its src/"
            )


def _checked_python(python: str) -> str:
    try:
        SpecifierSet(python)
    except InvalidSpecifier as error:
        raise PluginError(f"its requires-python {python!r} cannot be read: {error}") from None
    return python


def _write(to: Path, manifest: bytes, files: Files) -> None:
    if len(files) >= limits_plugins.ARCHIVE_FILES:
        raise PluginError(
            f"it has {len(files)} files, and an archive holds {limits_plugins.ARCHIVE_FILES}; "
            f"the first is {next(iter(files))}"
        )
    left = limits_plugins.UNPACKED_BYTES
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive:
        archive.writestr(_info(MANIFEST), manifest, compresslevel=LEVEL)
        for name in sorted(files):
            left -= _add(archive, name, files[name], left)
            if archive.fp is not None and archive.fp.tell() > limits_plugins.ARCHIVE_BYTES:
                raise PluginError(_too_large("its archive", limits_plugins.ARCHIVE_BYTES, name))


def _add(archive: zipfile.ZipFile, name: str, file: Path, left: int) -> int:
    """Add a file; return its size, `left` at most."""
    size = 0
    with file.open("rb") as source:
        info = _info(name)
        info.file_size = os.fstat(source.fileno()).st_size
        with archive.open(info, "w") as into:
            while piece := source.read(PIECE_BYTES):
                size += len(piece)
                if size > left:
                    raise PluginError(
                        _too_large("what is in it", limits_plugins.UNPACKED_BYTES, name)
                    )
                into.write(piece)
    return size


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, TIME)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = UNIX
    info.external_attr = MODE << 16
    return info


def _too_large(what: str, most: int, name: str) -> str:
    return (
        f"{what} has more than {most // limits.MIB} MiB (at {name}); give large data to its tasks "
        "as an input"
    )


def _copied(archive: Path, to: Path) -> Packed:
    """Copy an archive that is one already; what is in it is checked when it is unpacked."""
    if archive.stat().st_size > limits_plugins.ARCHIVE_BYTES:
        raise PluginError(f"it has more than {limits_plugins.ARCHIVE_BYTES // limits.MIB} MiB")
    shutil.copyfile(archive, to)
    return _told(to, manifest_of(to))


def manifest_of(archive: Path) -> Manifest:
    """Return what an archive says of itself; what else is in it is not looked at.

    Raises:
        PluginError: it is no archive of a plugin.
    """
    try:
        with zipfile.ZipFile(archive) as opened, opened.open(MANIFEST) as file:
            return read_manifest(file.read(limits_plugins.MANIFEST_BYTES + 1))
    except KeyError:
        raise PluginError(f"it is no archive of a plugin: there is no {MANIFEST} in it") from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise PluginError(f"it is no archive of a plugin: {error}") from None


def _told(archive: Path, manifest: Manifest) -> Packed:
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    return Packed(digest, archive.stat().st_size, manifest)
