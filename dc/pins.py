"""Pins: the SHA-256 of a server's key, by which workers and clients know the server.

What is hashed is the SubjectPublicKeyInfo in the certificate that the server has shown, as it
stands there. It is found here, without `cryptography.x509`: a slow computer needs long to import
that, and only servers have other uses for it.

All trust in a pin rests on this module. It must never return the pin of something else than what
OpenSSL, which has shaken hands with this certificate, takes for the key: else whoever is in between
could put the true key into a certificate of their own, beside the one that they hold. So nothing is
searched for. The place of the key is fixed by RFC 5280, section 4.1: it is the sixth element behind
the version, and each one before it has a certain tag. All are read as DER alone (ITU-T X.690,
sections 8.1 and 10.1): a tag of one byte, a length in its shortest form. So each can end in one
place only, whoever reads it. Whatever is in doubt is refused: other forms that some readers take,
bytes beside what belongs there, kinds of keys of which there is more than one form.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from dc import limits_access

PIN_BYTES: Final = 32

_INTEGER: Final = 0x02
_BIT_STRING: Final = 0x03
_SEQUENCE: Final = 0x30
_BEFORE: Final = (_INTEGER, _SEQUENCE, _SEQUENCE, _SEQUENCE, _SEQUENCE)
"""Ahead of the key: serial number, algorithm of the signature, issuer, validity, subject."""
_BEHIND: Final = (0x81, 0x82, 0xA3)
"""Behind it: identifiers of issuer and subject, extensions. Any may be missing."""

_VERSION_3: Final = bytes.fromhex("a003020102")
"""How version 3 is said, which all certificates have but some of version 1, where nothing is."""

_LENGTH_BYTES: Final = 3
"""Of a length above 127: 16 MB; OpenSSL takes 100 KB of certificates from a server by default."""

_POINT: Final = b"\0\4"
_KEYS: Final[Mapping[bytes, tuple[str, bytes]]] = MappingProxyType(
    {
        bytes.fromhex("300d06092a864886f70d0101010500"): ("RSA", b"\0\x30"),
        bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107"): ("P-256", _POINT),
        bytes.fromhex("301006072a8648ce3d020106052b81040022"): ("P-384", _POINT),
        bytes.fromhex("301006072a8648ce3d020106052b81040023"): ("P-521", _POINT),
        bytes.fromhex("300506032b6570"): ("Ed25519", b"\0"),
        bytes.fromhex("300506032b6571"): ("Ed448", b"\0"),
        bytes.fromhex("301406072a8648ce3d020106092b2403030208010107"): ("brainpoolP256r1", _POINT),
        bytes.fromhex("301406072a8648ce3d020106092b240303020801010b"): ("brainpoolP384r1", _POINT),
        bytes.fromhex("301406072a8648ce3d020106092b240303020801010d"): ("brainpoolP512r1", _POINT),
        bytes.fromhex("301006072a8648ce3d020106052b81040021"): ("P-224", _POINT),
        bytes.fromhex("301006072a8648ce3d020106052b8104000a"): ("secp256k1", _POINT),
    }
)
"""Algorithms of keys; for people; and how such a key begins: in whole bytes, points not compressed.
Curves are named. TLS 1.3 has one more in RFC 8446, section 4.2.3, RSASSA-PSS, whose parameters can
be written in many ways."""


def pin_of(certificate: bytes) -> bytes:
    """Return the pin of a certificate (DER): the SHA-256 (32 bytes) of its SubjectPublicKeyInfo.

    Raises:
        ValueError: it is no certificate in strict DER, or its key is of no known kind.
    """
    return hashlib.sha256(_key_of(certificate)).digest()


def matches(pin: bytes, certificate: bytes) -> bool:
    """Whether a certificate (DER) is of the key that a pin names.

    Args:
        pin: of 16 bytes to 32: the beginning of the SHA-256 of the key; any other matches nothing.
        certificate: as a peer has shown it; it may be anything.
    """
    if not limits_access.PIN_BYTES_LEAST <= len(pin) <= PIN_BYTES:
        return False
    try:
        whole = pin_of(certificate)
    except ValueError:
        return False
    return hmac.compare_digest(pin, whole[: len(pin)])


def _key_of(certificate: bytes) -> bytes:
    """Return the SubjectPublicKeyInfo of a certificate; ValueError if there is a doubt."""
    _, body, rest = _element(certificate, _SEQUENCE)
    _ends(rest)
    _, signed, rest = _element(body, _SEQUENCE)
    _, _, rest = _element(rest, _SEQUENCE)
    _, _, rest = _element(rest, _BIT_STRING)
    _ends(rest)
    rest = signed.removeprefix(_VERSION_3)
    is_version_3 = len(rest) < len(signed)
    for tag in _BEFORE:
        _, _, rest = _element(rest, tag)
    key, inside, rest = _element(rest, _SEQUENCE)
    _look_at_key(inside)
    for tag in _BEHIND if is_version_3 else ():
        if rest and rest[0] == tag:
            _, _, rest = _element(rest, tag)
    _ends(rest)
    return key


def _look_at_key(inside: bytes) -> None:
    """Look at what is in a SubjectPublicKeyInfo; ValueError if it is none of a known kind."""
    algorithm, _, rest = _element(inside, _SEQUENCE)
    _, bits, rest = _element(rest, _BIT_STRING)
    _ends(rest)
    _, begin = _KEYS.get(algorithm, ("", b""))
    if not begin or not bits.startswith(begin) or len(bits) == len(begin):
        known = ", ".join(name for name, _ in _KEYS.values())
        raise ValueError(f"its key is of no known kind; known are {known}")


def _element(data: bytes, tag: int) -> tuple[bytes, bytes, bytes]:
    """Return the element of this tag at the beginning of data, its content, and what is behind it.

    Raises:
        ValueError: there is none, or it is not in DER.
    """
    if len(data) < 2 or data[0] != tag:
        raise ValueError(f"no element of the tag {tag:#x} where a certificate has one")
    size, begin = data[1], 2
    if size >= 0x80:
        begin += size - 0x80
        written = data[2:begin]
        size = int.from_bytes(written, "big")
        if not 0 < len(written) == begin - 2 <= _LENGTH_BYTES or not written[0] or size < 0x80:
            raise ValueError("a length that is not in DER, or of more than a certificate has")
    end = begin + size
    if end > len(data):
        raise ValueError("it ends too early")
    return data[:end], data[begin:end], data[end:]


def _ends(rest: bytes) -> None:
    if rest:
        raise ValueError("more in it than belongs into a certificate")
