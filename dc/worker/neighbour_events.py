"""What goes into a worker's reactor, and comes out of it, on a computer that people use."""

from __future__ import annotations

from msgspec import Struct


class InUse(Struct, frozen=True):
    """The computer is not for tasks now, for this `reason`; it is again, if that is empty."""

    reason: str


class Suspend(Struct, frozen=True):
    """Have an executor, and all that its tasks have started, stand still."""

    executor: int


class Resume(Struct, frozen=True):
    """Let an executor that stands still go on."""

    executor: int
