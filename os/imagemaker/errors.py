"""What a build ends with when it cannot go on: one sentence for whoever runs it."""

from __future__ import annotations


class ImageError(Exception):
    """The image cannot be built; the text says why, and what to do next."""
