"""What the tests that boot computers share: the image of this very tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.boot.image import built


@pytest.fixture(scope="session")
def image() -> Path:
    """The folder of a build of this tree."""
    return built("dev")
