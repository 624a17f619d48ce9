"""The servers that this user is let in by: of each its pin and a token, in the user's own file.

    {"default": "https://desk.lan:8220",
     "servers": {"desk.lan:8220": {"pin": "9f2c…", "token": "dct_…", "tls": true}}}

The file is readable by its user alone, and replaced as a whole: whoever reads it finds what was
there before or what is there after. What the environment says goes before it, and what a program
says itself before both.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from dc import limits
from dc.errors import StartError

FILE: Final = "servers.json"
TOKEN_VARIABLE: Final = "DC_TOKEN"  # the name of a variable # noqa: S105
PIN_VARIABLE: Final = "DC_PIN"

MOST_BYTES: Final = 1 << 20
"""Of the file: thousands of servers. One that is larger is not of dc."""

LEAST_PIN_BYTES: Final = 16
MOST_PIN_BYTES: Final = 32

HTTPS_PORT: Final = 443
"""Of an address with https:// and a name alone."""

_SECURE: Final = ("https", "wss")


class Known(Struct, frozen=True):
    """What is known of one server.

    Attributes:
        pin: of its key, as hexadecimal digits: 16 to 32 bytes of the SHA-256; empty where its
            certificate is verified as browsers do.
        token: that lets this user in, as text; empty for none.
        tls: whether it is spoken to by TLS.
    """

    pin: str = ""
    token: str = ""
    tls: bool = True


class Credentials(Struct, frozen=True):
    """What a client needs to know a server, and to be let in. `pin` is bytes here."""

    pin: bytes = b""
    token: str = ""


class _File(Struct, frozen=True):
    default: str = ""
    servers: dict[str, Known] = {}


class KnownServers:
    """The file.

    Args:
        path: where it is; the user's own place without it.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = default_path() if path is None else path

    def of(self, url: str) -> Known | None:
        """Return what is known of the server at an address, None for nothing.

        Raises:
            StartError: the file cannot be read; the text says what to do.
        """
        return self._read().servers.get(authority_of(url))

    def resolved(self, url: str) -> str:
        """Return an address with its scheme: a host alone is spoken to as it is known."""
        if "://" in url:
            return url
        known = self.of(url)
        return f"https://{authority_of(url)}" if known is not None and known.tls else url

    @property
    def default(self) -> str:
        """The address of the server that is meant where none is named; empty for none."""
        return self._read().default

    def keep(self, url: str, known: Known, *, default: bool = False) -> None:
        """Remember a server; StartError if the file cannot be read or written.

        Args:
            url: its address.
            known: what is known of it.
            default: whether it is meant from now on where none is named.
        """
        there = self._read()
        servers = {**there.servers, authority_of(url): known}
        self._write(_File(url if default else there.default, servers))

    def forget(self, url: str) -> bool:
        """Forget the token of a server, and nothing else of it; return whether there was one.

        Its pin stays: a server that is known by one is never taken for another.
        """
        there, name = self._read(), authority_of(url)
        known = there.servers.get(name)
        if known is None or not known.token:
            return False
        servers = {**there.servers, name: replace(known, token="")}  # nosec B106
        self._write(replace(there, servers=servers))
        return True

    def _read(self) -> _File:
        try:
            with self.path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
            if len(data) > MOST_BYTES:
                raise ValueError("it is too large")
            return msgspec.json.decode(data, type=_File)
        except FileNotFoundError:
            return _File()
        except OSError as error:
            raise StartError(f"{self.path} cannot be read: {error.strerror or error}") from None
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
            raise StartError(
                f"{self.path} is damaged ({error}): mend it, or move it away and sign in again"
            ) from None

    def _write(self, content: _File) -> None:
        data = msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_secret(self.path, data)
        except OSError as error:
            raise StartError(f"{self.path} cannot be written: {error.strerror or error}") from None


def write_secret(path: Path, data: bytes) -> None:
    """Put bytes at a path: all of them on disk, or what was there; readable by its user alone.

    Args:
        path: of a file; its folder is there.
        data: what is to be in it.

    Raises:
        OSError: it cannot be written.
    """
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise


def default_path(
    environment: Mapping[str, str] | None = None, platform: str = sys.platform
) -> Path:
    """Return where a user's file is.

    Args:
        environment: of the process, if not this one's.
        platform: as `sys.platform`.

    Raises:
        StartError: the user has no home folder.
    """
    environment = os.environ if environment is None else environment
    try:
        home = Path.home()
    except RuntimeError:
        raise StartError("this user has no home folder: set DC_TOKEN and DC_PIN") from None
    if platform == "win32":
        return Path(environment.get("APPDATA") or home / "AppData" / "Roaming") / "dc" / FILE
    named = Path(environment.get("XDG_CONFIG_HOME", ""))
    return (named if named.is_absolute() else home / ".config") / "dc" / FILE


def authority_of(url: str) -> str:
    """Return host and port of a server's address, as its name in the file: `desk.lan:8220`.

    Raises:
        StartError: it is no address.
    """
    parts, port = _parts(url)
    host = parts.hostname or ""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def credentials_of(
    url: str,
    token: str | None = None,
    pin: str | None = None,
    *,
    known: KnownServers | None = None,
    environment: Mapping[str, str] | None = None,
) -> Credentials:
    """Return the pin and the token for a server.

    They are what is said here, else what the environment says, else what is in the user's file.

    Args:
        url: the server's address.
        token: as text; empty for none, None where nothing is said.
        pin: hexadecimal digits; likewise.
        known: the file, if not the user's own.
        environment: of the process, if not this one's.

    Raises:
        StartError: the file or the environment cannot be read; or a token would go over a network
            unencrypted.
    """
    environment = os.environ if environment is None else environment
    token = environment.get(TOKEN_VARIABLE, "").strip() or None if token is None else token
    pin = environment.get(PIN_VARIABLE) or None if pin is None else pin
    found = _known_of(url, known) if token is None or pin is None else None
    token = (found.token if found else "") if token is None else token
    pin = (found.pin if found else "") if pin is None else pin
    is_secure = "://" not in url and found is not None and found.tls
    if token and not is_secure and not may_carry(url):
        raise StartError(f"a token does not go over http to {authority_of(url)}: use https://")
    return Credentials(read_pin(pin), token)


def _known_of(url: str, known: KnownServers | None) -> Known | None:
    try:
        file = KnownServers() if known is None else known
    except StartError:  # no home, no file
        return None
    return file.of(url)


def may_carry(url: str) -> bool:
    """Whether a token may be sent to an address: encrypted, or without leaving this computer."""
    parts, _ = _parts(url)
    return parts.scheme in _SECURE or is_loopback(parts.hostname or "")


def is_loopback(host: str) -> bool:
    """Whether a host is this computer, by its name alone."""
    if host == "localhost":
        return True
    return _is_address(host) and ipaddress.ip_address(host.partition("%")[0]).is_loopback


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def read_pin(text: str) -> bytes:
    """Return a pin of hexadecimal digits, which may stand in groups; empty for none.

    Raises:
        StartError: it is none.
    """
    digits = "".join(text.replace(":", " ").split())
    try:
        pin = bytes.fromhex(digits)
    except ValueError:
        pin = b"?"
    if pin and not LEAST_PIN_BYTES <= len(pin) <= MOST_PIN_BYTES:
        raise StartError(
            f"{text[:80]!r} is no pin: it has {2 * LEAST_PIN_BYTES} to {2 * MOST_PIN_BYTES} "
            "hexadecimal digits, as the server prints it"
        )
    return pin


def pin_text(pin: bytes) -> str:
    """Return a pin as people compare it: in groups of four hexadecimal digits."""
    digits = pin.hex()
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))


def _parts(url: str) -> tuple[SplitResult, int]:
    text = url.strip()
    if text.count(":") > 1 and _is_address(text):
        text = f"[{text}]"
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        named = parts.scheme in _SECURE and not _is_address(parts.hostname or "")
        port = parts.port or (HTTPS_PORT if named else limits.DEFAULT_PORT)
    except ValueError:
        parts, port = urlsplit(""), 0
    if not parts.hostname:
        raise StartError(f"{url[:200]!r} is no server's address; one looks like https://desk:8220")
    return parts, port
