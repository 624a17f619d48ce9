"""What a real server gives to computers that boot: in the clear, over TLS, and by the command."""

from __future__ import annotations

import os
import re
import socket
from functools import partial
from pathlib import Path

import pytest
import trio

from dc import boot_words, invites
from dc.view_access import MadeInvite
from tests.server.images import BEHIND, make_image, words_in
from tests.system.processes import Machine
from tests.system.secure import asking
from tests.system.secured import SecureServer

CLEAR = re.compile(r"http://127\.0\.0\.1:\d+(/boot/[a-z2-7]{16}/boot\.ipxe)")
SIZE = 20 * 2**20


def grown(iso: Path) -> bytes:
    """Make an image larger than any buffer; return it."""
    data = iso.read_bytes() + os.urandom(SIZE)
    iso.write_bytes(data)
    return data


def get(port: int, path: str, *, tls: bool = False, **head: str) -> tuple[int, bytes]:
    with asking("127.0.0.1", port, tls=tls) as http:
        http.request("GET", path, headers=head)
        answer = http.getresponse()
        return answer.status, answer.read()


def raw(port: int, data: bytes) -> bytes:
    """Return all that a server says to these bytes."""
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall(data)
        got = b""
        while piece := connection.recv(65536):
            got += piece
        return got


async def up(machine: Machine, *options: object) -> tuple[SecureServer, MadeInvite, str]:
    """Start a server; give it, an invite, and the path of what stands below it."""
    server = await SecureServer.start(machine, *options)
    made = await server.invite(uses=1)
    found = CLEAR.fullmatch(made.boot)
    assert found, made.boot
    return server, made, found[1].removesuffix("/boot.ipxe")


async def ask(port: int, path: str, *, tls: bool = False, **head: str) -> tuple[int, bytes]:
    return await trio.to_thread.run_sync(partial(get, port, path, tls=tls, **head))


async def test_a_boot_loader_gets_all_it_needs_in_the_clear(machine: Machine) -> None:
    whole = grown(make_image(machine.folder / "image") / "initrd.img")
    server, made, path = await up(machine, "--os-image", machine.folder / "image")
    port = server.server.port
    status, script = await ask(port, f"{path}/boot.ipxe")
    assert (status, script[:7]) == (200, b"#!ipxe\n")
    (code,) = set(re.findall(rb"dc\.invite=(\S+)", script))
    assert invites.read(code.decode()) == invites.read(made.code)
    for name in re.findall(rb"^(?:kernel|initrd) (\S+)", script, re.MULTILINE):
        assert (await ask(port, f"{path}/{name.decode()}"))[0] == 200
    assert await ask(port, f"{path}/initrd.img") == (200, whole)
    part = await ask(port, f"{path}/initrd.img", Range="bytes=1000-1999")
    assert part == (206, whole[1000:2000])
    old = b"GET %s/vmlinuz HTTP/1.0\r\n\r\n" % path.encode()
    answer = await trio.to_thread.run_sync(raw, port, old + b"GET /api/me HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n" + b"a kernel" * 1000)
    assert (await ask(port, "/api/status"))[0] == 308
    assert (await ask(port, "/boot/aaaaaaaaaaaaaaaa/vmlinuz"))[0] == 403
    assert made.invite.uses == await server.uses_left(made) == 1
    await server.program.stop()
    assert path.rpartition("/")[2] not in server.program.text()


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "clear"])
async def test_an_image_comes_whole_with_its_configuration(machine: Machine, tls: bool) -> None:
    iso = make_image(machine.data / "os-image") / "worker.iso"
    more = grown(iso)[-SIZE:]
    server, made, path = await up(machine)
    port = server.server.port
    target = f"{path}/worker.iso?slots=2&label=room%3Dupper+floor"
    status, body = await ask(port, target, tls=tls)
    assert (status, len(body)) == (200, iso.stat().st_size)
    assert body.endswith(BEHIND + more)
    words = words_in(body[:-SIZE])
    assert (words["slots"], words["label"]) == ("2", "room=upper floor")
    assert invites.read(words["invite"]) == invites.read(made.code)
    at = body.index(boot_words.MAGIC)
    span = f"bytes={at - 10}-{at + 5000}"
    assert await ask(port, target, tls=tls, Range=span) == (206, body[at - 10 : at + 5001])


async def test_the_image_of_the_command_is_the_same(machine: Machine) -> None:
    iso = make_image(machine.data / "os-image") / "worker.iso"
    grown(iso)
    server, _, _ = await up(machine)
    environment = {"DC_TOKEN": server.token, "DC_PIN": server.server.pin.hex()}
    to = machine.folder / "lab.iso"
    where = "--server", f"https://127.0.0.1:{server.server.port}"
    run = partial(machine.command, environment=environment)
    made = await trio.to_thread.run_sync(run, "dc", "invite", *where, "--iso", to)
    assert made.returncode == 0, made.stderr
    if os.name == "posix":
        assert to.stat().st_mode & 0o777 == 0o600
    shown = await trio.to_thread.run_sync(run, "dc", "os-image", "show", to)
    assert shown.stdout.startswith("dc.invite=dc1-")
    assert f"127.0.0.1:{server.server.port}" in shown.stderr
    set_ = await trio.to_thread.run_sync(run, "dc", "os-image", "configure", to, "--slots", 3)
    assert set_.returncode == 0, set_.stderr
    words = words_in(to.read_bytes()[:-SIZE])
    assert words["slots"] == "3"
    assert invites.read(words["invite"]).addresses == [("127.0.0.1", server.server.port)]


async def test_a_folder_without_an_image_is_told_at_the_start(machine: Machine) -> None:
    (machine.folder / "empty").mkdir()
    run = partial(machine.command, "dc.server", "--os-image", machine.folder / "empty")
    done = await trio.to_thread.run_sync(run)
    assert done.returncode == 2
    assert "there is no vmlinuz in it; make the image by" in done.stderr
