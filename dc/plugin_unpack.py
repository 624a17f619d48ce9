"""Unpacks the archive of a plugin, which anybody may have made: all of it, or nothing.

Theory of operation
-------------------
An archive is a zip file; what a zip file may say is more than what one of ours does. So the list of
its files is looked through first, before anything is written: plain files below `code/` and `deps/`
and the manifest, with names that every system takes, no two of them equal to a system that does not
tell case, and within the limits. The end of the file is looked at before the list is read, so that
the list itself is bounded.

The files are written into a folder beside the one wanted, and are on disk before that folder gets
its name: whatever is under the name is whole. Who is second finds it there.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
import struct
import sys
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from dc import limits, limits_plugins
from dc.errors import PluginError
from dc.plugin_manifest import CODE, DEPS, MANIFEST, Manifest, read_manifest
from dc.plugin_unpacked import manifest_of

TEMPORARY: Final = "unpacking-"
"""What the names of folders begin with that are not whole yet, or were left by a process killed."""

END: Final = struct.Struct("<4s4H2LH")  # of a zip file without a comment
END_SIGN: Final = b"PK\5\6"
LARGE_SIGN: Final = b"PK\6\7"  # before the end of a zip file of the large format
LARGE_SIZE: Final = 20
METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED: Final = 1
DAMAGED: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    OverflowError,
    NotImplementedError,
)
"""What reading a zip file raises whose bytes are not what they should be."""

PIECE: Final = 256 * limits.KIB

PART: Final = re.compile(r'[^\x00-\x1f\x7f"*/:<>?\\|]{1,255}')
DEVICE: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def unpack(archive: Path, to: Path) -> Manifest:
    """Unpack an archive into the folder `to`, unless that is there already. Blocks.

    Args:
        archive: the file, whose digest has been verified.
        to: the folder, which is made, with its parents; it is there whole or not at all.

    Raises:
        PluginError: it is no archive of a plugin, or there is something in it that must not be
            there, or the disk will not take it. Nothing is left behind.
    """
    try:
        with suppress(FileNotFoundError):
            return manifest_of(to)
        size = archive.stat().st_size
        _check_end(archive, size)
        with zipfile.ZipFile(archive) as opened:
            return _unpack(opened, size, to)
    except OSError as error:
        if error.errno == errno.EINVAL:  # a place in the file that is none
            raise PluginError("it is damaged") from None
        text = f"it cannot be unpacked to {to}: {error.strerror or error}"
        raise PluginError(text) from None
    except DAMAGED as error:
        raise PluginError(f"it is damaged: {error}") from None


# --- looking ------------------------------------------------------------------------------------


def _check_end(archive: Path, size: int) -> None:
    """Check what a zip file says of its list of files, which is read into memory as a whole."""
    if size > limits_plugins.ARCHIVE_BYTES:
        raise PluginError(
            f"its archive has {size} bytes; {limits_plugins.ARCHIVE_BYTES} are the most"
        )
    with archive.open("rb") as file:
        file.seek(max(0, size - END.size - LARGE_SIZE))
        data = file.read(END.size + LARGE_SIZE)
    before, end = data[: -END.size], data[-END.size :]
    if len(end) < END.size or not end.startswith(END_SIGN):
        raise PluginError("it is no archive of a plugin: no zip file, or cut off, or one with more")
    _, disk, first, here, files, listed, _, comment = END.unpack(end)
    if before.startswith(LARGE_SIGN) or comment or disk or first or here != files:
        raise PluginError("it is no archive of a plugin: a zip file of another kind")
    if files > limits_plugins.ARCHIVE_FILES or listed > limits_plugins.ARCHIVE_LIST_BYTES:
        raise PluginError(f"it has {files} files; {limits_plugins.ARCHIVE_FILES} are the most")


def _check(files: Iterable[zipfile.ZipInfo], packed: int) -> None:
    """Check the names, the kinds and the sizes of all files, `packed` bytes in all."""
    seen: dict[str, str] = {}
    folders: set[str] = set()
    total = 0
    for one in files:
        name = one.orig_filename
        _check_kind(one, name)
        _check_name(name)
        alike = unicodedata.normalize("NFC", name).casefold()
        if alike in seen:
            raise PluginError(f"it has two files that some systems take for one: {_shown(name)}")
        seen[alike] = name
        folders.update(_above(alike))
        total += one.file_size
    for alike in folders & seen.keys():
        raise PluginError(f"it has a file and a folder of one name: {_shown(seen[alike])}")
    if total > limits_plugins.UNPACKED_BYTES:
        raise PluginError(
            f"unpacked it has {total} bytes; {limits_plugins.UNPACKED_BYTES} are the most"
        )
    if (
        total > limits_plugins.ARCHIVE_RATIO_FROM_BYTES
        and total > limits_plugins.ARCHIVE_RATIO * packed
    ):
        raise PluginError(f"{packed} bytes of archive become {total}: it looks like a bomb")


def _check_kind(one: zipfile.ZipInfo, name: str) -> None:
    kind = stat.S_IFMT(one.external_attr >> 16)
    if kind not in (0, stat.S_IFREG) or name.endswith("/"):
        raise PluginError(f"it has something else than a file: {_shown(name)}")
    if one.compress_type not in METHODS or one.flag_bits & ENCRYPTED:
        raise PluginError(f"it has a file that is not packed by deflate: {_shown(name)}")


def _check_name(name: str) -> None:
    parts = name.split("/")
    if name != MANIFEST and (parts[0] not in (CODE, DEPS) or len(parts) < 2):
        raise PluginError(f"it has a file outside of {CODE}/ and {DEPS}/: {_shown(name)}")
    if len(name) > limits_plugins.ARCHIVE_NAME_CHARS or not all(map(_is_plain, parts)):
        raise PluginError(f"it has a file whose name not every system takes: {_shown(name)}")


def _is_plain(part: str) -> bool:
    """Whether every system takes this for the name of one file or folder in a folder."""
    if not PART.fullmatch(part) or part.endswith((".", " ")) or DEVICE.fullmatch(part):
        return False
    try:
        return len(part.encode()) <= limits_plugins.ARCHIVE_PART_BYTES
    except UnicodeEncodeError:
        return False


def _above(name: str) -> Iterable[str]:
    parts = name.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))


def _shown(name: str) -> str:
    return ascii(name if len(name) <= limits.TEXT_CHARS else f"{name[: limits.TEXT_CHARS]}…")


# --- writing ------------------------------------------------------------------------------------


def _unpack(opened: zipfile.ZipFile, packed: int, to: Path) -> Manifest:
    files = opened.infolist()
    _check(files, packed)
    manifest = _manifest_in(opened)
    beside = to.parent / f"{TEMPORARY}{secrets.token_hex(8)}"
    try:
        beside.mkdir(parents=True)
        for one in files:
            path = beside.joinpath(*one.orig_filename.split("/"))
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(opened, one, path)
        for folder in (beside, *(path for path in beside.rglob("*") if path.is_dir())):
            sync_folder(folder)
        _rename(beside, to)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return manifest


def _manifest_in(opened: zipfile.ZipFile) -> Manifest:
    try:
        with opened.open(MANIFEST) as file:
            return read_manifest(file.read(limits_plugins.MANIFEST_BYTES + 1))
    except KeyError:
        raise PluginError(f"it is no archive of a plugin: there is no {MANIFEST} in it") from None


def _write(opened: zipfile.ZipFile, one: zipfile.ZipInfo, path: Path) -> None:
    """Write a file, no more than was said of its size, and see that it is on disk."""
    with opened.open(one) as source, path.open("xb") as target:
        while piece := source.read(PIECE):
            target.write(piece)
        if target.tell() != one.file_size:
            raise PluginError(f"it is damaged: {_shown(one.orig_filename)} is cut off")
        target.flush()
        os.fsync(target.fileno())


def _rename(beside: Path, to: Path) -> None:
    """Give a whole folder its name, unless another process has been quicker.

    What has that name and no manifest was removed in part: it goes.
    """
    try:
        beside.rename(to)
    except OSError:
        if not (to / MANIFEST).is_file():
            _remove(to)
            beside.rename(to)
    sync_folder(to.parent)


def _remove(folder: Path) -> None:
    aside = folder.with_name(f"{TEMPORARY}{secrets.token_hex(8)}")
    folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """See that what is directly in a folder is on disk under its name.

    Raises:
        OSError: it cannot be.
    """
    if sys.platform == "win32":
        return  # Windows cannot sync a folder, and keeps renames in its journal
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
