"""A server's certificate that no authority has signed: made here, and looked at by its server.

Nobody needs to believe what is in such a certificate: neither its names nor its dates. A worker or
a client that has the pin, the SHA-256 of the public key, knows the server by it, whatever its own
clock says. So a certificate may be renewed, with other names and dates: its key and its pin stay.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dc import limits_access, pins
from dc.errors import StartError

NAME: Final = "dc server"
_NAME: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")
_EARLIEST: Final = datetime(2001, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9990, 1, 1, tzinfo=UTC)
"""Dates that a certificate can have; what a clock says beyond them is wrong."""


def new_key() -> bytes:
    """Return a new private key (ECDSA, P-256) as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def make(key: bytes, names: Sequence[str], now: float) -> bytes:
    """Return a certificate, signed by its own key, as PEM.

    Args:
        key: the private key, as PEM.
        names: host names and addresses of the server; what is neither is left out.
        now: the Unix time, from which on it is valid.

    Raises:
        StartError: the key is none, or of a kind that cannot be used.
    """
    private = _private(key)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    begin = _date(now) - timedelta(days=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=limits_access.CERTIFICATE_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    if found := [one for name in names if (one := _general(name)) is not None]:
        builder = builder.add_extension(x509.SubjectAlternativeName(found), critical=False)
    return builder.sign(private, SHA256()).public_bytes(Encoding.PEM)


def is_good(certificate: bytes, key: bytes, names: Sequence[str], now: float) -> bool:
    """Whether a certificate, as PEM, can stay as it is.

    It is of this private key, has all these names, and its dates are good for a while.
    """
    try:
        found = x509.load_pem_x509_certificate(certificate)
        if _spki(found) != _spki_of(key):
            return False
        general = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        return False
    except x509.ExtensionNotFound:
        general = x509.SubjectAlternativeName([])
    left = timedelta(days=limits_access.CERTIFICATE_RENEW_DAYS)
    moment = _date(now)
    if not found.not_valid_before_utc <= moment <= found.not_valid_after_utc - left:
        return False
    return all(one in general for name in names if (one := _general(name)) is not None)


def pin_of_pem(certificate: bytes) -> bytes:
    """Return the pin of the first certificate of a chain (PEM).

    Raises:
        StartError: there is none, or its key is of no known kind.
    """
    try:
        found = x509.load_pem_x509_certificate(certificate).public_bytes(Encoding.DER)
    except (ValueError, x509.InvalidVersion) as error:
        raise StartError(f"this is no certificate in PEM: {error}") from None
    try:
        return pins.pin_of(found)
    except ValueError as error:
        raise StartError(f"this certificate cannot be used: {error}") from None


def _private(key: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        private = load_pem_private_key(key, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise StartError(f"this is no private key in PEM: {error}") from None
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise StartError("this private key is not the one that was made here")
    return private


def _spki(certificate: x509.Certificate) -> bytes:
    key = certificate.public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _spki_of(key: bytes) -> bytes:
    public = _private(key).public_key()
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _date(now: float) -> datetime:
    earliest, latest = _EARLIEST.timestamp(), _LATEST.timestamp()
    return datetime.fromtimestamp(int(min(max(now, earliest), latest)), UTC)


def _general(name: str) -> x509.GeneralName | None:
    """Return a name or an address as certificates have them; None if it is neither."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name.partition("%")[0]))
    except ValueError:
        pass
    try:
        written = name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        return None
    return x509.DNSName(written) if _NAME.fullmatch(written) else None
