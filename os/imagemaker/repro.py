"""Makes the image twice, as different people would, and compares what came out."""

from __future__ import annotations

from imagemaker.places import Build


def compare(build: Build) -> None:
    """Compare two builds."""
    raise NotImplementedError(build)
