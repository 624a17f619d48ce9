"""The actions of `python -m dc plugins` for authors: they work on files, and ask no server."""

from __future__ import annotations

import os
import stat
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from dc import plugin_archive, signing
from dc.cli.plugin_template import make_plugin
from dc.cli.screen import Screen
from dc.errors import PluginError, SignatureError, StartError
from dc.plugin_archive import Packed
from dc.plugin_manifest import SUFFIX
from dc.signing import Signature, public_text

Action: TypeAlias = Callable[[Namespace, Screen], int]

DOES_NOT_HOLD = 1  # the exit status where a signature is missing or of something else


def new(args: Namespace, screen: Screen) -> int:
    """Make a new plugin."""
    made = make_plugin(args.name, args.folder or Path(args.name))
    said = {"folder": str(made.folder), "type": made.type, "files": made.files}
    if args.json:
        screen.json(said)
    else:
        screen.write(
            f"{made.folder}: a plugin with the task type {made.type}\n"
            f"  test it:  cd {made.folder} && python -m pytest\n"
            f"  serve it: python -m dc.server --plugins {made.folder}\n"
            f"  work:     python -m dc.worker\n"
            f"  use it:   python -m dc submit {made.type} FOLDER --plugins {made.folder}\n"
        )
    return 0


def pack(args: Namespace, screen: Screen) -> int:
    """Pack a plugin into an archive."""
    to = args.archive or Path(args.plugin.resolve().name + SUFFIX)
    part = to.with_name(f".{to.name}.part")  # no server is to find half of it
    packed = _pack(args.plugin, part)
    part.replace(to)
    _tell(args, screen, {"file": str(to), **_about(packed), "bytes": packed.size})
    return 0


def keygen(args: Namespace, screen: Screen) -> int:
    """Make a key."""
    public = signing.write_key(args.file)
    if args.json:
        screen.json({"file": str(args.file), "public": public})
        return 0
    screen.write(public + "\n")
    screen.note(
        f"the private key is in {args.file}: keep it to yourself. Workers trust the public one by "
        f"--trust {public}"
    )
    return 0


def sign(args: Namespace, screen: Screen) -> int:
    """Sign a plugin."""
    private = signing.private_from(args.key)
    if args.key.resolve().is_relative_to(args.plugin.resolve()):
        raise SignatureError(f"{args.key} is in the plugin's folder: keep it where nobody gets it")
    if os.name == "posix" and stat.S_IMODE(args.key.stat().st_mode) & 0o077:
        screen.note(f"others can read {args.key}: chmod 600 {args.key}")
    packed = _packed(args.plugin)
    signer = signing.public_of(private)
    signature = Signature(signer, signing.sign(private, packed.digest), packed.digest)
    path = signing.write_signature(args.plugin, signature)
    _tell(args, screen, {"signer": public_text(signer), **_about(packed), "signature": str(path)})
    return 0


def verify(args: Namespace, screen: Screen) -> int:
    """Say who has signed a plugin, and whether it is what they signed."""
    trusted = [signing.public_from(key) for key in args.trust]
    packed = _packed(args.plugin)
    try:
        signature = signing.signature_of(args.plugin)
        wrong = _wrong(args.plugin, signature, packed.digest, trusted)
    except SignatureError as error:
        signature, wrong = None, str(error)
    signer = public_text(signature.signer) if signature is not None else ""
    _tell(args, screen, {**_about(packed), "signer": signer}, holds=not wrong, wrong=wrong)
    if not args.json:
        screen.note(f"{args.plugin}: {wrong or 'it is what the signer has signed'}")
    return DOES_NOT_HOLD if wrong else 0


def _wrong(plugin: Path, signature: Signature | None, digest: bytes, trusted: list[bytes]) -> str:
    """Return what is wrong with the signature of a plugin; empty if it holds."""
    if signature is None:
        return f"nobody has signed it: there is no {signing.signature_path(plugin)}"
    if not signature.holds:
        return "its signature is not by the key that it names"
    if signature.digest != digest:
        return "it has changed since it was signed: sign it anew"
    if trusted and signature.signer not in trusted:
        return "it is signed, but by none of the keys that --trust names"
    return ""


def _packed(plugin: Path) -> Packed:
    """Return what a plugin is as an archive, which it may be already."""
    with TemporaryDirectory(prefix="dc-pack-") as folder:
        return _pack(plugin, Path(folder) / f"plugin{SUFFIX}")


def _pack(plugin: Path, to: Path) -> Packed:
    """Pack a plugin.

    Raises:
        StartError: there is no such file or folder.
        PluginError: it is no plugin.
    """
    if not plugin.exists():
        raise StartError(f"{plugin}: there is no such file or folder")
    try:
        return plugin_archive.pack(plugin, to)
    except PluginError as error:
        named = str(plugin.resolve()) in str(error)
        raise PluginError(str(error) if named else f"{plugin}: {error}") from None


def _about(packed: Packed) -> dict[str, Any]:
    manifest = packed.manifest
    return {
        "plugin": manifest.name,
        "version": manifest.version,
        "sha256": packed.digest.hex(),
        "carried": manifest.carried,
        "to be installed": manifest.dependencies,
    }


def _tell(args: Namespace, screen: Screen, said: dict[str, Any], **more: Any) -> None:
    """Write what was found out: all of it, and `more`, for programs; what is there, for people."""
    if args.json:
        screen.json({name.replace(" ", "_"): value for name, value in said.items()} | more)
        return
    rows = ((name, ", ".join(v) if isinstance(v, list) else v) for name, v in said.items() if v)
    screen.fields(rows)
