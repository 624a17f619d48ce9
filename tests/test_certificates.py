"""Certificates made here, and pins: what a clock says, and what is renewed, changes no pin."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from dc import certificates, limits_access
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
    assert certificates.pin_of_pem(made) == certificates.pin_of(
        der(certificates.make(key, [], NOW))
    )
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


def test_a_pin_is_the_beginning_of_the_digest_sixteen_bytes_at_least(key: bytes) -> None:
    shown = der(certificates.make(key, NAMES, NOW))
    pin = certificates.pin_of(shown)
    assert len(pin) == certificates.PIN_BYTES
    assert all(certificates.matches(pin[:size], shown) for size in range(16, 33))
    assert not any(certificates.matches(pin[:size], shown) for size in range(16))
    assert not certificates.matches(pin + b"\0", shown)
    for at in range(16):
        wrong = bytearray(pin[:16])
        wrong[at] ^= 1
        assert not certificates.matches(bytes(wrong), shown)
    for bad in (b"", b"\x30\x03scribble", shown[:-1], shown[:40]):
        assert not certificates.matches(pin, bad)


def test_a_key_that_was_not_made_here() -> None:
    other = rsa.generate_private_key(65537, 2048)
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(StartError, match="not the one that was made here"):
        certificates.make(pem, NAMES, NOW)
    with pytest.raises(StartError, match="no private key"):
        certificates.make(b"scribble", NAMES, NOW)
    with pytest.raises(StartError, match="no certificate"):
        certificates.pin_of_pem(b"scribble")


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_what_a_peer_shows_may_be_anything(key: bytes) -> None:
    """Nothing is raised for it but what says that it is none, wherever it is broken."""
    shown = der(certificates.make(key, NAMES, NOW))
    pin = certificates.pin_of(shown)
    for at in range(len(shown)):
        for other in (0, 7, 255, shown[at] ^ 1):
            broken = shown[:at] + bytes([other]) + shown[at + 1 :]
            assert certificates.matches(pin, broken) in (True, False)
    assert not certificates.matches(pin, shown[:-1])
    assert not certificates.matches(pin, b"")
