"""Certificates made here, and pins: what a clock says, and what is renewed, changes no pin."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from dc import certificates, limits_access, pins
from dc.errors import StartError

NOW = datetime(2026, 3, 1, tzinfo=UTC).timestamp()
DAY = 86400.0
NAMES = ["localhost", "127.0.0.1", "::1", "laptop"]


@pytest.fixture(name="key", scope="module")
def make_key() -> bytes:
    return certificates.new_key()


def der(pem: bytes) -> bytes:
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


def test_what_is_in_a_certificate(key: bytes) -> None:
    found = x509.load_pem_x509_certificate(certificates.make(key, [*NAMES, "", "a b"], NOW))
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", "laptop"} <= set(names.get_values_for_type(x509.DNSName))
    assert names.get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address("127.0.0.1"),
        ipaddress.ip_address("::1"),
    ]
    lasts = found.not_valid_after_utc - found.not_valid_before_utc
    assert lasts == timedelta(days=limits_access.CERTIFICATE_DAYS)
    assert found.not_valid_before_utc < datetime.fromtimestamp(NOW, UTC)
    found.verify_directly_issued_by(found)


@pytest.mark.parametrize("year", [1970, 2001, 2026, 2099, 9999, 20000])
def test_any_clock_will_do_and_the_pin_is_the_keys(key: bytes, year: int) -> None:
    now = (year - 1970) * 365.25 * DAY
    made = certificates.make(key, NAMES, now)
    assert certificates.pin_of_pem(made) == pins.pin_of(der(certificates.make(key, [], NOW)))
    assert certificates.pin_of_pem(made) != certificates.pin_of_pem(
        certificates.make(certificates.new_key(), NAMES, now)
    )


def test_when_a_certificate_is_renewed(key: bytes) -> None:
    made = certificates.make(key, NAMES, NOW)
    last = NOW + (limits_access.CERTIFICATE_DAYS - limits_access.CERTIFICATE_RENEW_DAYS - 2) * DAY
    assert certificates.is_good(made, key, NAMES, NOW)
    assert certificates.is_good(made, key, ["laptop", "not a name!\0"], last)
    assert not certificates.is_good(made, key, NAMES, last + 2 * DAY)
    assert not certificates.is_good(made, key, NAMES, NOW - 3 * DAY)
    assert not certificates.is_good(made, key, [*NAMES, "192.0.2.7"], NOW)
    assert not certificates.is_good(made, certificates.new_key(), NAMES, NOW)
    assert not certificates.is_good(b"scribble", key, NAMES, NOW)
    nameless = certificates.make(key, [], NOW)
    assert certificates.is_good(nameless, key, [], NOW)
    assert not certificates.is_good(nameless, key, NAMES, NOW)


def test_a_key_that_was_not_made_here() -> None:
    other = rsa.generate_private_key(65537, 2048)
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(StartError, match="not the one that was made here"):
        certificates.make(pem, NAMES, NOW)
    with pytest.raises(StartError, match="no private key"):
        certificates.make(b"scribble", NAMES, NOW)
    with pytest.raises(StartError, match="no certificate"):
        certificates.pin_of_pem(b"scribble")


def test_a_certificate_whose_key_has_no_pin() -> None:
    """What a client would refuse, a server does not begin with."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = x25519.X25519PrivateKey.generate().public_key()
    name = x509.Name([])
    begin = datetime.fromtimestamp(NOW, UTC)
    builder = x509.CertificateBuilder(name, name, public, 1, begin, begin)
    pem = builder.sign(key, SHA256()).public_bytes(Encoding.PEM)
    with pytest.raises(StartError, match=r"cannot be used: its key is of no known kind.* P-256"):
        certificates.pin_of_pem(pem)
