"""The tests that boot in all ways and in all sorts of trouble: `make -C os os-test-full` alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.boot.figures import Figures
from tests.boot.image import OS, built

RELEASE = "DC_BOOT_FULL"  # in the environment: that all is to be tested, by which compression
collect_ignore_glob = [] if os.environ.get(RELEASE) else ["test_*.py"]


@pytest.fixture(scope="session")
def image() -> Path:
    """The folder of a release of this tree."""
    return built(os.environ[RELEASE])


@pytest.fixture(scope="session")
def arm_image() -> Path:
    """The same for ARM."""
    return built(os.environ[RELEASE], "arm64")


@pytest.fixture(scope="session")
def figures() -> Figures:
    """What is measured: it goes to os/out/figures.md."""
    (OS / "out").mkdir(exist_ok=True)
    return Figures(OS / "out")
