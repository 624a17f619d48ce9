"""Schemathesis finds nothing against the API of a real server with a real worker."""

from __future__ import annotations

import re
from pathlib import Path

from tests.system.api_campaign import campaign
from tests.system.processes import Server


def test_schemathesis_finds_nothing(server: Server, tmp_path: Path) -> None:
    ended = campaign(server.address, tmp_path, 3, ["fuzzing"])
    assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr[-2000:]
    assert re.search(r"(\d\d+) generated, \1 passed", ended.stdout), ended.stdout[-2000:]
