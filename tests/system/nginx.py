"""Debian's nginx, as docs/proxies.md has it, for tests: with a configuration of its own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from string import Template

from dc import certificates

ROOT = Path(__file__).parent.parent.parent
FRAME = """\
daemon off;
pid $folder/nginx.pid;
error_log $folder/error.log;
events {}
http {
    access_log off;
    client_body_temp_path $folder/body;
    proxy_temp_path $folder/proxy;
    fastcgi_temp_path $folder/fastcgi;
    uwsgi_temp_path $folder/uwsgi;
    scgi_temp_path $folder/scgi;
$server
}
"""
START_SECONDS = 60.0


def documented(which: str) -> str:
    """Return the example of docs/proxies.md that begins with this comment."""
    text = (ROOT / "docs" / "proxies.md").read_text("utf-8")
    _, _, rest = text.partition(f"    # {which}")
    assert rest, f"docs/proxies.md has no example {which!r}"
    lines = rest.partition("\n")[2].split("\n")
    return "\n".join(takewhile(lambda line: not line or line.startswith("    "), lines))


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


@contextmanager
def nginx(
    folder: Path, server: int, which: str, certificate: Path | None = None
) -> Iterator[tuple[int, bytes]]:
    """Run nginx before a server that listens on a port; give its own port and its pin.

    Args:
        folder: for its files; made here.
        server: the server's port.
        which: of the documented examples.
        certificate: of the server, if it speaks TLS.
    """
    folder.mkdir()
    if certificate is not None:
        shutil.copy(certificate, folder / "server.pem")
    port, key = free_port(), certificates.new_key()
    pem = certificates.make(key, ["dc.example.org", "localhost"], 1_772_000_000.0)
    (folder / "dc.pem").write_bytes(pem)
    (folder / "dc.key").write_bytes(key)
    block = documented(which).replace("/etc/ssl", str(folder))
    block = block.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    block = block.replace("listen [::]:443 ssl", f"listen [::1]:{port} ssl")
    block = block.replace(":8220", f":{server}")
    config = folder / "nginx.conf"
    config.write_text(Template(FRAME).substitute(folder=folder, server=block))
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    process = subprocess.Popen([program, "-p", str(folder), "-c", str(config)])
    try:
        _wait(process, port, folder)
        yield port, certificates.pin_of_pem(pem)
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def _wait(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, (folder / "error.log").read_text()
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("nginx does not listen")
