"""What the system tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.processes import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Where a test starts its programs; all of them are ended, whatever happens."""
    with Machine(tmp_path) as machine:
        yield machine
