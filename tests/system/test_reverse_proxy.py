"""Behind nginx, as docs/proxies.md says: workers, clients, large bytes and streams get through."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from dc import limits
from tests.system.nginx import free_port, nginx
from tests.system.processes import Machine
from tests.system.secure import SecureServer, asking

PLUGIN = """\
import dc

@dc.task_type
def back(payload: bytes) -> bytes:
    return payload
"""
AT_PROXY = "nginx, with TLS at the proxy"
AS_WELL = "nginx, with TLS to the server as well"


@pytest.mark.parametrize("which", [AT_PROXY, AS_WELL])
async def test_behind_nginx(
    which: str, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine.plugins / "proxy_tests.py").write_text(PLUGIN)
    how: list[object] = ["--behind-proxy", "--address", "https://dc.example.org"]
    if which == AS_WELL:
        how = ["--secure"]
    port = free_port()
    server = await SecureServer.up(machine, "--listen", f"127.0.0.1:{port}", *how, port=port)
    certificate = machine.data / "tls" / "certificate.pem" if which == AS_WELL else None
    with nginx(tmp_path / "nginx", port, which, certificate) as (at, pin):
        address = f"https://127.0.0.1:{at}"
        monkeypatch.setenv("DC_PIN", pin.hex())
        # Workers know a proxy as browsers do: by authorities that vouch for it.
        code = await server.invite(addresses=[f"localhost:{at}"], public=True)
        worker = server.worker(machine, "one", code, SSL_CERT_FILE=str(tmp_path / "nginx/dc.pem"))
        large = os.urandom(10 * limits.INLINE_BYTES)
        with trio.fail_after(60):
            async with server.client(machine, address) as client:
                job = await client.submit("back", [b"small", large])
                assert [one async for one in job.results(large="value")] == [b"small", large], (
                    worker.text()
                )
        with asking("127.0.0.1", at, tls=True) as browser:
            browser.request(
                "GET",
                "/api/stream?topics=overview",
                headers={"Host": f"dc:{at}", "Authorization": f"Bearer {server.token}"},
            )
            answer = browser.getresponse()
            assert answer.status == 200
            assert answer.readline()
