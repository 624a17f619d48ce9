"""Keys and signatures: what is damaged, missing or of something else is never taken for good."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dc
from dc import signing
from dc.signing import Signature, read_private, read_public

DIGEST = hashlib.sha256(b"an archive").digest()


@pytest.fixture(scope="module")
def pair() -> tuple[bytes, bytes]:
    private, public = signing.new_key()
    return read_private(private), read_public(public)


def signature_by(pair: tuple[bytes, bytes], digest: bytes = DIGEST) -> Signature:
    return Signature(pair[1], signing.sign(pair[0], digest), digest)


# --- keys as text -------------------------------------------------------------------------------


def test_keys_come_back_from_their_text(pair: tuple[bytes, bytes]) -> None:
    text = signing.public_text(pair[1])
    assert text.startswith("dc-key-")
    assert len(text) == len("dc-key-") + 56
    assert read_public(f" {text}\n") == pair[1]
    assert signing.public_of(pair[0]) == pair[1]


def test_two_keys_are_different() -> None:
    assert signing.new_key() != signing.new_key()


@given(st.data())
def test_a_changed_letter_of_a_key_is_found(data: st.DataObject) -> None:
    text = signing.public_text(bytes(range(32)))
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(categories=["L", "N", "P"]).filter(lambda c: c != text[at]))
    if other.lower() == text[at] and at >= len("dc-key-"):
        return  # a capital is the same letter
    with pytest.raises(dc.SignatureError, match="public key"):
        read_public(text[:at] + other + text[at + 1 :])


@pytest.mark.parametrize("cut", range(0, 63, 5))
def test_a_key_that_is_cut_is_found(cut: int) -> None:
    with pytest.raises(dc.SignatureError, match="no public key"):
        read_public(signing.public_text(bytes(32))[:cut])


def test_keys_of_the_other_kind_are_told_apart() -> None:
    private, public = signing.new_key()
    with pytest.raises(dc.SignatureError, match="keep it to yourself") as caught:
        read_public(private)
    assert private not in str(caught.value)
    with pytest.raises(dc.SignatureError, match="nothing can be signed"):
        read_private(public)
    with pytest.raises(dc.SignatureError, match="letters are missing") as caught:
        read_private(private[:-1])
    assert private[:-1] not in str(caught.value)


# --- signatures ---------------------------------------------------------------------------------


def test_a_signature_holds_for_its_key_and_its_digest_alone(pair: tuple[bytes, bytes]) -> None:
    signature = signing.sign(pair[0], DIGEST)
    assert signing.verify(pair[1], DIGEST, signature)
    assert not signing.verify(pair[1], hashlib.sha256(b"another").digest(), signature)
    assert not signing.verify(read_public(signing.new_key()[1]), DIGEST, signature)
    assert signature_by(pair).holds


@given(st.integers(0, 511))
def test_no_bit_of_a_signature_can_be_changed(bit: int) -> None:
    private = bytes(range(32))
    signature = bytearray(signing.sign(private, DIGEST))
    signature[bit // 8] ^= 1 << bit % 8
    assert not signing.verify(signing.public_of(private), DIGEST, bytes(signature))


@given(st.binary(max_size=70), st.binary(max_size=70), st.binary(max_size=70))
def test_what_is_no_key_and_no_signature_is_only_wrong(key: bytes, of: bytes, said: bytes) -> None:
    assert not signing.verify(key, of, said)


# --- files of keys ------------------------------------------------------------------------------


def test_a_key_is_written_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "me.key"
    public = signing.write_key(path)
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert signing.public_of(signing.private_from(path)) == read_public(public)
    assert signing.public_from(str(tmp_path / "me.key.pub")) == read_public(public)
    assert signing.public_from(public) == read_public(public)


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "me.key"
    signing.write_key(path)
    before = path.read_text()
    with pytest.raises(dc.SignatureError, match=r"me\.key\.pub is there already"):
        signing.write_key(path)
    (tmp_path / "me.key.pub").unlink()
    with pytest.raises(dc.SignatureError, match=r"me\.key is there already"):
        signing.write_key(path)
    assert path.read_text() == before
    assert sorted(one.name for one in tmp_path.iterdir()) == ["me.key"]


def test_a_key_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(dc.SignatureError, match="cannot be made: No such file"):
        signing.write_key(tmp_path / "none" / "me.key")
    with pytest.raises(dc.SignatureError, match="cannot be made: File name too long"):
        signing.write_key(tmp_path / ("k" * 252))  # which the public one's is alone
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_of_a_key_when_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fdopen(file: int, *arguments: str, **more: str) -> io.TextIOWrapper:
        os.close(file)
        return Path("/dev/full").open("w")

    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    monkeypatch.setattr(os, "fdopen", fdopen)
    with pytest.raises(dc.SignatureError, match="cannot be written: No space left"):
        signing.write_key(tmp_path / "me.key")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "content", [b"", b"\xff\x00" * 40, b"dc-private-key-aaaa\n", b"x" * 10_000]
)
def test_damaged_files_of_keys(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "me.key"
    path.write_bytes(content)
    with pytest.raises(dc.SignatureError, match=r"me\.key: "):
        signing.private_from(path)
    with pytest.raises(dc.SignatureError, match=r"me\.key: "):
        signing.public_from(str(path))


def test_files_of_keys_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(dc.SignatureError, match="it cannot be read: No such file"):
        signing.private_from(tmp_path / "none")
    with pytest.raises(dc.SignatureError, match="cannot be read: Is a directory"):
        signing.private_from(tmp_path)
    with pytest.raises(dc.SignatureError, match="'none' is no public key"):
        signing.public_from("none")


# --- files of signatures ------------------------------------------------------------------------


def test_signatures_are_beside_what_was_signed(tmp_path: Path, pair: tuple[bytes, bytes]) -> None:
    archive = tmp_path / "good.dcplugin"
    archive.write_bytes(b"an archive")
    folder = tmp_path / "good"
    folder.mkdir()
    for plugin, where in ((archive, "good.dcplugin.sig"), (folder, "good/dc-plugin.sig")):
        assert signing.signature_of(plugin) is None
        assert signing.write_signature(plugin, signature_by(pair)) == tmp_path / where
        assert signing.signature_of(plugin) == signature_by(pair)
    again = signature_by(pair, hashlib.sha256(b"changed").digest())
    signing.write_signature(archive, again)
    assert signing.signature_of(archive) == again


def written(pair: tuple[bytes, bytes], tmp_path: Path) -> dict[str, str]:
    path = signing.write_signature(tmp_path, signature_by(pair))
    found: dict[str, str] = json.loads(path.read_text())
    return found


@pytest.mark.parametrize(
    "change",
    [
        {"signer": "dc-key-aaaa"},
        {"signer": 3},
        {"signature": "AAAA"},
        {"signature": "not base64"},
        {"digest": "00"},
        {"digest": "no hex"},
        {"more": "than there should be"},
    ],
)
def test_damaged_signatures(
    tmp_path: Path, pair: tuple[bytes, bytes], change: dict[str, str]
) -> None:
    fields = written(pair, tmp_path) | change
    (tmp_path / "dc-plugin.sig").write_text(json.dumps(fields))
    with pytest.raises(dc.SignatureError, match=r"dc-plugin\.sig: "):
        signing.signature_of(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b"{" * 5000])
def test_files_that_are_no_signature(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "dc-plugin.sig").write_bytes(content)
    with pytest.raises(dc.SignatureError, match=r"dc-plugin\.sig: "):
        signing.signature_of(tmp_path)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_signature_or_an_error(data: bytes) -> None:
    with pytest.raises(dc.SignatureError):
        signing.read_signature(data)
