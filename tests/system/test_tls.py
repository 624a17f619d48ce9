"""A server with TLS, its worker and its client, as their users start them."""

from __future__ import annotations

import os
import signal
import socket
import ssl
from pathlib import Path

import pytest
import trio

import dc
from dc import certificates, limits
from dc.errors import WrongServer
from tests.system.processes import Machine, until
from tests.system.secure import SecureServer, asking

PLUGIN = """\
import dc

@dc.task_type
def back(payload: bytes) -> bytes:
    return payload

@dc.task_type
def former(payload: bytes, context: dc.Context) -> bytes:
    assert "DC_TOKEN" not in __import__("os").environ
    return context.result(int(payload), 0)[-5:]
"""


@pytest.fixture(name="folder")
def add_plugin(machine: Machine) -> Path:
    (machine.plugins / "tls_tests.py").write_text(PLUGIN)
    return machine.folder


@pytest.mark.parametrize("where", ["127.0.0.1:0", "[::1]:0"])
async def test_all_of_it_over_tls(
    where: str, machine: Machine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await SecureServer.up(machine, "--listen", where, "--secure")
    assert server.address == f"https://{where[:-2]}:{server.port}"
    monkeypatch.setenv("DC_PIN", server.pin)
    server.worker(machine, "one", await server.invite())
    large = os.urandom(4 * limits.INLINE_BYTES)
    with trio.fail_after(60):
        async with server.client(machine) as client:
            job = await client.submit("back", [b"small", large])
            assert [one async for one in job.results(large="value")] == [b"small", large]
            again = await client.submit("back", [large])
            await again.wait()
            number = str(again.number).encode()
            stranger = await client.submit("former", [number])
            with pytest.raises(dc.TaskFailed, match="that its own comes `after`"):
                await stranger.results().__anext__()
            later = await client.submit("former", [number] * 2, after=[again])
            assert [one async for one in later.results()] == [large[-5:]] * 2
    assert await server.program.stop() == 0


async def test_a_restart_keeps_the_key_and_another_server_is_refused(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await SecureServer.up(machine, "--listen", "127.0.0.1:0", "--secure")
    monkeypatch.setenv("DC_PIN", first.pin)
    async with first.client(machine):
        pass
    await first.program.stop()
    where = "--listen", f"127.0.0.1:{first.port}", "--secure"
    again = await SecureServer.up(machine, *where)
    assert again.pin == first.pin
    async with again.client(machine):
        pass
    await again.program.stop()
    other = await SecureServer.up(machine, *where, data=machine.folder / "other")
    with pytest.raises(WrongServer, match="somebody may be in between"):
        async with other.client(machine):
            pass
    worker = first.worker(machine, "one", other.address, DC_PIN=first.pin)
    assert await worker.ended() == 2
    assert "somebody may be in between" in worker.err.read_text()
    monkeypatch.delenv("DC_PIN")
    with pytest.raises(WrongServer, match="cannot be verified"):
        async with other.client(machine):
            pass


async def test_an_address_that_others_reach_has_tls_by_itself(machine: Machine) -> None:
    server = await SecureServer.up(machine, "--listen", "0.0.0.0:0")
    assert server.address.startswith("https://")
    assert "0.0.0.0" not in server.address
    with asking("127.0.0.1", server.port, tls=True) as browser:
        browser.request("GET", "/")
        assert browser.getresponse().status == 200
    with asking("127.0.0.1", server.port, tls=False) as browser:
        browser.request("GET", "/jobs")
        answer = browser.getresponse()
        assert (answer.status, answer.headers["Location"]) == (
            308,
            f"https://127.0.0.1:{server.port}/jobs",
        )
    with pytest.raises(dc.ConnectionLost, match="this server speaks TLS"):
        async with server.client(machine, f"http://127.0.0.1:{server.port}"):
            pass


async def test_half_open_and_garbage_by_the_hundred_keep_nobody_out(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await SecureServer.up(machine, "--listen", "127.0.0.1:0", "--secure")
    monkeypatch.setenv("DC_PIN", server.pin)
    open_: list[socket.socket] = []
    for number in range(400):
        one = socket.create_connection(("127.0.0.1", server.port))
        one.sendall([b"", b"\x16\x03\x01", b"GET / HT", b"\x00\xff"][number % 4])
        open_.append(one)
    with trio.fail_after(60):
        async with server.client(machine) as client:
            assert (await client.get("/api/workers"))["workers"] == []
    for one in open_:
        one.close()
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", server.port)) as one,
        pytest.raises(ssl.SSLError, match="SSL"),
    ):
        old.wrap_socket(one)


async def test_a_certificate_that_is_given_is_read_again(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = machine.folder / "both.pem"

    def give() -> str:
        key = certificates.new_key()
        pem = certificates.make(key, ["localhost"], 1_772_000_000.0)
        file.write_bytes(pem + key)
        return certificates.pin_of_pem(pem).hex()

    pin = give()
    server = await SecureServer.up(machine, "--listen", "127.0.0.1:0", "--certificate", file)
    monkeypatch.setenv("DC_PIN", pin)
    async with server.client(machine):
        pass
    monkeypatch.setenv("DC_PIN", give())
    server.program.send(signal.SIGHUP)
    await until(lambda: "read again" in server.program.err.read_text(), "the new certificate")
    async with server.client(machine):
        pass
    assert server.program.alive


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--certificate", "nothing.pem"], "no certificate and its key"),
        (["--behind-proxy"], "say by --address"),
        (["--listen", "no.such.host.invalid"], "no such host"),
    ],
)
def test_what_a_server_cannot_start_with(machine: Machine, arguments: list[str], said: str) -> None:
    done = machine.command("dc.server", *arguments, "--data", machine.data)
    assert done.returncode == 2
    assert said in done.stderr
