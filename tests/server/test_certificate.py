"""The server's certificate on the disk: made once, renewed, replaced; the key stays."""

from __future__ import annotations

import logging
import os
import ssl
import stat
from pathlib import Path

import pytest
import trio

from dc import certificates, pins
from dc.cipher import Cipher
from dc.errors import StartError
from dc.server.certificate import ServerCertificate
from tests import tls

NOW, DAY = 1_772_000_000.0, 86400.0
NAMES = ["localhost", "desk"]


def shown(certificate: ServerCertificate) -> bytes:
    """Return what a client is shown (DER)."""
    client = Cipher(tls.client_context(), server=False)
    tls.shake(client, Cipher(certificate.context, server=True))
    return client.certificate


def test_made_at_the_first_start_and_kept(tmp_path: Path) -> None:
    first = ServerCertificate.made(tmp_path / "data", NAMES, NOW)
    folder = tmp_path / "data" / "tls"
    assert {path.name for path in folder.iterdir()} == {"key.pem", "certificate.pem"}
    assert stat.S_IMODE((folder / "key.pem").stat().st_mode) == 0o600
    assert pins.matches(first.pin, shown(first))
    again = ServerCertificate.made(tmp_path / "data", NAMES, NOW + 100 * DAY)
    assert (again.pin, shown(again)) == (first.pin, shown(first))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_is_refused_and_so_are_new_keys_at_will(
    tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """To renegotiate costs the server ten times what it costs the client."""
    made = ServerCertificate.made(tmp_path, NAMES, NOW)
    assert made.context.options & ssl.OP_NO_RENEGOTIATION
    made.context.set_ciphers("ALL:@SECLEVEL=0")  # so that nothing but the version is refused
    context = tls.client_context(version)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(trio.BrokenResourceError, match="protocol"):
        tls.shake(Cipher(context, server=False), Cipher(made.context, server=True))


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot sync a folder")
def test_the_key_stays_when_the_power_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name as well is on the disk: without it, there would be another key, and another pin."""
    synced, fsync = [], os.fsync

    def note(handle: int) -> None:
        synced.append(os.fstat(handle).st_ino)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", note)
    ServerCertificate.made(tmp_path / "data", NAMES, NOW)
    folder = tmp_path / "data" / "tls"
    key = (folder / "key.pem").stat().st_ino
    assert key in synced
    assert folder.stat().st_ino in synced[synced.index(key) :]
    assert folder.parent.stat().st_ino in synced


@pytest.mark.parametrize("left", ["none", "a part of a key", "a bad certificate", "an old clock"])
def test_another_certificate_has_the_same_pin(tmp_path: Path, left: str) -> None:
    first = ServerCertificate.made(tmp_path, NAMES, 0.0 if left == "an old clock" else NOW)
    file = tmp_path / "tls" / "certificate.pem"
    if left == "none":
        file.unlink()
    elif left == "a part of a key":
        (tmp_path / "tls" / "key.pem.part").write_bytes(b"half")
        (tmp_path / "tls" / "certificate.pem.part").write_bytes(b"half")
        file.unlink()
    elif left == "a bad certificate":
        file.write_bytes(b"scribble")
    again = ServerCertificate.made(tmp_path, NAMES, NOW)
    assert again.pin == first.pin
    assert shown(again) != shown(first)


def test_renewed_while_it_runs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    certificate = ServerCertificate.made(tmp_path, NAMES, NOW)
    before, pin = shown(certificate), certificate.pin
    certificate.look(NOW + DAY)
    assert shown(certificate) == before
    assert caplog.messages == []
    certificate.look(NOW + 800 * DAY)
    assert shown(certificate) != before
    assert certificate.pin == pin
    assert caplog.messages == ["the certificate was read again"]


def test_one_that_is_given_is_read_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pem, key = tls.pems()
    both = tmp_path / "both.pem"
    both.write_bytes(key + pem)
    given = ServerCertificate.given(both, None)
    assert given.pin == tls.pin()
    both.write_bytes(b"scribble")
    given.look(NOW)
    given.look(NOW)
    assert shown(given) == tls.der()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    other = certificates.new_key()
    both.write_bytes(certificates.make(other, NAMES, NOW) + other)
    given.look(NOW)
    assert given.pin != tls.pin()
    assert pins.matches(given.pin, shown(given))
    assert "the certificate has another key" in caplog.messages[-1]
    before = given.context
    given.look(NOW)
    assert given.context is before
    given.look(NOW, anew=True)
    assert given.context is not before


def test_what_cannot_be_used(tmp_path: Path) -> None:
    pem, key = tls.pems()
    (tmp_path / "c").write_bytes(pem)
    (tmp_path / "k").write_bytes(certificates.new_key())
    (tmp_path / "good").write_bytes(key)
    ServerCertificate.given(tmp_path / "c", tmp_path / "good")
    for files in [("c", "k"), ("c", None), ("none", "k"), ("good", "c")]:
        paths = [tmp_path / name if name else None for name in files]
        with pytest.raises(StartError, match="are no certificate and its key"):
            ServerCertificate.given(paths[0] or tmp_path, paths[1])
    (tmp_path / "tls").write_bytes(b"no folder")
    with pytest.raises(StartError, match="tls: "):
        ServerCertificate.made(tmp_path, NAMES, NOW)


def test_a_key_that_has_no_pin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pem, key = tls.pems()
    both = tmp_path / "both.pem"
    both.write_bytes(key + pem)
    given = ServerCertificate.given(both, None)
    before = given.pin
    monkeypatch.setattr(pins, "_KEYS", {})
    with pytest.raises(StartError, match="no known kind") as error:
        ServerCertificate.given(both, None)
    assert str(error.value).startswith(f"{both}: ")
    assert "make a key of P-256 or RSA" in str(error.value)
    given.look(NOW, anew=True)
    assert f"the certificate stays as it was: {error.value}" in caplog.messages
    assert (given.pin, shown(given)) == (before, tls.der())


def test_whether_the_authorities_vouch_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ServerCertificate.made(tmp_path, NAMES, NOW)
    assert not made.is_public("localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "tls" / "certificate.pem"))
    assert made.is_public("localhost")
    assert not made.is_public("elsewhere")
