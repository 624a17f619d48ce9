"""Who has made a plugin: keys, and signatures of archives by them (Ed25519).

A signer has a private key, in a file that need not be where a server runs. What is signed is the
SHA-256 of an archive, and so all that is in it: name, version, code and dependencies. A worker that
trusts a public key runs what that key has signed, whatever the server says.

Keys are written as text that can be copied by hand or by mail: a word that says which kind it is,
and base32 of the key and of a checksum, so that a letter that is lost or changed is found.
"""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

from dc import limits_plugins as limits
from dc.errors import SignatureError

KEY_BYTES: Final = 32  # of both kinds, as Ed25519 has them
SIGNATURE_BYTES: Final = 64
PUBLIC: Final = "dc-key-"
PRIVATE: Final = "dc-private-key-"
CHECK_BYTES: Final = 3  # with the key's 32 they fill base32 to the letter: no padding
SAID: Final = b"dc: this is the SHA-256 of a plugin's archive that I have made:\n"
FOLDER_SIGNATURE: Final = "dc-plugin.sig"  # in the folder of a plugin, and never in its archive
ARCHIVE_SIGNATURE: Final = ".sig"  # behind the name of an archive


class Signature(Struct, frozen=True):
    """Who says that they have made the archive of this digest.

    Attributes:
        signer: their public key, 32 bytes.
        signature: what proves it, 64 bytes.
        digest: the SHA-256 of the archive, 32 bytes.
    """

    signer: bytes
    signature: bytes
    digest: bytes

    @property
    def holds(self) -> bool:
        """Whether the signer has signed this digest. Whether it is the archive's is not said."""
        return verify(self.signer, self.digest, self.signature)


class _Written(Struct, forbid_unknown_fields=True):
    """A signature as it stands in its file."""

    signer: str
    signature: str
    digest: str


def new_key() -> tuple[str, str]:
    """Return a new private key and its public key, both as text."""
    private = Ed25519PrivateKey.generate().private_bytes_raw()
    return _text(PRIVATE, private), public_text(public_of(private))


def public_of(private: bytes) -> bytes:
    """Return the public key (32 bytes) of a private one (32 bytes)."""
    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def sign(private: bytes, digest: bytes) -> bytes:
    """Return the signature (64 bytes) of an archive's digest by a private key (32 bytes)."""
    return Ed25519PrivateKey.from_private_bytes(private).sign(SAID + digest)


def verify(public: bytes, digest: bytes, signature: bytes) -> bool:
    """Return whether the key (32 bytes) has made this signature of this digest.

    All three may come from anybody: what is no key or no signature is only False.
    """
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, SAID + digest)
    except (InvalidSignature, ValueError):
        return False
    return True


# --- keys as text -------------------------------------------------------------------------------


def public_text(public: bytes) -> str:
    """Return a public key (32 bytes) as people see it: `dc-key-…`."""
    return _text(PUBLIC, public)


def read_public(text: str) -> bytes:
    """Return the public key (32 bytes) that a text says.

    Raises:
        SignatureError: it says none: letters were lost or changed, or it is a private key.
    """
    if text.strip().startswith(PRIVATE):
        raise SignatureError("this is a private key: keep it to yourself, and give its public key")
    return _key(PUBLIC, text, "public")


def read_private(text: str) -> bytes:
    """Return the private key (32 bytes) that a text says.

    Raises:
        SignatureError: it says none: letters were lost or changed, or it is a public key.
    """
    if text.strip().startswith(PUBLIC):
        raise SignatureError("this is a public key, with which nothing can be signed")
    return _key(PRIVATE, text, "private")


def _text(kind: str, key: bytes) -> str:
    return kind + base64.b32encode(key + _check(kind, key)).decode().lower()


def _check(kind: str, key: bytes) -> bytes:
    return hashlib.sha256(kind.encode() + key).digest()[:CHECK_BYTES]


def _key(kind: str, text: str, word: str) -> bytes:
    text = text.strip()
    shown = repr(text[:80]) if kind == PUBLIC else "the text"  # nobody wants a private key in a log
    if not text.startswith(kind):
        raise SignatureError(f"{shown} is no {word} key: one begins with {kind}")
    try:
        found = base64.b32decode(text.removeprefix(kind).encode("ascii"), casefold=True)
    except ValueError:
        found = b""
    key, check = found[:KEY_BYTES], found[KEY_BYTES:]
    if len(key) != KEY_BYTES or check != _check(kind, key):
        raise SignatureError(f"{shown} is no {word} key: letters are missing or wrong in it")
    return key


# --- files --------------------------------------------------------------------------------------


def write_key(path: Path) -> str:
    """Make a new key; write the private one to `path`, the public one to `path` and `.pub`.

    Returns:
        The public key, as text.

    Raises:
        SignatureError: there is such a file, which is left as it is, or it cannot be written.
    """
    private, public = new_key()
    beside = path.with_name(path.name + ".pub")
    _write_new(beside, public, 0o644)
    try:
        _write_new(path, private, 0o600)
    except SignatureError:
        beside.unlink()
        raise
    return public


def _write_new(path: Path, text: str, mode: int) -> None:
    """Write a file that is not there yet, or none."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise SignatureError(
            f"{path} is there already, and a key that is overwritten is lost: take another name"
        ) from None
    except OSError as error:
        raise SignatureError(f"{path} cannot be made: {error.strerror}") from None
    try:
        with os.fdopen(file, "w", encoding="ascii") as opened:
            opened.write(text + "\n")
    except OSError as error:
        path.unlink()
        raise SignatureError(f"{path} cannot be written: {error.strerror}") from None


def private_from(path: Path) -> bytes:
    """Return the private key (32 bytes) of a file.

    Raises:
        SignatureError: the file cannot be read, or is damaged, or is something else.
    """
    try:
        return read_private(_small(path).decode(errors="replace"))
    except SignatureError as error:
        raise SignatureError(f"{path}: {error}") from None


def public_from(said: str) -> bytes:
    """Return the public key (32 bytes) that a text says, or the file of that name.

    Raises:
        SignatureError: it says none.
    """
    if said.strip().startswith((PUBLIC, PRIVATE)) or not Path(said).is_file():
        return read_public(said)
    try:
        return read_public(_small(Path(said)).decode(errors="replace"))
    except SignatureError as error:
        raise SignatureError(f"{said}: {error}") from None


def signature_path(plugin: Path) -> Path:
    """Return where a plugin's signature is: in its folder, or beside the file of its archive."""
    if plugin.is_dir():
        return plugin / FOLDER_SIGNATURE
    return plugin.with_name(plugin.name + ARCHIVE_SIGNATURE)


def write_signature(plugin: Path, signature: Signature) -> Path:
    """Write a plugin's signature where it belongs, in place of one that is there; return the path.

    Raises:
        SignatureError: it cannot be written.
    """
    path = signature_path(plugin)
    written = _Written(
        public_text(signature.signer),
        base64.b64encode(signature.signature).decode(),
        signature.digest.hex(),
    )
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(written)) + b"\n")
    except OSError as error:
        raise SignatureError(f"{path} cannot be written: {error.strerror}") from None
    return path


def signature_of(plugin: Path) -> Signature | None:
    """Return what stands in the signature of a plugin, a folder or an archive; None if unsigned.

    Whether it holds, and is of what is there, is for the caller to look at.

    Raises:
        SignatureError: the file cannot be read, or is no signature.
    """
    path = signature_path(plugin)
    if not path.exists():
        return None
    try:
        return read_signature(_small(path))
    except SignatureError as error:
        raise SignatureError(f"{path}: {error}") from None


def read_signature(data: bytes) -> Signature:
    """Return the signature that a file of one says.

    Raises:
        SignatureError: it is damaged, or something else.
    """
    try:
        written = msgspec.json.decode(data, type=_Written)
        signature = base64.b64decode(written.signature, validate=True)
        digest = bytes.fromhex(written.digest)
    except (msgspec.DecodeError, ValueError) as error:
        raise SignatureError(f"this is no signature: {error}") from None
    if len(signature) != SIGNATURE_BYTES or len(digest) != hashlib.sha256().digest_size:
        raise SignatureError("this is no signature: something is missing in it")
    return Signature(read_public(written.signer), signature, digest)


def _small(path: Path) -> bytes:
    """Return what is in a file that is not to be large."""
    try:
        with path.open("rb") as file:
            found = file.read(limits.SIGNATURE_FILE_BYTES + 1)
    except OSError as error:
        raise SignatureError(f"it cannot be read: {error.strerror}") from None
    if len(found) > limits.SIGNATURE_FILE_BYTES:
        raise SignatureError("it is too large for a key or a signature")
    return found
