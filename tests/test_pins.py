"""Pins of keys: what is found without `cryptography` is what that finds, or nothing is found."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime
from functools import cache
from typing import Final

import pytest
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from dc import pins

SIGNER: Final = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
"""Signs all of them: the same bytes each time."""

KEY: Final = 6
"""Of the parts of a signed certificate of version 3, that which has the key."""

deprecated = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


@cache
def keys() -> dict[str, CertificatePublicKeyTypes]:
    modulus = random.Random(1).getrandbits(2048) | 1 | 1 << 2047
    return {
        "P-256": ec.derive_private_key(5, ec.SECP256R1()).public_key(),
        "P-384": ec.derive_private_key(5, ec.SECP384R1()).public_key(),
        "P-521": ec.derive_private_key(5, ec.SECP521R1()).public_key(),
        "P-224": ec.derive_private_key(5, ec.SECP224R1()).public_key(),
        "secp256k1": ec.derive_private_key(5, ec.SECP256K1()).public_key(),
        "brainpoolP256r1": ec.derive_private_key(5, ec.BrainpoolP256R1()).public_key(),
        "brainpoolP384r1": ec.derive_private_key(5, ec.BrainpoolP384R1()).public_key(),
        "brainpoolP512r1": ec.derive_private_key(5, ec.BrainpoolP512R1()).public_key(),
        "RSA": rsa.RSAPublicNumbers(65537, modulus).public_key(),
        "Ed25519": SIGNER.public_key(),
        "Ed448": ed448.Ed448PrivateKey.from_private_bytes(bytes(57)).public_key(),
    }


@cache
def made(kind: str, size: int = 1) -> bytes:
    """Return a certificate (DER) with so many names and extensions."""
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "ä" * 30)] * size)
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, keys()[kind], size, begin, begin)
    for number in range(size):
        extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(f"1.3.9.{number}"), b"x" * 99)
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(SIGNER, None).public_bytes(Encoding.DER)


def theirs(certificate: bytes) -> bytes | None:
    """Return the pin that `cryptography` finds; None if it takes this for no certificate."""
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        return None
    written = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(written).digest()


def ours(certificate: bytes) -> bytes | None:
    try:
        return pins.pin_of(certificate)
    except ValueError:
        return None


def length(size: int) -> bytes:
    if size < 0x80:
        return bytes([size])
    written = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 + len(written)]) + written


def element(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return bytes([tag]) + length(len(content)) + content


def content_at(data: bytes, at: int) -> tuple[int, int]:
    """Return where the content of an element begins and ends."""
    size, begin = data[at + 1], at + 2
    if size >= 0x80:
        begin += size - 0x80
        size = int.from_bytes(data[at + 2 : begin], "big")
    return begin, begin + size


def parts(data: bytes) -> list[bytes]:
    """Return the elements in an element."""
    at, end = content_at(data, 0)
    found = []
    while at < end:
        _, behind = content_at(data, at)
        found.append(data[at:behind])
        at = behind
    return found


def signed_of(certificate: bytes) -> list[bytes]:
    return parts(parts(certificate)[0])


def certificate_of(signed: list[bytes], *behind: bytes) -> bytes:
    """Return a certificate of these parts, whose signature is another's."""
    return element(0x30, element(0x30, *signed), *parts(made("P-256"))[1:], *behind)


def with_part(index: int, part: bytes) -> bytes:
    signed = signed_of(made("P-256"))
    signed[index] = part
    return certificate_of(signed)


@pytest.mark.parametrize("size", [1, 3, 60, 700])
@pytest.mark.parametrize("kind", keys())
def test_it_is_the_pin_that_cryptography_finds(kind: str, size: int) -> None:
    certificate = made(kind, size)
    assert pins.pin_of(certificate) == theirs(certificate)
    assert pins.pin_of(certificate) == hashlib.sha256(signed_of(certificate)[KEY]).digest()
    assert len(pins.pin_of(certificate)) == pins.PIN_BYTES


@pytest.mark.parametrize("kind", keys())
def test_a_certificate_of_version_1(kind: str) -> None:
    whole = made(kind)
    old = certificate_of(signed_of(whole)[1 : KEY + 1])
    assert pins.pin_of(old) == theirs(old) == pins.pin_of(whole)


def test_identifiers_behind_the_key() -> None:
    """Nobody uses them, but they may be there: in order, each once."""
    whole = signed_of(made("P-256"))
    for tag in (b"\x81", b"\x82"):
        identifier = tag + b"\2\0\1"
        with_it = certificate_of([*whole[: KEY + 1], identifier, whole[-1]])
        assert pins.pin_of(with_it) == theirs(with_it)
        assert ours(certificate_of([*whole, identifier])) is None
        assert ours(certificate_of([*whole[: KEY + 1], identifier, identifier])) is None


def test_a_pin_is_the_beginning_of_the_digest_sixteen_bytes_at_least() -> None:
    shown = made("P-256")
    pin = pins.pin_of(shown)
    assert all(pins.matches(pin[:size], shown) for size in range(16, 33))
    assert not any(pins.matches(pin[:size], shown) for size in range(16))
    assert not pins.matches(pin + b"\0", shown)
    for at in range(16):
        wrong = bytearray(pin[:16])
        wrong[at] ^= 1
        assert not pins.matches(bytes(wrong), shown)


def bad_lengths(data: bytes) -> dict[str, bytes]:
    """Return an element with its length in other forms, none of which is DER."""
    begin, end = content_at(data, 0)
    tag, content, size = data[:1], data[begin:end], end - begin
    return {
        "indefinite": tag + b"\x80" + content + b"\0\0",
        "indefinite without an end": tag + b"\x80" + content,
        "longer form": element(data[0], content).replace(
            length(size), bytes([0x84]) + size.to_bytes(4, "big"), 1
        ),
        "a zero ahead": tag + b"\x83" + size.to_bytes(3, "big") + content,
        "long form of a short one": tag + b"\x81" + bytes([size & 0x7F]) + content,
        "beyond the end": tag + length(size + 1) + content,
        "far beyond": tag + b"\x84\xff\xff\xff\xff" + content,
        "farther": tag + b"\x88" + b"\xff" * 8 + content,
        "reserved": tag + b"\xff" + content,
        "none": tag,
        "nothing": b"",
    }


@pytest.mark.parametrize("how", bad_lengths(b"\x30\0"))
def test_a_length_in_another_form(how: str) -> None:
    whole = made("P-256")
    pin = pins.pin_of(whole)
    found = [bad_lengths(whole)[how]]
    signed, algorithm, signature = parts(whole)
    found.append(element(0x30, bad_lengths(signed)[how], algorithm, signature))
    found.append(element(0x30, signed, bad_lengths(algorithm)[how], signature))
    found.append(element(0x30, signed, algorithm, bad_lengths(signature)[how]))
    inner = signed_of(whole)
    found += [with_part(at, bad_lengths(inner[at])[how]) for at in range(KEY + 1)]
    for at in (0, 1):
        inside = parts(inner[KEY])
        inside[at] = bad_lengths(inside[at])[how]
        found.append(with_part(KEY, element(0x30, *inside)))
    if how != "nothing":
        found.append(with_part(KEY + 1, bad_lengths(inner[KEY + 1])[how]))
    for certificate in found:
        with pytest.raises(ValueError, match=r"\w"):
            pins.pin_of(certificate)
        assert not pins.matches(pin, certificate)


def test_the_longest_and_the_shortest_of_each_form_of_a_length() -> None:
    """80 alone is the indefinite form, and never a length of 128."""
    for size in (0, 1, 127, 128, 255, 256, 65535, 65536, (1 << 24) - 1):
        certificate = with_part(3, element(0x30, bytes(size)))
        assert (ours(certificate) is None) == (size == (1 << 24) - 1), size  # all of it is longer
    assert ours(with_part(3, b"\x30\x80" + bytes(128))) is None
    assert ours(with_part(3, b"\x30\x80" + element(4, bytes(124)) + b"\0\0")) is None


@pytest.mark.parametrize("kind", ["P-256", "Ed25519"])
def test_too_short_or_too_long(kind: str) -> None:
    whole = made(kind)
    assert not any(ours(whole[:size]) for size in range(len(whole)))
    assert not any(ours(whole + more) for more in (b"\0", b"\0\0", whole))
    for size in range(len(signed_of(whole))):
        assert ours(certificate_of(signed_of(whole)[:size])) is None or size > KEY


def test_what_stands_beside_what_belongs_there() -> None:
    whole = signed_of(made("P-256"))
    algorithm, bits = parts(whole[KEY])
    for more in (b"\0", b"\5\0", b"\x30\0", whole[KEY]):
        for at in range(4):
            outer = parts(certificate_of(whole))
            assert ours(element(0x30, *outer[:at], more, *outer[at:])) is None
        for at in range(KEY + 1):
            assert ours(certificate_of([*whole[:at], more, *whole[at:]])) is None
        assert ours(certificate_of([*whole, more])) is None
        assert ours(certificate_of([*whole[1 : KEY + 1], more])) is None
        for inside in ([more, algorithm, bits], [algorithm, more, bits], [algorithm, bits, more]):
            key = element(0x30, *inside)
            assert ours(certificate_of([*whole[:KEY], key, whole[-1]])) is None


def test_versions_that_are_none() -> None:
    whole = signed_of(made("P-256"))
    assert ours(certificate_of(whole[1:])) is None  # only later versions have extensions
    for text in ("a003020100", "a003020101", "a003020103", "a000", "a00402020002", "020102"):
        assert ours(certificate_of([bytes.fromhex(text), *whole[1:]])) is None
    assert ours(certificate_of([bytes.fromhex("a005020102") + b"\5\0", *whole[1:]])) is None
    assert ours(certificate_of([whole[0], *whole])) is None


@pytest.mark.parametrize("at", range(KEY + 2))
def test_tags_that_do_not_belong_there(at: int) -> None:
    part = signed_of(made("P-256"))[at]
    for tag in set(range(256)) - {part[0]}:
        certificate = with_part(at, bytes([tag]) + part[1:])
        if at <= KEY or tag not in (0x81, 0x82):
            assert ours(certificate) is None


def key_of(algorithm: str, bits: bytes) -> bytes:
    key = element(0x30, bytes.fromhex(algorithm), element(0x03, bits))
    return with_part(KEY, key)


def test_keys_in_other_forms_or_of_other_kinds() -> None:
    """Of such a key there is more than one form, and others find another pin, or none."""
    p256, point = "301306072a8648ce3d020106082a8648ce3d030107", b"\4" + bytes(64)
    assert ours(key_of(p256, b"\0" + point)) is not None
    for bits in (b"", b"\0", b"\0\4", b"\1" + point, b"\7" + point, b"\0\2" + bytes(32)):
        assert ours(key_of(p256, bits)) is None
    assert ours(key_of(p256, b"\0\6" + point[1:])) is None
    rsa_key = "300d06092a864886f70d0101010500"
    assert ours(key_of(rsa_key, b"\0\x30\0")) is not None
    assert ours(key_of(rsa_key, b"\0\2\1\1")) is None
    others = {
        "another curve": "301306072a8648ce3d020106082a8648ce3d030101",
        "RSASSA-PSS": "300b06092a864886f70d01010a",
        "RSA without its parameters": "300b06092a864886f70d010101",
        "Ed25519 with some": "300706032b65700500",
        "X25519": "300506032b656e",
    }
    for algorithm in others.values():
        assert ours(key_of(algorithm, b"\0\x30" + point)) is None


def test_the_error_names_all_kinds_that_are_known() -> None:
    with pytest.raises(ValueError, match="no known kind") as error:
        pins.pin_of(key_of("300b06092a864886f70d01010a", b"\0\x30\0"))
    assert set(str(error.value).partition("known are ")[2].split(", ")) == set(keys())


def test_the_pinned_key_beside_another_one_is_not_taken() -> None:
    """Whoever is in between has a key of their own, and may write what they like beside it."""
    true, whole = signed_of(made("P-256"))[KEY], signed_of(made("P-384"))
    pin, other = hashlib.sha256(true).digest(), hashlib.sha256(whole[KEY]).digest()
    assert pins.matches(other, certificate_of(whole))
    for at in range(len(whole) + 1):
        assert not pins.matches(pin, certificate_of([*whole[:at], true, *whole[at:]]))
    for at in (2, 3, 4, 5, 7):  # in what has any content, or in its stead
        for instead in (true, element(whole[at][0], true), element(whole[at][0], *[true] * 6)):
            certificate = certificate_of([*whole[:at], instead, *whole[at + 1 :]])
            assert not pins.matches(pin, certificate)
    for key in (true + whole[KEY], element(0x30, true, whole[KEY]), element(0x30, whole[KEY])):
        assert not pins.matches(pin, certificate_of([*whole[:KEY], key, whole[-1]]))
    assert not pins.matches(pin, certificate_of(whole, true))
    assert not pins.matches(pin, certificate_of(whole) + made("P-256"))


def heads(data: bytes, at: int, end: int) -> list[int]:
    """Return where elements begin, and those in them."""
    found = []
    while at < end:
        begin, behind = content_at(data, at)
        found += [at, *(heads(data, begin, behind) if data[at] & 0x20 else [])]
        at = behind
    return found


CERTIFICATES: Final = [made(kind, size) for kind in keys() for size in (1, 3)]
EDITS: Final = st.tuples(
    st.sampled_from(["set", "insert", "remove", "cut"]),
    st.booleans(),
    st.integers(0, 1 << 16),
    st.integers(0, 3),
    st.binary(min_size=1, max_size=4)
    | st.sampled_from([b"\x80", b"\x81", b"\x82", b"\x30", b"\2"]),
)


def edited(certificate: bytes, edits: list[tuple[str, bool, int, int, bytes]]) -> bytes:
    """Change some bytes, for the most part those of tags and lengths."""
    places = heads(certificate, 0, len(certificate))
    for how, anywhere, number, offset, said in edits:
        count = len(certificate) + 1
        at = number % count if anywhere else (places[number % len(places)] + offset) % count
        behind = at + len(said)
        match how:
            case "set":
                certificate = certificate[:at] + said + certificate[behind:]
            case "insert":
                certificate = certificate[:at] + said + certificate[at:]
            case "remove":
                certificate = certificate[:at] + certificate[behind:]
            case _:
                certificate = certificate[:at]
    return certificate


@deprecated
@settings(max_examples=2000)
@given(st.sampled_from(CERTIFICATES), st.lists(EDITS, min_size=1, max_size=3))
def test_whatever_is_changed_it_is_the_pin_that_cryptography_finds(
    certificate: bytes, edits: list[tuple[str, bool, int, int, bytes]]
) -> None:
    changed = edited(certificate, edits)
    if (pin := ours(changed)) is not None:
        assert theirs(changed) in (None, pin)


@deprecated
def test_each_byte_changed() -> None:
    whole = made("P-256")
    for at in range(len(whole)):
        for other in (0, 7, 255, *(whole[at] ^ 1 << bit for bit in range(8))):
            changed = whole[:at] + bytes([other]) + whole[at + 1 :]
            if (pin := ours(changed)) is not None:
                assert theirs(changed) in (None, pin)


PARTS: Final = [part for kind in ("P-256", "RSA") for part in signed_of(made(kind))]


@deprecated
@settings(max_examples=1000)
@given(
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=2),
    st.lists(st.tuples(st.integers(0, 8), st.booleans(), st.sampled_from(PARTS)), max_size=2),
)
def test_however_its_parts_are_put_together(
    swaps: list[tuple[int, int]], others: list[tuple[int, bool, bytes]]
) -> None:
    signed = PARTS[:8]
    for one, other in swaps:
        signed[one], signed[other] = signed[other], signed[one]
    for at, instead, part in others:
        signed[at : at + instead] = [part]
    certificate = certificate_of(signed)
    if (pin := ours(certificate)) is not None:
        key = signed[KEY if signed[0][0] == 0xA0 else KEY - 1]
        assert pin == hashlib.sha256(key).digest()
        assert theirs(certificate) in (None, pin)


@given(st.binary(max_size=300))
def test_anything_is_refused(data: bytes) -> None:
    assert ours(data) is None
