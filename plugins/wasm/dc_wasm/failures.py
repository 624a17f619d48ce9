"""What goes wrong with a module: before it runs, and while it does."""

from __future__ import annotations

import dc


class ModuleRefused(dc.PayloadError):
    """These bytes cannot be run: they are no module, or one that lacks something. Never retried."""


class WasmFailed(Exception):
    """The module ran, and came to no result. The notes have where it was, if that is known."""
